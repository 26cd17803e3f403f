"""Who bears the errors: error by group of examples, with standard errors over repetitions."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


class GroupErrors(NamedTuple):
    """Error of several trained models on groups of examples.

    Attributes
    ----------
    group
        The groups, in rising order, shape (groups,).
    size
        Examples in each.
    error, se
        Mean error over the models, and its standard error: the spread over models by the root of their
        number.  It says how far another training would differ, not another test set; NaN for one model.
    runs
        Error of each model, shape (models, groups).
    """

    group: NDArray[Any]
    size: NDArray[np.int64]
    error: NDArray[np.float64]
    se: NDArray[np.float64]
    runs: NDArray[np.float64]


def error_by_group(correct: ArrayLike, group: ArrayLike) -> GroupErrors:
    """Error by group: by class, size of subpopulation, bucket of memorization scores, or anything else.

    Parameters
    ----------
    correct
        Whether each model classifies each example rightly, bool, shape (models, n) or (n,).
    group
        Group of each example, shape (n,).

    Examples
    --------
    >>> found = error_by_group([[True, True, False], [True, False, False]], ["a", "a", "b"])
    >>> found.error
    array([0.25, 1.  ])
    """
    right, names = np.atleast_2d(np.asarray(correct)), np.asarray(group)
    if right.dtype != bool or right.ndim != 2 or right.size == 0:
        raise ValueError(f"correct must be bool, shape (models, n), got {right.dtype} of shape {right.shape}")
    if names.shape != right.shape[1:]:
        raise ValueError(
            f"group must have one entry for each of {right.shape[1]} examples, got {names.shape}"
        )
    kinds, which, size = np.unique(names, return_inverse=True, return_counts=True)
    runs = 1 - (right.astype(np.float64) @ np.eye(len(kinds))[which]) / size
    return GroupErrors(kinds, size, runs.mean(axis=0), standard_error(runs), runs)


def standard_error(runs: ArrayLike) -> NDArray[np.float64]:
    """Standard error of the mean over the first axis; NaN for a single run."""
    values = np.asarray(runs, dtype=np.float64)
    if len(values) < 2:
        return np.full(values.shape[1:], np.nan)
    return np.asarray(values.std(axis=0, ddof=1) / np.sqrt(len(values)))


def buckets(scores: ArrayLike, edges: ArrayLike) -> NDArray[np.int64]:
    """Number of the bucket [edge, next edge) of each score, 0 below the first edge; NaN is an error.

    Examples
    --------
    >>> buckets([0.0, 0.25, 0.9], [0.25, 0.75])
    array([0, 1, 2])
    """
    values, borders = (np.asarray(numbers, dtype=np.float64) for numbers in (scores, edges))
    if np.isnan(values).any():
        raise ValueError(f"scores must not be NaN, got {int(np.isnan(values).sum())} of them")
    if borders.ndim != 1 or not np.isfinite(borders).all() or (np.diff(borders) <= 0).any():
        raise ValueError(f"edges must be finite and rise, got {borders.tolist()}")
    return np.digitize(values, borders)
