"""Time `tau` on a list of ten million values against one pass of exp and one of log1p over it.

    python benchmarks/tau_of_a_list.py

A formula whose terms are powers cannot do with less than those two passes, and whatever comes on top should
cost no more than they do: the goal is 2.  `spectrum` comes closer (`long_lists`), with powers and without
a scale for each block; `tau` keeps twelve digits where that loses them, at l = n = 1e9.  The two are timed in
turns, so that a busy machine slows both.
"""

from __future__ import annotations

import statistics

import numpy as np
from _provenance import save
from _timing import seconds
from longtail import FrequencyPrior, tau

SIZE, ROUNDS, SEED = 10_000_000, 9, 0


def main() -> None:
    """Measure the ratio for several l and n."""
    values = np.random.default_rng(SEED).pareto(1.1, SIZE) + 1
    prior = FrequencyPrior(values)
    small, out = -prior.frequencies, np.empty(SIZE)
    results = {}
    for l, n in ((0, SIZE), (1, SIZE), (5, SIZE), (1, 1000)):
        ratios = []
        for _ in range(ROUNDS):
            passes = seconds(lambda: np.exp(small, out=out)) + seconds(lambda: np.log1p(small, out=out))
            ratios.append(seconds(lambda n=n, l=l: tau(prior, n, l)) / passes)
        results[f"l={l}, n={n}"] = {
            "median ratio": round(statistics.median(ratios), 2),
            "range": [round(min(ratios), 2), round(max(ratios), 2)],
        }
    save(__file__, SEED, results)


if __name__ == "__main__":
    main()
