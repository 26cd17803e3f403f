"""Linear classifiers in high dimension: margins, independence, coupling (Feldman 2020, section 3.1)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import nnls

from longtail import _checks
from longtail.mixtures import Classifier, Labels, Points


class Separator(NamedTuple):
    """A hyperplane through the origin.

    Attributes
    ----------
    w
        Its unit normal, shape (d,).
    margin
        Least signed distance of a training point, positive if all are on their side.
    """

    w: Points
    margin: float


def max_margin(x: ArrayLike, y: ArrayLike) -> Separator:
    """Find the hyperplane through the origin with the largest margin.

    The margin is the distance of the origin from the convex hull of the points y_i x_i; the nearest point of
    the hull comes from non-negative least squares (Lawson and Hanson 1974, chapter 23).

    Parameters
    ----------
    x
        Points, shape (n, d).
    y
        Labels, -1 or 1, shape (n,).

    Raises
    ------
    ValueError
        If the shapes or labels are not these, or if no hyperplane through the origin separates the points.

    Examples
    --------
    >>> w, margin = max_margin([[1.0, 0.0], [0.0, 2.0]], [1, -1])
    >>> w.round(4), round(margin, 4)
    (array([ 0.8944, -0.4472]), 0.8944)
    """
    points, signs = _labelled(x, y)
    signed = points * signs[:, None]
    scale = np.linalg.norm(signed, axis=1).max() or 1.0  # zeros alone have no margin
    # The triangular factor keeps all scalar products, in as few coordinates as there are points.
    basis, compact = np.linalg.qr(signed.T) if len(signed) < signed.shape[1] else (None, signed.T)
    target = np.zeros(len(compact) + 1)
    target[-1] = 1
    weights, _ = nnls(np.vstack([compact / scale, np.ones(len(signed))]), target)
    touching = compact[:, weights > 0] / scale
    # The nearest point loses digits where it is close to the origin; the points that touch still have them.
    directions = [touching @ weights[weights > 0], np.linalg.lstsq(touching.T, np.ones(touching.shape[1]))[0]]
    margin, w = max(((_least(compact, v), v) for v in directions), key=lambda found: found[0])
    if margin <= 1e-12 * scale:
        raise ValueError("x and y must be separable through the origin, got points that are not")
    w = w if basis is None else basis @ w
    return Separator(w / np.linalg.norm(w), margin)


def _least(signed: Points, w: NDArray[np.float64]) -> float:
    """Least signed distance of the columns to the hyperplane with normal w."""
    length = float(np.linalg.norm(w))
    return float((w @ signed).min()) / length if length else 0.0


def linear_classifier(x: Points, y: Labels) -> Classifier:
    """Hard-margin linear classifier for labels 0 and 1, a learner for `longtail.mixtures.coupling`."""
    w = max_margin(x, 2 * y - 1).w
    return lambda fresh: (fresh @ w > 0).astype(np.int64)


def independence(x: ArrayLike, fresh: ArrayLike | None = None) -> NDArray[np.float64]:
    """Length of the projection of each point onto the span of the *other* points.

    The least theta_i with ``|<x_i, v>| <= theta_i |v|`` for every v in that span.  Zero when x_i is
    orthogonal to the others, its own length when it lies in their span.

    Parameters
    ----------
    x
        Points, shape (n, d).
    fresh
        If given, shape (n, d): the projections of ``fresh[i]`` instead of ``x[i]``, onto the same spans.

    Returns
    -------
    ndarray, shape (n,)

    Examples
    --------
    >>> independence([[1.0, 0.0, 0.0], [0.6, 0.8, 0.0]]).round(3)
    array([0.6, 0.6])
    """
    points = _matrix("x", x)
    others = points if fresh is None else _matrix("fresh", fresh)
    if others.shape != points.shape:
        raise ValueError(f"fresh must have the shape of x, {points.shape}, got {others.shape}")
    u, s, vt = np.linalg.svd(points, full_matrices=False)
    kept = s > s[0] * max(points.shape) * np.finfo(float).eps
    u, s, vt = u[:, kept], s[kept], vt[kept]
    onto_all = ((others @ vt.T) ** 2).sum(axis=1)
    # The dual vector of x_i is orthogonal to all other points; x_i has one only if it is not in their span.
    dual = (u / s) @ vt
    length = np.linalg.norm(dual, axis=1)
    along = np.divide((others * dual).sum(axis=1), length, out=np.zeros(len(points)), where=length > 0)
    has_dual = (u**2).sum(axis=1) > 1 - 1e-9
    return np.asarray(np.sqrt(np.maximum(onto_all - np.where(has_dual, along, 0) ** 2, 0)))


def coupling_margin(theta: float, tau_squared: float, norm: float = 1.0) -> float:
    """Margin above which a separating w in the span of the data answers a singleton's cloud by its label.

    theta K (1 + norm^2 / tau^2) with K = (1 - theta^2 / norm^2)^(-1/2); the book's version of Feldman 2020,
    Theorem 3.4, a sufficient condition.  `sharp_coupling_margin` is the least margin with this property.

    Parameters
    ----------
    theta
        Bound on the projections of the singleton and of the fresh point, see `independence`; at least 0 and
        below `norm`.
    tau_squared
        Least scalar product of the singleton with a fresh point of its subpopulation, positive.
    norm
        Length of the singleton.

    Examples
    --------
    >>> round(coupling_margin(0.01, 0.5), 4)
    0.03
    """
    norm = _checks.real("norm", norm, 0)
    theta = _checks.real("theta", theta, 0, norm)
    if theta == norm or _checks.real("tau_squared", tau_squared, 0) == 0:
        raise ValueError(
            f"theta must be below norm and tau_squared positive, got {theta:g}, {norm:g}, {tau_squared:g}"
        )
    return theta * (1 + norm**2 / tau_squared) / math.sqrt(1 - (theta / norm) ** 2)


def sharp_coupling_margin(theta: float, tau_squared: float, norm: float = 1.0) -> float:
    """Least margin that couples every such singleton: attained in the book, not in the paper.

    theta (1 + X / t) / sqrt(1 + 2 theta^2 / t + theta^2 X / t^2) with X = norm^2 and t = tau^2; parameters as
    in `coupling_margin`, which it never exceeds.

    Examples
    --------
    >>> sharp_coupling_margin(0.3, 0.5) < coupling_margin(0.3, 0.5)
    True
    """
    coupling_margin(theta, tau_squared, norm)  # the same arguments are allowed
    ratio = norm**2 / tau_squared
    return theta * (1 + ratio) / math.sqrt(1 + theta**2 * (2 + ratio) / tau_squared)


def _matrix(name: str, values: ArrayLike) -> Points:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or 0 in array.shape or not np.isfinite(array).all():
        raise ValueError(f"{name} must be a finite, non-empty matrix of points, got shape {array.shape}")
    return array


def _labelled(x: ArrayLike, y: ArrayLike) -> tuple[Points, NDArray[np.int64]]:
    points, labels = _matrix("x", x), np.asarray(y)
    if labels.shape != points.shape[:1] or not np.isin(labels, (-1, 1)).all():
        raise ValueError(f"y must be {len(points)} labels, each -1 or 1, got {labels!r:.80}")
    return points, labels
