"""Prices of lists that do not fit into memory: every l in one pass over the values.

A list of a billion values need not be sorted or held.  One pass finds its total; a second one, block by
block, sums D^l (1-D)^(n-l) and D times it for all l that are asked for.  In odds o = D / (1 - D) a term is
o^l (1 + o)^-n: one logarithm and one exponential whatever the number of l, then a product for each l.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from longtail.price import _log_binomial, _sample_size
from longtail.priors import HUGE

Array: TypeAlias = NDArray[np.float64]
Sums: TypeAlias = tuple[Array, Array, Array]
Values: TypeAlias = "str | Path | ArrayLike | Callable[[], Iterable[ArrayLike]]"

BLOCK, DEVICE_BLOCK = 3 << 14, 1 << 22  # values worked on at once: in the cache, and on a GPU
SURVEYED = 1 << 16  # values summed at once
MOST = 256  # l below this go by powers, others by one more exponential each
SPAN = 600.0  # powers of values so far apart, in log, still fit into a float; exp(-700) would not


@dataclass(frozen=True)
class Spectrum:
    """What a sample of size n is expected to show of a list of frequencies, for several l.

    Attributes
    ----------
    l
        Numbers of occurrences, shape (k,), as they were asked for.
    tau
        Expected frequency of an element seen l times, shape (k,); see `longtail.tau`.
    expected_count
        Expected number of elements seen l times, shape (k,).
    mass
        Their expected mass, shape (k,).
    """

    l: NDArray[np.int64]
    tau: Array
    expected_count: Array
    mass: Array


def spectrum(values: Values, n: int, l: Sequence[int] | int = 1, device: str = "cpu") -> Spectrum:
    """Expected frequency, number and mass of the elements seen l times, for a list of any length.

    The fixed reading of `longtail.FrequencyPrior`, in two passes and bounded memory.

    Parameters
    ----------
    values
        An array, memory-mapped or not; the path of an ``.npy`` file, which is memory-mapped; or a function
        that returns the chunks of the list, called two or three times.  Non-negative, finite, not all
        zero, in any order.
    n
        Sample size, at least 1.
    l
        One number of occurrences or several, each in 0..n.
    device
        Where to compute, a torch device with 64-bit floats.

    Returns
    -------
    Spectrum

    Raises
    ------
    FileNotFoundError, ValueError
        If the file is missing, or a value or argument is not as above.

    Examples
    --------
    >>> values = 1 / np.arange(1, 50_001)
    >>> found = spectrum(values, n=50_000, l=[0, 1, 2])
    >>> (50_000 * found.tau[1]).round(6)
    np.float64(0.471676)
    """
    wanted = np.atleast_1d(np.asarray(l))
    if wanted.ndim != 1 or wanted.size == 0:
        raise ValueError(f"l must be a whole number or a non-empty list of them, got {l!r:.80}")
    ls = np.array([_sample_size(n, k.item())[1] for k in wanted])
    n, chunks, place = int(n), _chunks(values), torch.device(device)
    least, largest, rest = _survey(chunks())
    low, high = (_ratio(x, largest, rest) for x in (least, largest))
    span = math.log(high / low) if low else math.inf
    by_powers = (ls < MOST) & ((ls + 1) * span < SPAN)
    sums = np.empty((3, ls.size))
    if by_powers.any():
        blocks = _odds(chunks(), largest, rest, place)
        sums[:, by_powers] = _by_powers(blocks, low, high, n, ls[by_powers])
    if not by_powers.all():
        sums[:, ~by_powers] = _by_logarithms(_odds(chunks(), largest, rest, place), n, ls[~by_powers])
    scale, s0, s1 = sums
    counts = np.exp(scale + [_log_binomial(n, int(k)) for k in ls])
    return Spectrum(ls, s1 / s0, counts * s0, counts * s1)


def _ratio(value: float, largest: float, rest: float) -> float:
    return value / (max(rest, largest / HUGE) if value == largest else (largest - value) + rest)


def _chunks(values: Values) -> Callable[[], Iterable[ArrayLike]]:
    if callable(values):
        return values
    if isinstance(values, str | Path):
        if not Path(values).is_file():
            raise FileNotFoundError(f"no such file: {values}")
        values = np.load(values, mmap_mode="r", allow_pickle=False)
    array = np.asanyarray(values)  # keeps a memory map what it is
    return lambda: [array]


def _blocks(chunks: Iterable[ArrayLike], size: int) -> Iterator[NDArray[Any]]:
    """Cut chunks into blocks."""
    for chunk in chunks:
        array = np.asanyarray(chunk)
        if array.ndim != 1 or array.dtype.kind not in "fiu":
            raise ValueError(f"values must be lists of numbers, got {array.dtype} of shape {array.shape}")
        for start in range(0, len(array), size):
            yield array[start : start + size]


def _survey(chunks: Iterable[ArrayLike]) -> tuple[float, float, float]:
    """The least and the largest value, and the sum of the others, which may be 1e-12 of the whole."""
    least, largest, rest = math.inf, 0.0, 0.0
    for block in _blocks(chunks, SURVEYED):
        block = block.astype(np.float64, copy=False)
        top, low = int(block.argmax()), float(block.min())
        if not (low >= 0 and block[top] < math.inf):
            raise ValueError("values must be finite and non-negative; one of them is not")
        smaller, larger = sorted((largest, float(block[top])))
        rest += math.fsum((block[:top].sum(), block[top + 1 :].sum(), smaller))
        least, largest = min(least, low), larger
    if not 0 < largest + rest < math.inf:
        raise ValueError(f"values must have a positive, finite sum, got {largest + rest}")
    return least, largest, rest


def _odds(chunks: Iterable[ArrayLike], largest: float, rest: float, device: torch.device) -> Iterator[Tensor]:
    """Odds D / (1 - D), block by block; the tensors are used again and again."""
    size = BLOCK if device.type == "cpu" else DEVICE_BLOCK
    odds, others = torch.empty((2, size), dtype=torch.float64, device=device)
    host = odds if device.type == "cpu" else torch.empty(size, dtype=torch.float64)
    for block in _blocks(chunks, size):
        v, rests = odds[: len(block)], others[: len(block)]
        host[: len(block)].numpy()[:] = block
        if host is not odds:
            v.copy_(host[: len(block)])
        torch.sub(largest + rest, v, out=rests)
        if block.max() == largest:
            rests[v == largest] = max(rest, largest / HUGE)
        yield v.div_(rests)


def _by_powers(blocks: Iterator[Tensor], low: float, high: float, n: int, ls: Array) -> Sums:
    """(s, S_0, S_1) for each l < `MOST`, as in `longtail.moments`; odds lie between `low` and `high`.

    With u = (1 + o)^-(n+1) and A_k the sum of u o^k these are A_l + A_(l+1) and A_(l+1): nothing cancels.  A
    few powers of o / high, and all products of two of them at once, give A for all k.  Where a factor or a
    product underflows, the term of the least odds is larger by exp(100), as long as their powers fit.
    """
    first, last, bottom = int(ls.min()), int(ls.max()) + 1, (n + 1) * math.log1p(low)
    leap = max(1, math.isqrt(last - first))  # small powers 0..leap, large ones in steps of leap
    shape = -(-(last - first) // leap), leap + 1
    A, work = np.zeros(shape), None
    for odds in blocks:
        if work is None:
            work = odds.new_ones((sum(shape), len(odds)))  # the first block is the largest
        small, large = work[: leap + 1, : len(odds)], work[leap + 1 :, : len(odds)]
        torch.log1p(odds, out=large[0]).mul_(-(n + 1)).add_(bottom).exp_()
        x = torch.div(odds, high, out=small[1])
        if first:
            large[0] *= x if first == 1 else x**first
        for j in range(2, leap + 1):
            torch.mul(small[j - 1], x, out=small[j])
        for j in range(1, len(large)):
            torch.mul(large[j - 1], small[-1], out=large[j])
        A += (large @ small.T).cpu().numpy()
    k = ls.astype(int) - first
    sums = np.append(A[:, :-1], A[-1, -1])  # the last small power is the next large one
    s1 = sums[k + 1] * high
    return ls * math.log(high) - bottom, sums[k] + s1, s1


def _by_logarithms(blocks: Iterator[Tensor], n: int, ls: Array) -> Sums:
    """The same for any l, each block with a scale of its own: one more exponential for each l."""
    scale, s0, s1 = np.full(ls.size, -math.inf), np.zeros(ls.size), np.zeros(ls.size)
    for odds in blocks:
        logs, weight, share = odds.log(), odds.log1p().mul_(-n), odds / (1 + odds)
        for k, l in enumerate(ls):
            terms = logs.mul(l).add_(weight) if l else weight.clone()
            block = float(terms.max())
            top = max(block, scale[k])
            if top > -math.inf:
                old, terms = math.exp(scale[k] - top), terms.sub_(top).exp_()
                scale[k], s0[k] = top, s0[k] * old + float(terms.sum())
                s1[k] = s1[k] * old + float(terms @ share)
    return scale, s0, s1
