"""Time exact leave-one-out memorization in closed form against training n times.

    python benchmarks/leave_one_out.py

2,000 images of Fashion-MNIST.  Training again is timed on a few examples, evenly spread, and counted for
all; both ways must agree on those.  One thread, seconds of the processor, medians of rounds in turns.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import partial

import numpy as np
import scipy.linalg
from _provenance import save
from _timing import timed
from longtail import datasets, leave_one_out
from longtail.leave_one_out import LeaveOneOut
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier
from threadpoolctl import threadpool_limits

N, REFITS, ROUNDS, PENALTY = 2000, 10, 15, 10.0
Floats = NDArray[np.float64]
Refit = Callable[[Floats, NDArray[np.int64], Floats], int]


def refit_knn(k: int, x: Floats, y: NDArray[np.int64], point: Floats) -> int:
    """Train scikit-learn's classifier, answer one point."""
    return int(KNeighborsClassifier(k, algorithm="brute").fit(x, y).predict(point[None])[0])


def refit_ridge(x: Floats, y: NDArray[np.int64], point: Floats) -> int:
    """Solve the normal equations, answer one point."""
    gram = x.T @ x + PENALTY * np.eye(x.shape[1])
    return int((point @ scipy.linalg.solve(gram, x.T @ np.eye(10)[y], assume_a="pos")).argmax())


def refit_kernel(x: Floats, y: NDArray[np.int64], point: Floats) -> int:
    """Solve with the matrix of kernel values, answer one point."""
    dual = scipy.linalg.solve(gaussian(x, x) + PENALTY * np.eye(len(x)), np.eye(10)[y], assume_a="pos")
    return int((gaussian(point[None], x) @ dual).argmax())


def gaussian(a: Floats, b: Floats) -> Floats:
    """Gaussian kernel of width sqrt(d)."""
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    return np.asarray(np.exp(-squares / (2 * a.shape[1])))


def compare(
    closed: Callable[[], LeaveOneOut], refit: Refit, x: Floats, y: NDArray[np.int64]
) -> dict[str, object]:
    """Time both in turns; the ratio counts all n trainings."""
    chosen = np.linspace(0, N - 1, REFITS).astype(int)

    def again() -> list[bool]:
        return [refit(np.delete(x, i, 0), np.delete(y, i), x[i]) == y[i] for i in chosen]

    ours, theirs = [], []
    for _ in range(ROUNDS):
        fast, result = timed(closed)
        slow, answers = timed(again)
        assert answers == result.correct_without[chosen].tolist()
        ours.append(fast)
        theirs.append(slow * N / REFITS)
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    return {
        "seconds": round(statistics.median(ours), 3),
        "seconds of training n times": round(statistics.median(theirs), 1),
        "ratio": round(statistics.median(ratios)),
        "range": [round(min(ratios)), round(max(ratios))],
    }


def main() -> None:
    """Measure three learners."""
    images = datasets.fashion_mnist("train")
    x, y = images.inputs[:N].astype(np.float64), images.labels[:N].astype(np.int64)
    with threadpool_limits(1):
        results = {
            **{
                f"{k} nearest": compare(partial(leave_one_out.knn, x, y, k), partial(refit_knn, k), x, y)
                for k in (1, 5)
            },
            "ridge": compare(lambda: leave_one_out.ridge(x, y, PENALTY), refit_ridge, x, y),
            "kernel ridge": compare(
                lambda: leave_one_out.kernel_ridge(gaussian(x, x), y, PENALTY), refit_kernel, x, y
            ),
        }
    save(__file__, 0, results, "scikit-learn")


if __name__ == "__main__":
    main()
