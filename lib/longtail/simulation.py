"""Many worlds a second: errors of learners that go by counts, simulated from what matters alone.

A straightforward simulation shuffles the frequencies, draws labels, looks up every example, and asks the
learner about each element.  The first two do not change the law of the error: labels are uniform, and the
learner treats all elements alike.  Counts of common elements are one multinomial draw; rare elements are
looked up in Walker's alias table, at one random number an example.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from longtail import _checks
from longtail._checks import Seed
from longtail.learners import CountLearner
from longtail.priors import FrequencyPrior, check_listable

COMMON = 8  # elements expected so often are counted by a binomial draw each
AT_ONCE, AT_ONCE_ON_DEVICE = 1 << 18, 1 << 24  # counts held at a time: in the cache, and on a GPU


def alias_table(weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Make Walker's alias table of the law proportional to `weights` (Walker 1977, Vose 1991).

    Choose a column uniformly, keep it with its chance, or else go to its alias.

    Parameters
    ----------
    weights
        Positive, shape (k,).

    Returns
    -------
    keep, alias
        Chances and columns, shape (k,) each.

    Examples
    --------
    >>> keep, alias = alias_table(np.array([3.0, 1.0]))
    >>> keep, alias[1]
    (array([1. , 0.5]), np.int64(0))
    """
    keep = (weights * (weights.size / weights.sum())).tolist()
    alias = list(range(len(keep)))
    poor, rich = [i for i in alias if keep[i] < 1], [i for i in alias if keep[i] >= 1]
    while poor and rich:
        low, high = poor.pop(), rich[-1]
        alias[low] = high
        keep[high] -= 1 - keep[low]
        if keep[high] < 1:
            poor.append(rich.pop())
    for left in (*poor, *rich):  # one, up to rounding
        keep[left] = 1.0
    return np.array(keep), np.array(alias)


