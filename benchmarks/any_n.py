"""Cost and error of tau for named priors, against the number of elements N = n from 1e3 to 1e12.

    python benchmarks/any_n.py

The rule on blocks of ranks is timed at every N, the list (built and summed) as far as 1e7; both include the
making of the prior.  Errors are relative to sums with 30 digits: a head term by term, then Euler-Maclaurin.
They are timed too.  The goal at N = 1e12 is less than 10 ms at an error of at most 1e-10.
"""

from __future__ import annotations

from collections.abc import Callable

import mpmath
from _provenance import save
from _timing import seconds, timed
from longtail import FrequencyPrior, series, singleton_fraction, tau
from longtail.smooth import SmoothPrior

SIZES, LONGEST_LIST, ROUNDS, SEED = [10**k for k in range(3, 13)], 10**7, 15, 0
HEAD, CUTS, DIGITS = 300, 40, 30
Value = Callable[[mpmath.mpf], mpmath.mpf]
PRIORS: dict[str, tuple[Callable[[int], list[series.Stretch]], Value]] = {
    "Zipf": (lambda N: series.zipf(N, 1.0), lambda i: 1 / i),
    "Zipf, exponent 1/2": (lambda N: series.zipf(N, 0.5), lambda i: 1 / mpmath.sqrt(i)),
    "Pareto, shape 2": (lambda N: series.pareto(N, 2.0), lambda i: 1 / mpmath.sqrt(i - 0.5)),
}


def precise_sum(f: Value, N: int) -> mpmath.mpf:
    """Sum of f(1), ..., f(N) for a smooth f."""
    a, b = mpmath.mpf(HEAD), mpmath.mpf(N)
    ends = [mpmath.log(a) + (mpmath.log(b) - mpmath.log(a)) * k / CUTS for k in range(CUTS + 1)]
    tail = mpmath.quad(lambda t: f(mpmath.exp(t)) * mpmath.exp(t), ends) + (f(a) + f(b)) / 2
    for k, c in ((1, 1 / mpmath.mpf(12)), (3, -1 / mpmath.mpf(720)), (5, 1 / mpmath.mpf(30240))):
        tail += c * (mpmath.diff(f, b, k, h=b / 10**5) - mpmath.diff(f, a, k, h=mpmath.mpf(1) / 10**3))
    return mpmath.fsum(f(mpmath.mpf(i)) for i in range(1, HEAD)) + tail


def reference(value: Value, N: int) -> tuple[float, float]:
    """Tau and the singletons' share of the sample at n = N."""
    with mpmath.workdps(DIGITS):
        total = precise_sum(value, N)

        def once(i: mpmath.mpf) -> mpmath.mpf:
            return value(i) / total * mpmath.exp((N - 1) * mpmath.log1p(-value(i) / total))

        s0 = precise_sum(once, N)
        return float(precise_sum(lambda i: once(i) * value(i) / total, N) / s0), float(s0)


def row(stretches: Callable[[int], list[series.Stretch]], value: Value, N: int) -> dict[str, float | None]:
    """Cost and errors at one N."""
    precise, (price, share) = timed(lambda: reference(value, N))
    prior, direct = SmoothPrior(stretches(N)), None
    if N <= LONGEST_LIST:
        direct = round(1e3 * seconds(lambda: tau(FrequencyPrior(series.listed(stretches(N))), N), 3), 3)
    return {
        "N": N,
        "milliseconds": round(1e3 * seconds(lambda: tau(SmoothPrior(stretches(N)), N), ROUNDS), 3),
        "milliseconds of the list": direct,
        "milliseconds of 30 digits": round(1e3 * precise),
        "nodes": sum(weights.size for _, weights in prior.odds(N, 1)),
        "relative error of tau": float(f"{abs(tau(prior, N) / price - 1):.2g}"),
        "relative error of singleton_fraction": float(f"{abs(singleton_fraction(prior, N) / share - 1):.2g}"),
    }


def main() -> None:
    """Measure every prior at every N."""
    results = {name: [row(*prior, N) for N in SIZES] for name, prior in PRIORS.items()}
    last = [rows[-1] for rows in results.values()]
    assert all(r["milliseconds"] < 10 and r["relative error of tau"] <= 1e-10 for r in last), last
    save(__file__, SEED, results, "mpmath")


if __name__ == "__main__":
    main()
