"""Worlds a second: fast simulation against the plain one, for N = n elements and examples.

    python benchmarks/simulation.py

The plain way shuffles the frequencies of a Zipf prior, draws labels, draws the sample by `Generator.choice`,
and sums the mass of elements that the memorizer gets wrong.  Both ways take turns; the goal at
N = n = 50,000 is ten times as many worlds a second.  The making of tables counts for ours.
"""

from __future__ import annotations

import statistics

import numpy as np
import torch
from _provenance import save
from _timing import seconds
from longtail import FrequencyPrior
from longtail.learners import memorizer
from longtail.simulation import simulate
from longtail.worlds import draw_world

SIZES, CLASSES, ROUNDS, SEED = [500, 5_000, 50_000, 500_000], 10, 7, 0


def plain(prior: FrequencyPrior, n: int, rng: np.random.Generator) -> float:
    """One world, straightforwardly."""
    D, labels = rng.permutation(prior.frequencies), rng.integers(CLASSES, size=prior.N)
    sample, answers = rng.choice(prior.N, size=n, p=D), rng.integers(CLASSES, size=prior.N)
    answers[sample] = labels[sample]
    return float(D[answers != labels].sum())


def ours(prior: FrequencyPrior, n: int, rng: np.random.Generator) -> float:
    """One world with the book's classes, every object made."""
    world = draw_world(prior, CLASSES, rng)
    return world.error(memorizer(world.sample(n, rng), rng))


def row(N: int) -> dict[str, float | list[float]]:
    """Medians over rounds, and ratios within a round."""
    prior, rng = FrequencyPrior.zipf(N), np.random.default_rng(SEED)
    few, many = max(3, 500_000 // N), max(40, 20_000_000 // N)
    found = []
    for _ in range(ROUNDS):
        found.append(
            (
                1e3 * seconds(lambda: [plain(prior, N, rng) for _ in range(few)]) / few,
                1e3 * seconds(lambda: [ours(prior, N, rng) for _ in range(few)]) / few,
                1e3 * seconds(lambda: simulate(prior, N, CLASSES, memorizer, many, rng)) / many,
            )
        )
    one, objects, fast = (round(statistics.median(column), 4) for column in zip(*found, strict=True))
    ratios = [a / c for a, _, c in found]
    return {
        "N": N,
        "ms a world, plain": one,
        "ms a world, classes": objects,
        "ms a world, simulate": fast,
        "worlds a second": round(1e3 / fast),
        "plain / simulate": round(statistics.median(ratios), 1),
        "range": [round(min(ratios), 1), round(max(ratios), 1)],
    }


def main() -> None:
    """Measure, in one thread."""
    torch.set_num_threads(1)
    save(__file__, SEED, {"sizes": [row(N) for N in SIZES]}, "torch")


if __name__ == "__main__":
    main()
