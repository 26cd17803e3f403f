"""Companion library of *The Long Tail Book*: what a learner pays for not memorizing a long tail."""

from longtail.auditing import audit
from longtail.noise import label_confidence
from longtail.price import (
    expected_count,
    mass_seen,
    optimal_error,
    price_of_limit,
    price_of_not_fitting,
    price_of_privacy,
    singleton_fraction,
    tau,
)
from longtail.priors import FrequencyPrior
from longtail.streams import spectrum
from longtail.tails import no_tail_upper_bound, tail_lower_bound

__all__ = [
    "FrequencyPrior",
    "audit",
    "expected_count",
    "label_confidence",
    "mass_seen",
    "no_tail_upper_bound",
    "optimal_error",
    "price_of_limit",
    "price_of_not_fitting",
    "price_of_privacy",
    "singleton_fraction",
    "spectrum",
    "tail_lower_bound",
    "tau",
]
