"""Leaving out every example once: pyDVL trains again, ours has a closed form.

    make bench

or, in an environment that has it, `PYTHONPATH=lib python benchmarks/pydvl_leave_one_out.py`.  pyDVL wants
other versions of its requirements than the book and is no part of its environment: without it this script
says so and stops.  Both leave each of the first 200, 400 and 800 images of Fashion-MNIST out
once, with nearest-neighbour classifiers.  They ask for different numbers then, pyDVL for the accuracy on 100
other images, ours for the label of the image itself; what is compared is the cost of leaving out.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable

import numpy as np
from _provenance import save
from _timing import seconds
from longtail import datasets, leave_one_out
from numpy.typing import NDArray

SIZES, TEST, NEIGHBOURS, ROUNDS = (200, 400, 800), 100, 5, 3


def by_pydvl(x: NDArray[np.float64], y: NDArray[np.int64], n: int) -> Callable[[], object]:
    """What pyDVL does to value n examples by leaving each of them out."""
    from pydvl.valuation import Dataset, LOOValuation, ModelUtility, SupervisedScorer  # type: ignore
    from sklearn.neighbors import KNeighborsClassifier

    train, test = Dataset(x[:n], y[:n]), Dataset(x[n : n + TEST], y[n : n + TEST])
    scorer = SupervisedScorer("accuracy", test, default=0.0)
    utility = ModelUtility(KNeighborsClassifier(NEIGHBOURS, algorithm="brute"), scorer, show_warnings=False)
    return lambda: LOOValuation(utility, progress=False).fit(train)


def main() -> None:
    """Measure at three sizes, or say what is missing."""
    warnings.simplefilter("ignore")
    try:
        import pydvl  # type: ignore # noqa: F401
    except ImportError:
        print("pyDVL is not installed here, nothing to compare; `make bench` tries to")
        sys.exit(0)
    images = datasets.fashion_mnist("train")
    x, y = images.inputs.astype(np.float64), images.labels.astype(np.int64)
    rows = []
    for n in SIZES:
        theirs = seconds(by_pydvl(x, y, n))
        ours = seconds(lambda n=n: leave_one_out.knn(x[:n], y[:n], NEIGHBOURS), ROUNDS)  # type: ignore[misc]
        rows.append({"n": n, "seconds": round(ours, 5), "seconds of pyDVL": round(theirs, 2)})
    save(__file__, 0, {"5 nearest": rows}, "pydvl", "scikit-learn")


if __name__ == "__main__":
    main()
