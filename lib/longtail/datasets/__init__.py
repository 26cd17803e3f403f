"""Real data with long tails: words, census cells, images.

Everything but the full Fashion-MNIST travels with the library, in packed files that are read on
demand and checked against their sha256.  Sources, licences and credits: ``README.md`` beside the
files; how they were made: `longtail.datasets.make`.
"""

from longtail.datasets.experiments import experiment
from longtail.datasets.images import Images, fashion_mnist, fashion_mnist_full
from longtail.datasets.tables import ADULT_ATTRIBUTES, WordCounts, adult, austen_words, cells

__all__ = [
    "ADULT_ATTRIBUTES",
    "Images",
    "WordCounts",
    "adult",
    "austen_words",
    "cells",
    "experiment",
    "fashion_mnist",
    "fashion_mnist_full",
]
