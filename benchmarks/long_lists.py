"""Cost of prices of long lists: one pass for all l, against one exponential and one logarithm a value.

    python benchmarks/long_lists.py

The limit is one pass over the list that takes log1p and exp of every value, block by block so that results
stay in the cache, by the faster of NumPy and torch (NumPy, by almost two); it is timed in turns with ours.
Plain NumPy, the formula as it is written, is timed beside them.  The goals: at most twice the limit for one
l, at most 1.5 times one l for sixteen at once.  Lists of up to a hundred million values, and peak memory for
a thousand million that are made chunk by chunk.
"""

from __future__ import annotations

import multiprocessing
import resource
import statistics
import time
from collections.abc import Iterator

import numpy as np
from _provenance import save
from _timing import seconds
from longtail import FrequencyPrior, tau
from longtail.priors import BLOCK
from longtail.streams import spectrum
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

PLAIN = 10**7  # the longest list for plain NumPy, which makes four arrays of its size
SIZES, ROUNDS, SEED, BILLION, CHUNK = [10**5, 10**6, 10**7, 10**8], 7, 0, 10**9, 1 << 20
MANY = {"one l": range(1, 2), "4 l": range(4), "16 l": range(16)}


def limit(values: NDArray[np.float64]) -> float:
    """Seconds for one log1p and one exp of every value."""
    out = np.empty(BLOCK)

    def both() -> None:
        for start in range(0, values.size, BLOCK):
            block = values[start : start + BLOCK]
            np.log1p(block, out=out[: block.size])
            np.exp(block, out=out[: block.size])

    return seconds(both)


def plain(values: NDArray[np.float64], n: int) -> float:
    """Tau as it is written, with arrays for everything."""
    alpha = values / values.sum()
    once = alpha * (1 - alpha) ** (n - 1)
    return float((alpha * once).sum() / once.sum())


def row(size: int) -> dict[str, float]:
    """Medians over rounds: nanoseconds a value, and ratios within a round."""
    values = np.random.default_rng(SEED).pareto(1.1, size) + 1
    values /= values.sum()
    times: dict[str, list[float]] = {name: [] for name in ("limit", "plain NumPy", *MANY)}
    for _ in range(ROUNDS if size < 10**8 else 5):
        times["limit"].append(limit(values))
        if size <= PLAIN:
            times["plain NumPy"].append(seconds(lambda: plain(values, size)))
        for name, ls in MANY.items():
            times[name].append(seconds(lambda ls=ls: spectrum(values, size, ls)))
    ns = {name: round(1e9 * statistics.median(found) / size, 2) for name, found in times.items() if found}
    pairs = {"one l / limit": ("one l", "limit"), "16 l / one l": ("16 l", "one l")}
    ratios = {
        name: round(statistics.median(a / b for a, b in zip(times[x], times[y], strict=True)), 2)
        for name, (x, y) in pairs.items()
    }
    return {"N": size, **ns, **ratios}


def chunks() -> Iterator[NDArray[np.float64]]:
    """A Zipf list of a thousand million values."""
    for first in range(1, BILLION + 1, CHUNK):
        yield 1.0 / np.arange(first, min(first + CHUNK, BILLION + 1))


def billion(_: int) -> dict[str, float]:
    """Sixteen l of a list that fits into no memory here, beside the rule for named priors."""
    start = time.perf_counter()
    found = spectrum(chunks, BILLION, range(16))
    passed = time.perf_counter() - start
    zipf = FrequencyPrior.zipf(BILLION)
    return {
        "N": BILLION,
        "seconds by the clock": round(passed, 1),
        "peak memory, MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "largest relative difference to the named prior": float(
            f"{max(abs(found.tau[l] / tau(zipf, BILLION, l) - 1) for l in range(16)):.2g}"
        ),
    }


def main() -> None:
    """Measure."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:  # so that its peak memory is its own
        last = pool.map(billion, [0])[0]
    with threadpool_limits(1):  # a second one would wait busily, and its time count
        lists = [row(size) for size in SIZES]
    save(__file__, SEED, {"lists": lists, "a thousand million": last})


if __name__ == "__main__":
    main()
