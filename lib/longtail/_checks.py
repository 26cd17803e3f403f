"""Argument checks: every error names the argument, what was expected and what came."""

from __future__ import annotations

import math
import sys
from numbers import Integral, Real
from typing import Literal, SupportsIndex, TypeAlias, cast, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

Reading: TypeAlias = Literal["fixed", "iid"]
Seed: TypeAlias = int | np.random.Generator | np.random.SeedSequence | None


def whole(name: str, value: float | SupportsIndex, minimum: int = 0) -> int:
    """Return `value` as an int at least `minimum`; whole floats such as ``1e9`` are welcome."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Integral | float | np.floating):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if isinstance(value, float | np.floating) and not float(value).is_integer():
        raise ValueError(f"{name} must be a whole number, got {value!r}")
    number = int(value)
    if number < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {number}")
    return number


def real(name: str, value: float, low: float = -math.inf, high: float = math.inf) -> float:
    """Return `value` as a float inside ``[low, high]``; NaN is never inside."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real | np.floating | np.integer):
        raise TypeError(f"{name} must be a real number, got {value!r}")
    try:
        number = float(value)
    except OverflowError:
        number = math.nan
    if not low <= number <= high:
        raise ValueError(f"{name} must lie in [{low:g}, {high:g}], got {value!r:.80}")
    return number


def positive(name: str, value: float, high: float = sys.float_info.max) -> float:
    """Return `value` as a float in ``(0, high]``, finite unless `high` is infinite."""
    number = real(name, value, 0, high)
    if number == 0:
        raise ValueError(f"{name} must be positive, got 0")
    return number


def chance(name: str, value: float) -> float:
    """Return `value` as a float strictly between 0 and 1."""
    number = real(name, value, 0, 1)
    if number in (0, 1):
        raise ValueError(f"{name} must lie strictly between 0 and 1, got {value!r}")
    return number


def reading(value: str) -> Reading:
    """Return `value` if it is one of the two readings of a prior."""
    if value not in get_args(Reading):
        raise ValueError(f"reading must be 'fixed' or 'iid', got {value!r}")
    return cast(Reading, value)


def vector(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return `values` as a non-empty 1-d float array without NaN, infinity or negative entries."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be a list of numbers, got {values!r:.80}") from error
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name} must be a non-empty one-dimensional list, got shape {array.shape}")
    for wrong, what in ((~np.isfinite(array), "finite"), (array < 0, "non-negative")):
        if wrong.any():
            raise ValueError(f"{name} must be {what}, got {array[wrong][0]} at position {wrong.argmax()}")
    return array


def counts(name: str, values: ArrayLike) -> NDArray[np.int64]:
    """Return `values` as a non-empty 1-d int64 array of non-negative whole numbers, not all zero."""
    array = vector(name, values)
    fraction = array != np.floor(array)
    if fraction.any():
        raise ValueError(f"{name} must be whole numbers, got {array[fraction][0]}")
    if array.max() >= 2.0**63:
        raise ValueError(f"{name} must be below 2**63, got {array.max():g}")
    whole_numbers = np.asarray(values).astype(np.int64)
    if not whole_numbers.any():
        raise ValueError(f"{name} must not all be zero, got {array.size} zeros")
    return whole_numbers


def labels(name: str, values: ArrayLike, classes: float = math.inf) -> NDArray[np.int64]:
    """Return `values` as a non-empty 1-d int64 array of whole numbers in ``range(classes)``."""
    array = np.asarray(values)
    if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "iu":
        raise ValueError(f"{name} must be a non-empty list of whole numbers, got {array!r:.80}")
    if array.min() < 0 or array.max() >= classes:
        wrong = array.min() if array.min() < 0 else array.max()
        raise ValueError(f"{name} must lie in range({classes:g}), got {wrong}")
    return array.astype(np.int64)
