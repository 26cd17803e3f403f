"""How the comparisons take the time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Return the processor time of a call, in which other work does not count, and what it returned."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def seconds(work: Callable[[], object], rounds: int = 1) -> float:
    """Return the least processor time of a call."""
    return min(timed(work)[0] for _ in range(rounds))
