"""Cost and error of tau in the iid reading, against the number of elements N = n, and against Monte Carlo.

    python benchmarks/iid_reading.py

The law of the normaliser is made anew for every N.  Its error is what the library itself estimates.  Monte
Carlo draws 300 worlds and averages D (1-D)^(n-1) and D times it; its standard error is what 300 worlds give.
Steep priors, whose laws need most atoms, follow.  The goal is 1e-8 for Zipf as far as N = 1e9.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from _provenance import save
from _timing import seconds, timed
from longtail import FrequencyPrior, tau
from longtail.moments import moments

SIZES, MOST, WORLDS, ROUNDS, SEED = [10**k for k in range(3, 10)], 10**5, 300, 5, 0
STEEP: dict[str, Callable[[], FrequencyPrior]] = {
    "geometric, N = 2,000": lambda: FrequencyPrior.geometric(2000),
    "Zipf, exponent 10, N = 1,000": lambda: FrequencyPrior.zipf(1000, 10),
    "Zipf, exponent 50, N = 1e6": lambda: FrequencyPrior.zipf(10**6, 50),
    "log-normal, sigma 3, N = 1e9": lambda: FrequencyPrior.lognormal(10**9, 3),
}


def monte_carlo(prior: FrequencyPrior, n: int) -> tuple[float, float]:
    """Tau and its standard error, relative to it."""
    rng, sums = np.random.default_rng(SEED), []
    for _ in range(WORLDS):
        D = prior.sample(rng, "iid")
        once = D * (1 - D) ** (n - 1)
        sums.append((once.sum(), (D * once).sum()))
    s0, s1 = np.array(sums).T
    ratio = s1.mean() / s0.mean()
    return ratio, float((s1 - ratio * s0).std(ddof=1) / np.sqrt(WORLDS) / s1.mean())


def row(make: Callable[[], FrequencyPrior], rounds: int) -> dict[str, Any]:
    """Cost and error of one prior."""
    prior = make()
    found: dict[str, Any] = {
        "N": prior.N,
        "milliseconds": round(1e3 * seconds(lambda: tau(make(), prior.N, 1, "iid"), rounds), 2),
        "atoms": prior.normaliser[0].size,
        "estimated relative error": float(f"{moments(prior, prior.N, 1, 'iid')[3]:.1g}"),
    }
    if prior.N <= MOST:
        drawn, (value, error) = timed(lambda: monte_carlo(prior, prior.N))
        found["milliseconds of Monte Carlo"] = round(1e3 * drawn)
        found["relative standard error of Monte Carlo"] = float(f"{error:.1g}")
        assert abs(value / tau(prior, prior.N, 1, "iid") - 1) < 4 * error
    return found


def main() -> None:
    """Measure, and hold against the goal."""
    zipf = [row(lambda N=N: FrequencyPrior.zipf(N), ROUNDS) for N in SIZES]  # type: ignore[misc]
    assert all(r["estimated relative error"] < 1e-8 for r in zipf), zipf
    save(__file__, SEED, {"Zipf": zipf, "steep": {name: row(make, 3) for name, make in STEEP.items()}})


if __name__ == "__main__":
    main()
