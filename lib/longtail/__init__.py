"""Companion library of *The Long Tail Book*: what a learner pays for not memorizing a long tail."""

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

__all__ = [
    "FrequencyPrior",
    "expected_count",
    "mass_seen",
    "optimal_error",
    "price_of_limit",
    "price_of_not_fitting",
    "price_of_privacy",
    "singleton_fraction",
    "tau",
]
