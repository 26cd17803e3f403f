"""Prices of lists that do not fit into memory: every l in one pass over the values.

A list of a billion values need not be sorted or held.  One pass finds its total; a second one, block by
block, sums D^l (1-D)^(n-l) and D times it for all l that are asked for.  In odds o = D / (1 - D) a term is
o^l (1 + o)^-n: one logarithm and one exponential whatever the number of l, then a product for each l.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from longtail.moments import _power
from longtail.price import _log_binomial, _sample_size
from longtail.priors import BLOCK, HUGE

if TYPE_CHECKING:
    import torch

Array: TypeAlias = NDArray[np.float64]
Sums: TypeAlias = tuple[Array, Array, Array]
Values: TypeAlias = "str | Path | ArrayLike | Callable[[], Iterable[ArrayLike]]"

DEVICE_BLOCK = 1 << 22  # values worked on at once by a GPU
SURVEYED = 1 << 16  # values summed at once
MOST = 256  # l below this go by powers of the odds, others by logarithms
SURE = 1e-280  # sums of powers above this have lost nothing to underflow


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
        Where to compute: ``"cpu"`` (by NumPy) or a torch device with 64-bit floats, such as ``"cuda"``.

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
    n, chunks = int(n), _chunks(values)
    place = _place(device)
    odds = _Odds(chunks, *_survey(chunks()), place)
    sums, done = np.empty((3, ls.size)), np.zeros(ls.size, dtype=bool)
    with np.errstate(all="ignore"):  # small terms vanish, zeros too when l > 0; overflow is noticed
        if (few := ls < MOST).any():
            sums[:, few] = _by_powers(odds, n, ls[few])
            done = few & np.isfinite(sums).all(axis=0)
        if not done.all():
            sums[:, ~done] = _by_logarithms(odds, n, ls[~done])
    scale, s0, s1 = sums
    counts = np.exp(scale + [_log_binomial(n, int(k)) for k in ls])
    return Spectrum(ls, s1 / s0, counts * s0, counts * s1)


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


def _place(device: str) -> torch.device | None:
    """The device of torch, or None where NumPy computes."""
    if device == "cpu":
        return None
    import torch

    try:
        return torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"device must be 'cpu' or a device of torch, got {device!r}") from error


def _survey(chunks: Iterable[ArrayLike]) -> tuple[float, float, int]:
    """The largest value, the sum of the others, which may be 1e-12 of the whole, and how many there are."""
    largest, rest, number = 0.0, 0.0, 0
    for block in _blocks(chunks, SURVEYED):
        block = np.ascontiguousarray(block, dtype=np.float64)
        number += block.size
        # The bits of floats that are not negative are in the order of the floats, all others are above.
        top = float(block.view(np.uint64).max().view(np.float64))
        if not 0 < top < math.inf and not (block.min() >= 0 and (top := float(block.max())) < math.inf):
            raise ValueError("values must be finite and non-negative; one of them is not")
        others = float(block.sum())
        if others < 2 * top:  # the difference would cancel
            first = int(block.argmax())
            others = float(block[:first].sum() + block[first + 1 :].sum())
        else:
            others -= top
        smaller, larger = sorted((largest, top))
        largest, rest = larger, rest + others + smaller
    if not 0 < largest + rest < math.inf:
        raise ValueError(f"values must have a positive, finite sum, got {largest + rest}")
    return largest, rest, number


@dataclass
class _Odds:
    """Odds D / (1 - D) of all values, block by block, by the library that computes on a device."""

    chunks: Callable[[], Iterable[ArrayLike]]
    largest: float
    rest: float
    number: int
    place: torch.device | None

    def __post_init__(self) -> None:
        self.library: Any = np
        self.load: Callable[[ArrayLike], Any] = partial(np.asarray, dtype=np.float64)
        self.size = BLOCK
        if self.place:
            import torch

            self.library = torch
            self.load = partial(torch.tensor, dtype=torch.float64, device=self.place)
            self.size = BLOCK if self.place.type == "cpu" else DEVICE_BLOCK

    def blocks(self, rows: int, row: int) -> Iterator[Any]:
        """Arrays with the odds in one row, anything in row 0, and ones in others at first: one memory."""
        work, total, number = self.load(np.ones((rows, self.size))), self.largest + self.rest, 0
        for block in _blocks(self.chunks(), self.size):
            values, part = self.load(block), work[:, : len(block)]
            self.library.subtract(total, values, out=part[0])
            if self.rest < self.largest:  # else nothing cancels
                part[0][values == self.largest] = max(self.rest, self.largest / HUGE)
            self.library.divide(values, part[0], out=part[row])
            number += len(block)
            yield part
        if number != self.number:
            raise ValueError(f"values must give the same chunks each time, got {self.number}, then {number}")


def _by_powers(odds: _Odds, n: int, ls: Array) -> Sums:
    """(s, S_0, S_1) for each l, as in `longtail.moments`, or nan where floats are not enough.

    With u = (1 + o)^-(n+1) and A_k the sum of u o^k these are A_l + A_(l+1) and A_(l+1): nothing cancels.  A
    few powers of o, and all products of two of them at once, give A for all k.  What underflows on the way is
    a term below 1e-300, times the largest power.
    """
    first, last = int(ls.min()), int(ls.max()) + 1
    leap = max(1, math.isqrt(last - first))  # small powers 0..leap, large ones in steps of leap
    steps, library = -(-(last - first) // leap), odds.library
    A, top = np.zeros((steps, leap)), 0.0
    for work in odds.blocks(steps + leap + 1, steps + 1):
        large, small = work[:steps], work[steps:]
        u, o = large[0], small[1]
        library.log1p(o, out=u)
        u *= -(n + 1)
        library.exp(u, out=u)
        if first:
            u *= _power(o, first)
        for j in range(2, leap + 1):
            library.multiply(small[j - 1], o, out=small[j])
        for j in range(1, steps):
            library.multiply(large[j - 1], small[-1], out=large[j])
        A += np.array((large @ small[:-1].T).tolist())
        top += float(large[-1] @ small[-1])
    high = odds.largest / max(odds.rest, odds.largest / HUGE)
    sums = np.append(A, top)
    sums[~(sums > SURE * np.power(max(1.0, high), float(last)))] = math.nan
    k = ls.astype(int) - first
    return np.zeros(ls.size), sums[k] + sums[k + 1], sums[k + 1]


def _by_logarithms(odds: _Odds, n: int, ls: Array) -> Sums:
    """The same for any l, each block with a scale of its own: one more exponential for each l."""
    scale, s0, s1 = np.full(ls.size, -math.inf), np.zeros(ls.size), np.zeros(ls.size)
    library = odds.library
    for _, o in odds.blocks(2, 1):
        logs, weight, share = library.log(o), library.log1p(o) * -n, o / (1 + o)
        for k, l in enumerate(ls.tolist()):
            terms = logs * l + weight if l else weight
            top = max(float(terms.max()), scale[k])
            if top > -math.inf:
                old, terms = math.exp(scale[k] - top), library.exp(terms - top)
                scale[k], s0[k] = top, s0[k] * old + float(terms.sum())
                s1[k] = s1[k] * old + float(terms @ share)
    return scale, s0, s1
