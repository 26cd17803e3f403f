"""Cost of prices of long lists: one pass for all l, against one exponential and one logarithm a value.

    python benchmarks/long_lists.py

The limit is one pass of exp and one of log1p by the fastest library at hand, block by block in the cache; it
is timed in turns with ours.  One l, four, and sixteen at once, for lists of up to a hundred million values,
and peak memory for a thousand million that are made chunk by chunk.
"""

from __future__ import annotations

import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from _provenance import save
from longtail import FrequencyPrior, tau
from longtail.streams import BLOCK, spectrum
from numpy.typing import NDArray

SIZES, ROUNDS, SEED, BILLION, CHUNK = [10**5, 10**6, 10**7, 10**8], 7, 0, 10**9, 1 << 20
MANY = {"one l": range(1, 2), "4 l": range(4), "16 l": range(16)}


def seconds(work: Callable[[], object]) -> float:
    """Processor time of one call (one thread)."""
    start = time.process_time()
    work()
    return time.process_time() - start


def limit(size: int) -> float:
    """Seconds for exp and log1p of so many values, by torch in the cache."""
    x = torch.linspace(1e-9, 1e-3, BLOCK, dtype=torch.float64)
    out, rounds = torch.empty_like(x), max(1, min(size, 10**7) // BLOCK)

    def both() -> None:
        for _ in range(rounds):
            torch.log1p(x, out=out)
            torch.exp(x, out=out)

    return seconds(both) * size / (rounds * BLOCK)


def row(size: int) -> dict[str, float]:
    """Medians over rounds: nanoseconds a value, and ratios within a round."""
    values = np.random.default_rng(SEED).pareto(1.1, size) + 1
    times: dict[str, list[float]] = {name: [] for name in ("limit", *MANY)}
    for _ in range(ROUNDS if size < 10**8 else 3):
        times["limit"].append(limit(size))
        for name, ls in MANY.items():
            times[name].append(seconds(lambda ls=ls: spectrum(values, size, ls)))
    ns = {name: round(1e9 * statistics.median(found) / size, 2) for name, found in times.items()}
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
    """Measure, in one thread."""
    torch.set_num_threads(1)
    with multiprocessing.get_context("spawn").Pool(1) as pool:  # so that its peak memory is its own
        last = pool.map(billion, [0])[0]
    save(__file__, SEED, {"lists": [row(size) for size in SIZES], "a thousand million": last}, "torch")


if __name__ == "__main__":
    main()