def simulate(
    prior: FrequencyPrior,
    n: int,
    classes: int,
    learner: CountLearner,
    worlds: int,
    seed: Seed = None,
    device: str = "cpu",
) -> NDArray[np.float64]:
    """Errors of a learner in independent worlds, each with a sample of its own.

    Exact in law, up to the rounding of random numbers: an error has the distribution that `draw_world`,
    `World.sample` and the learner give.  The fixed reading of the prior.

    Parameters
    ----------
    prior
        The frequency prior; a list of its N values is made.
    n
        Sample size, at least 1.
    classes
        Number of equally likely labels, at least 2.
    learner
        A learner that goes by how often an element was seen.
    worlds
        Number of worlds, at least 1.
    seed
        A seed or a `numpy.random.Generator`; the same seed gives other random numbers on another device.
    device
        A torch device.

    Returns
    -------
    ndarray, shape (worlds,)
        Errors in [0, 1].

    Examples
    --------
    >>> from longtail.learners import memorizer
    >>> zipf = FrequencyPrior.zipf(1000)
    >>> errors = simulate(zipf, 1000, 10, memorizer, worlds=400, seed=0)
    >>> bool(abs(errors.mean() - memorizer.error(zipf, 1000, 10)) < 4 * errors.std() / 20)
    True
    """
    n, m = _checks.whole("n", n, 1), _checks.whole("classes", classes, 2)
    worlds = _checks.whole("worlds", worlds, 1)
    if n >= 2**31:
        raise ValueError(f"n must be below 2**31, the largest count held, got {n}")
    check_listable(prior.N)
    sampler = _Sampler(prior, n, torch.device(device), np.random.default_rng(seed))
    tensor = partial(torch.tensor, dtype=torch.float32, device=device)
    found, wrong = [], tensor([1 - 1 / m])  # on an element seen 0, 1, ... times
    for first in range(0, worlds, sampler.worlds):
        counts, largest = sampler.counts(min(sampler.worlds, worlds - first))
        if largest >= len(wrong):
            more = [1 - learner.fit(l, m) for l in range(len(wrong), largest + largest // 4 + 1)]
            wrong = torch.cat([wrong, tensor(more)])
        found.append(sampler.errors(counts, wrong))
    return np.concatenate(found)


class _Sampler:
    """What all worlds share, and tensors that are used again and again: new ones would cost as much again."""

    def __init__(self, prior: FrequencyPrior, n: int, device: torch.device, rng: np.random.Generator) -> None:
        D = np.repeat(prior.frequencies, prior.multiplicities)
        common = int(np.searchsorted(-D, -COMMON / n))
        head = np.append(D[:common], D[common:].sum())
        self.n, self.rng, self.device, self.head = n, rng, device, head / head.sum()
        self.common, self.rare = common, D.size - common
        self.worlds = max(1, (AT_ONCE if device.type == "cpu" else AT_ONCE_ON_DEVICE) // D.size)
        self.random = torch.Generator(device).manual_seed(int(rng.integers(2**62)))
        self.D = torch.from_numpy(D).to(device)
        self._counts = self._new(self.worlds, D.size, dtype=torch.int32)
        self._chance, self._draw = self._new(2, self.worlds, D.size, dtype=torch.float32)
        self._wrong = self._new(self.worlds, D.size)
        if self.rare:
            keep, alias = alias_table(D[common:])
            self._keep = torch.from_numpy(keep).to(device)
            self._alias = torch.from_numpy(alias.astype(np.int32)).to(device)
        self._reserve(0)

    def _new(self, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
        return torch.empty(shape, dtype=dtype, device=self.device)

    def _reserve(self, size: int) -> None:
        self._u, self._kept = self._new(2, size)
        self._hit, self._other, self._one = self._new(3, size, dtype=torch.int32)
        self._one.fill_(1)

    def _uniform(self, out: Tensor) -> Tensor:
        """Fill with uniform random numbers, on the CPU by NumPy, which is twice as fast there."""
        if self.device.type == "cpu":
            array = out.numpy()
            self.rng.random(dtype=array.dtype, out=array)
            return out
        return out.uniform_(generator=self.random)

    def counts(self, worlds: int) -> tuple[Tensor, int]:
        """Counts of all elements in each world, shape (worlds, N), largest frequency first; the largest."""
        counts, often = self._counts[:worlds], self.rng.multinomial(self.n, self.head, size=worlds)
        counts[:, : self.common] = torch.from_numpy(often[:, :-1]).to(self.device)
        if not self.rare:
            return counts, int(often.max())
        rare, draws = counts[:, self.common :].zero_(), often[:, -1].tolist()
        elements = self._look_up(sum(draws)).split(draws)
        for world, drawn in zip(rare, elements, strict=True):
            world.index_add_(0, drawn, self._one[: len(drawn)])
        return counts, int(counts.max())

    def _look_up(self, draws: int) -> Tensor:
        """Draw rare elements: column and chance from one random number each."""
        if draws > len(self._u):
            self._reserve(draws + draws // 4)
        u, kept, hit, other = (a[:draws] for a in (self._u, self._kept, self._hit, self._other))
        hit.copy_(self._uniform(u).mul_(self.rare))
        torch.index_select(self._keep, 0, hit, out=kept)
        torch.index_select(self._alias, 0, hit, out=other)
        return torch.where(u.sub_(hit) < kept, hit, other, out=hit)

    def errors(self, counts: Tensor, chances: Tensor) -> NDArray[np.float64]:
        """Draw which elements are answered wrongly, with chances by count, and weigh them."""
        k = len(counts)
        chance, draw, wrong = self._chance[:k], self._draw[:k], self._wrong[:k]
        torch.index_select(chances, 0, counts.view(-1), out=chance.view(-1))
        torch.lt(self._uniform(draw), chance, out=wrong)
        return np.asarray((wrong @ self.D).cpu().numpy())
