"""Memorization of the book's 5,000 images of Fashion-MNIST, at the size that its chapters show.

    python benchmarks/fashion_mnist_subset.py [--models 2000] [--processes 2] [--store FOLDER]

Writes ``lib/longtail/datasets/measured/fashion_mnist_subset.npz`` and its provenance beside it.  About a
second of one core for each model.  A run that is stopped goes on where it was when the same call is made
again.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

from _provenance import provenance
from longtail.datasets import fashion_mnist
from longtail.ensembles import Dataset, Recipe, mlp
from longtail.memorization import subsample_memorization

ROOT = Path(__file__).parents[1]
SIZES, RECIPE, FRACTION, SEED = (784, 128, 10), Recipe(epochs=50, batch_size=128, lr=0.02), 0.7, 0


def images() -> Dataset:
    """Return the subset that travels with the book."""
    train, test = fashion_mnist("train"), fashion_mnist("test")
    return Dataset(train.inputs, train.labels, test.inputs, test.labels)


def main() -> None:
    """Train, and write what was learned."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=int, default=2000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--store", type=Path, default=ROOT / "_build" / "ensembles")
    chosen = parser.parse_args()
    with ProcessPoolExecutor(chosen.processes, mp_context=get_context("spawn")) as pool:
        result = subsample_memorization(
            images, mlp(*SIZES), chosen.models, FRACTION, RECIPE, SEED, executor=pool, store=chosen.store
        )
    target = ROOT / "lib" / "longtail" / "datasets" / "measured" / "fashion_mnist_subset.npz"
    result.save(target)
    about = provenance(__file__, SEED, "torch") | {
        "data": "the book's Fashion-MNIST subset: 5,000 training and 2,000 test images",
        "model": f"MLP {'-'.join(map(str, SIZES))}, ReLU",
        "models": chosen.models,
        "fraction": FRACTION,
        "recipe": asdict(RECIPE),
        "train accuracy, least": round(float(result.train_accuracy.min()), 4),
        "test accuracy, mean": round(float(result.test_accuracy.mean()), 4),
    }
    target.with_suffix(".json").write_text(json.dumps(about, indent=1) + "\n")
    print(json.dumps(about, indent=1), *result.warnings, sep="\n")


if __name__ == "__main__":
    main()
