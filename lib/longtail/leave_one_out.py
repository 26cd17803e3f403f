"""Memorization by leaving out one example, exactly and without training again.

For a deterministic learner mem(i) = 1[h_S(x_i) = y_i] - 1[h_{S without i}(x_i) = y_i].  Where the
learner has a closed form both answers come from one pass over the data.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike, NDArray

from longtail import _checks

ROWS = 2048  # of the matrix of distances that are held at once
FEW = 200  # neighbours that are found faster one by one than by sorting


class LeaveOneOut(NamedTuple):
    """Answers with and without each example.

    Attributes
    ----------
    correct
        Whether the learner trained on all examples classifies example i rightly, shape (n,).
    correct_without
        Whether it does so when trained on all others, shape (n,).
    """

    correct: NDArray[np.bool_]
    correct_without: NDArray[np.bool_]

    @property
    def memorization(self) -> NDArray[np.int64]:
        """Memorization scores, -1, 0 or 1, shape (n,)."""
        return self.correct.astype(np.int64) - self.correct_without


def knn(x: ArrayLike, y: ArrayLike, k: int = 1) -> LeaveOneOut:
    """k-nearest-neighbour classification by Euclidean distance.

    Ties between distances go to the earlier example, ties between labels to the smaller label.

    Parameters
    ----------
    x
        Points, shape (n, d).
    y
        Labels, whole numbers from 0 on, shape (n,).
    k
        Neighbours that vote, 1 <= k < n; a training point is its own first neighbour.

    Examples
    --------
    >>> knn([[0.0], [1.0], [1.1], [5.0]], [0, 0, 1, 1]).memorization
    array([0, 1, 1, 0])
    """
    points, labels = _labelled(x, y)
    k = _checks.whole("k", k, 1)
    if k >= len(points):
        raise ValueError(f"k must be below the number of points {len(points)}, got {k}")
    correct = np.empty((2, len(points)), dtype=bool)
    points = points - points[0]  # far from the origin the differences of large squares would be noise
    squares = np.einsum("ij,ij->i", points, points)
    for start in range(0, len(points), ROWS):
        rows = np.arange(start, min(start + ROWS, len(points)))
        block = points[start : start + ROWS]  # all of a small set: a product with itself costs half
        distance = block @ points.T
        distance *= -2
        distance += squares  # up to a constant in each row
        distance[np.arange(rows.size), rows] = np.inf
        others = labels[_nearest(distance, k)]
        with_itself = np.column_stack([labels[rows], others[:, :-1]])
        correct[:, rows] = [_vote(votes) == labels[rows] for votes in (with_itself, others)]
    return LeaveOneOut(correct[0], correct[1])


def ridge(x: ArrayLike, y: ArrayLike, penalty: float) -> LeaveOneOut:
    """Ridge classification: one-hot labels, no intercept, the largest output decides.

    The residual without example i is the residual with it divided by 1 - H_ii, H = X (X'X + penalty I)^-1 X'.

    Parameters
    ----------
    x, y
        As in `knn`.
    penalty
        Weight of the squared norm, positive.

    Examples
    --------
    >>> ridge([[1.0, 0.0], [0.0, 1.0], [0.1, 1.0]], [0, 1, 1], penalty=0.01).memorization
    array([1, 0, 0])
    """
    (points, labels), penalty = _labelled(x, y), _checks.positive("penalty", penalty)
    if len(points) <= points.shape[1]:
        return kernel_ridge(points @ points.T, labels, penalty)
    gram = points.T @ points
    gram[np.diag_indices_from(gram)] += penalty
    targets = np.eye(labels.max() + 1)[labels]
    solved = scipy.linalg.cho_solve(scipy.linalg.cho_factor(gram), points.T)
    return _from_residuals(points @ (solved @ targets), np.einsum("ij,ji->i", points, solved), targets)


def kernel_ridge(kernel: ArrayLike, y: ArrayLike, penalty: float) -> LeaveOneOut:
    """Kernel ridge classification from the symmetric matrix of kernels, shape (n, n); else as `ridge`."""
    (values, labels), penalty = _labelled(kernel, y), _checks.positive("penalty", penalty)
    if values.shape[0] != values.shape[1] or not np.allclose(values, values.T):
        raise ValueError(f"kernel must be a symmetric matrix, got shape {values.shape}")
    targets = np.eye(labels.max() + 1)[labels]
    try:
        factor = scipy.linalg.cho_factor(values + penalty * np.eye(len(values)))
    except np.linalg.LinAlgError as error:
        raise ValueError(f"kernel plus penalty {penalty:g} must be positive definite: {error}") from error
    inverse = scipy.linalg.cho_solve(factor, np.eye(len(values)))
    return _from_residuals(targets - penalty * inverse @ targets, 1 - penalty * np.diag(inverse), targets)


def _from_residuals(
    fitted: NDArray[np.float64], leverage: NDArray[np.float64], targets: NDArray[np.float64]
) -> LeaveOneOut:
    without = targets - (targets - fitted) / (1 - leverage)[:, None]
    labels = targets.argmax(axis=1)
    return LeaveOneOut(fitted.argmax(axis=1) == labels, without.argmax(axis=1) == labels)


def _nearest(distance: NDArray[np.float64], k: int) -> NDArray[np.int64]:
    """Numbers of the k nearest in each row, nearest first, the earlier first among equals.

    The matrix is used up: a few neighbours are taken out of it one after the other.
    """
    if k > FEW:
        return np.argsort(distance, axis=1, kind="stable")[:, :k]
    rows, nearest = np.arange(len(distance)), np.empty((len(distance), k), dtype=np.int64)
    for j in range(k):
        nearest[:, j] = distance.argmin(axis=1)
        distance[rows, nearest[:, j]] = np.inf
    return nearest


def _vote(votes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Label with most votes in each row, the smallest among equals."""
    return np.asarray(np.eye(votes.max() + 1)[votes].sum(axis=1).argmax(axis=1))


def _labelled(x: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    points, labels = np.asarray(x, dtype=np.float64), _checks.labels("y", y)
    if points.ndim != 2 or len(points) < 2 or not np.isfinite(points).all():
        raise ValueError(f"x must be a finite matrix of at least 2 points, got shape {points.shape}")
    if len(labels) != len(points):
        raise ValueError(f"y must have a label for each of {len(points)} points, got {len(labels)}")
    return points, np.unique(labels, return_inverse=True)[1]  # 60,637 and 94,110 are two labels
