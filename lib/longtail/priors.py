"""Frequency priors: how common the elements of an unstructured domain are (Feldman 2020, section 2)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from longtail import _checks, series
from longtail._checks import Reading, Seed
from longtail.measures import WIDTH, Measure, coarser, compress
from longtail.normaliser import law_of_sum, quotients

Array = NDArray[np.float64]

# Elements worked on at once: a few arrays stay in the cache, where those of a power of two are in the way.
BLOCK = 40_000
LISTED = 1 << 17  # named priors of more elements are summed without a list of their values
LARGEST_LIST = 1 << 27  # elements of a list that we are ready to make: 1 GB
HUGE = 1e300  # odds of an element that holds all the mass


class FrequencyPrior:
    """A list of N non-negative values from which the frequencies of N elements are made.

    Two readings of the list are in use.  *Fixed*: the frequencies are the values divided by their sum, in
    random order.  *iid*: every element draws its value from the list, with replacement, and the frequencies
    are the draws divided by their sum.

    Named priors (`zipf`, `uniform`, `geometric`, `lognormal`, `pareto`) may have up to 2**63 - 1 elements.
    With more than 2**17, `weight`, `tau` and the prices are sums by quadrature on the ranks, in a few
    milliseconds and right to 1e-10 (`longtail.series`).  What needs the list
    (`values`, `frequencies`, `sample`) makes it then, or raises `MemoryError` where it would take over 1 GB.

    Parameters
    ----------
    values
        Non-negative, finite, not all zero, in any unit and order.
    multiplicities
        How often each value stands in the list (default: once).

    Attributes
    ----------
    values : ndarray, shape (k,)
        The values, largest first.
    multiplicities : ndarray of int64, shape (k,)
        How often each of them stands in the list.
    N : int
        Length of the list: the size of the domain.

    Raises
    ------
    ValueError
        If a value is negative or not finite, if all are zero, or if a multiplicity is below 1 or not whole.

    Examples
    --------
    >>> FrequencyPrior([3, 1], multiplicities=[1, 2]).frequencies
    array([0.6, 0.2])
    """

    def __init__(self, values: ArrayLike, multiplicities: ArrayLike | None = None) -> None:
        array = _checks.vector("values", values)
        if not array.any():
            raise ValueError(f"values must not all be zero, got {array.size} zeros")
        if multiplicities is None:
            self.values = -np.sort(-array)
            self.multiplicities = np.broadcast_to(np.int64(1), array.shape)
            self._weights = np.broadcast_to(1.0, array.shape)  # takes no memory
        else:
            times = _checks.counts("multiplicities", multiplicities)
            if times.shape != array.shape or times.min() < 1:
                raise ValueError(f"multiplicities must be {array.size} whole numbers >= 1, got {times!r}")
            order = np.argsort(-array, kind="stable")
            self.values, self.multiplicities = array[order], times[order]
            self._weights = self.multiplicities.astype(np.float64)
            self.multiplicities.flags.writeable = False
        self.values.flags.writeable = False
        self.N = sum(self.multiplicities.tolist()) if multiplicities is not None else array.size
        # Scaling by a power of two is exact and keeps sums of values near the largest float finite.
        self._scale = math.ldexp(1.0, max(-1000, min(1000, -math.frexp(self.values[0])[1])))
        scaled = self.values * self._scale
        # The rest beside the largest element is summed, not subtracted: it may be 1e-12 of the whole.
        self._rest = float((scaled[1:] * self.multiplicities[1:]).sum())
        self._rest += float(scaled[0] * (self.multiplicities[0] - 1))
        self._total = self._rest + float(scaled[0])

    def __repr__(self) -> str:
        return f"FrequencyPrior(N={self.N}, values from {self.values[0]:.6g} down to {self.values[-1]:.6g})"

    @property
    def frequencies(self) -> Array:
        """Frequencies in the fixed reading, one for each entry of `values`, shape (k,)."""
        return self.values * self._scale / self._total

    # -- named priors ---------------------------------------------------------------------------------

    @classmethod
    def zipf(cls, N: int, exponent: float = 1.0) -> FrequencyPrior:
        """Values ``1 / i**exponent`` for i = 1..N, the archetype of a long tail.

        Examples
        --------
        >>> FrequencyPrior.zipf(3).frequencies.round(4)
        array([0.5455, 0.2727, 0.1818])
        """
        return cls._named(series.zipf(_size(N), _checks.real("exponent", exponent, 0, 1e6)))

    @classmethod
    def uniform(cls, N: int) -> FrequencyPrior:
        """N equal values: no tail, the sample teaches nothing about frequencies."""
        return cls([1.0], [_checks.whole("N", N, 1)])

    @classmethod
    def geometric(cls, N: int, ratio: float = 0.5) -> FrequencyPrior:
        """Values ``ratio**i`` for i = 1..N, 0 < ratio <= 1: a tail too short to matter."""
        return cls._named(series.geometric(_size(N), _checks.positive("ratio", ratio, 1)))

    @classmethod
    def lognormal(cls, N: int, sigma: float = 1.0) -> FrequencyPrior:
        """The N mid-quantiles of a log-normal law; `sigma` is the standard deviation of the logarithm."""
        return cls._named(series.lognormal(_size(N), _checks.real("sigma", sigma, 0, 1e6)))

    @classmethod
    def pareto(cls, N: int, shape: float = 1.0) -> FrequencyPrior:
        """The N mid-quantiles of a Pareto law whose survival function falls like ``x**-shape``, shape > 0."""
        return cls._named(series.pareto(_size(N), _checks.positive("shape", shape, 1e6)))

    @classmethod
    def two_point(cls, n: int, atypical: float = 0.5) -> FrequencyPrior:
        """Atypical elements of frequency 1/n beside outliers of frequency 1/n².

        In a sample of size n both kinds look alike, nearly all of them are seen once or never, but an
        atypical singleton is worth 1/n and an outlier 1/n².

        Parameters
        ----------
        n
            The sample size in whose eyes the two look alike, at least 2.
        atypical
            Mass of the atypical elements; the outliers hold the rest.  Strictly between 0 and 1, and such
            that both kinds have at least one member.

        Examples
        --------
        >>> FrequencyPrior.two_point(1000).multiplicities
        array([   500, 500000])
        """
        n, mass = _checks.whole("n", n, 2), _checks.real("atypical", atypical, 0, 1)
        members = [round(mass * n), round((1 - mass) * n**2)]
        if min(members) < 1:
            raise ValueError(f"atypical must leave at least one element of each kind, got {atypical}")
        return cls([1 / n, 1 / n**2], members)

    @classmethod
    def from_counts(cls, counts: ArrayLike) -> FrequencyPrior:
        """The empirical prior of real counts: one value for each subpopulation, zeros allowed.

        Examples
        --------
        >>> FrequencyPrior.from_counts([5, 1, 1, 3]).multiplicities
        array([1, 1, 2])
        """
        values, times = np.unique(_checks.counts("counts", counts), return_counts=True)
        return cls(values, times)

    @classmethod
    def _named(cls, stretches: list[series.Stretch]) -> FrequencyPrior:
        if sum(s.last for s in stretches) <= LISTED:
            return cls(series.listed(stretches))
        from longtail.smooth import SmoothPrior  # here, as it is a FrequencyPrior itself

        return SmoothPrior(stretches)

    # -- the marginal law of one frequency --------------------------------------------------------------

    def odds(self, n: int, l: int) -> Iterator[Measure]:
        """Blocks of the marginal law of one frequency D, in odds ``D / (1 - D)``, in the fixed reading.

        Odds keep 1 - D accurate for an element that holds nearly all the mass.

        Parameters
        ----------
        n, l
            What the law is for: the averages of D^l (1-D)^(n-l) and of D times it.  A long named prior yields
            a quadrature rule for these two; other priors yield every frequency.

        Yields
        ------
        odds, weights
            Shape (k,) each.
        """
        for start in range(0, self.values.size, BLOCK):
            odds = self.values[start : start + BLOCK] * self._scale
            others = self._total - odds
            if start == 0:
                others[0] = max(self._rest, float(odds[0]) / HUGE)
            odds /= others
            yield odds, self._weights[start : start + BLOCK]

    def iid_odds(self, n: int, l: int, halvings: int = 0, careful: bool = True) -> Iterator[Measure]:
        """The same in the iid reading, as a quadrature rule.

        Parameters
        ----------
        n, l
            As in `odds`.
        halvings
            How often to halve the bins of the laws of one value and of the sum of the others.
        careful
            If not, two nodes a bin less and no rare sums: what changes tells how much to trust the rest.
        """
        if self.N == 1:
            return self.odds(n, l)
        values, sums = self.iid_laws(halvings)
        if not careful:
            values, sums = (coarser(law, WIDTH / 2**halvings) for law in (values, sums))
        return quotients(values, sums, n, l)

    @property
    def normaliser(self) -> Measure:
        """Law of the sum of the other N - 1 values in the iid reading (values scaled to a maximum near 1)."""
        return self.iid_laws()[1]

    def iid_laws(self, halvings: int = 0) -> tuple[Measure, Measure]:
        """Laws of one draw (times N) and of the sum of the others, in bins of a width halved so often."""
        if self.N == 1:
            raise ValueError("reading='iid' needs N >= 2 for a sum of others, got N = 1")
        if halvings not in self._laws:
            width = WIDTH / 2**halvings
            values, p = compress(*self._single, width=width)
            self._laws[halvings] = (values, self.N * p), law_of_sum(self._single, self.N - 1, width)
        return self._laws[halvings]

    @cached_property
    def _laws(self) -> dict[int, tuple[Measure, Measure]]:
        return {}

    @property
    def _single(self) -> Measure:
        """Law of one draw from the list, values scaled; in a long named prior a rule for smooth functions."""
        return self._draws()

    def _draws(self) -> Measure:
        if self.values[-1] == 0:
            raise ValueError(
                "values must be positive for reading='iid' (a draw of all zeros has no sum), got 0"
            )
        return self.values * self._scale, self.multiplicities / self.N

    def weight(self, low: float, high: float, reading: Reading = "fixed") -> float:
        """Expected mass of the elements whose frequency lies in ``[low, high]`` (Feldman 2020, section 2.2).

        Parameters
        ----------
        low, high
            Ends of the interval, ``0 <= low <= high``, both included.
        reading
            In the iid reading the answer is right up to about one element's mass at the ends.

        Examples
        --------
        >>> round(FrequencyPrior.zipf(3).weight(0.2, 1), 4)
        0.8182
        """
        low = _checks.real("low", low, 0)
        high = _checks.real("high", high, low)
        if _checks.reading(reading) == "fixed" or self.N == 1:
            return self._between(low, high)
        return float(
            sum(q * self._between(low, high, rest) for rest, q in zip(*self.normaliser, strict=True))
        )

    def _between(self, low: float, high: float, rest: float | None = None) -> float:
        """Sum of the frequencies in [low, high]; with `rest`, of each value's share beside it instead."""
        values = self.values * self._scale
        alpha = values / (self._total if rest is None else values + rest)
        return float(np.where((low <= alpha) & (alpha <= high), alpha, 0) @ self.multiplicities)

    def sample(self, seed: Seed = None, reading: Reading = "fixed") -> Array:
        """Draw the frequencies D of all N elements.

        Parameters
        ----------
        seed
            A seed or a `numpy.random.Generator`.
        reading
            ``"fixed"`` shuffles the list, ``"iid"`` draws from it with replacement.

        Returns
        -------
        ndarray, shape (N,)
            Frequencies that sum to one.
        """
        rng = np.random.default_rng(seed)
        check_listable(self.N)
        if _checks.reading(reading) == "fixed":
            return rng.permutation(np.repeat(self.frequencies, self.multiplicities))
        values, p = self._draws()
        draws = rng.choice(values, size=self.N, p=p)
        return np.asarray(draws / draws.sum())


def check_listable(N: int) -> None:
    """Refuse to make lists of N numbers that few machines can hold."""
    if N > LARGEST_LIST:
        raise MemoryError(
            f"N must be at most {LARGEST_LIST} for a list of all frequencies, got {N}: it takes"
            f" {8 * N / 1e9:.3g} GB (weight, tau and the prices do without)"
        )


def _size(N: int) -> int:
    size = _checks.whole("N", N, 1)
    if size >= 2**63:
        raise ValueError(f"N must be below 2**63, got {size}")
    return size
