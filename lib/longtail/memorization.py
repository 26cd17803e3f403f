"""Memorization and influence of training examples, measured by subsampling (Feldman and Zhang 2020).

mem(i) is the chance that a model classifies example i rightly when it was trained on it, minus the
chance when it was not; infl(i, j) is the same difference on a test example j.  Every estimate has its
standard error.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import hypergeom

from longtail import _checks, shards
from longtail.ensembles import (
    Dataset,
    Members,
    Model,
    Recipe,
    check_data,
    initial_module,
    subset_size,
    train_members,
)
from longtail.training import Path as Route
from longtail.training import choose_path

Floats: TypeAlias = NDArray[np.float64]
Source: TypeAlias = Dataset | Callable[[], Dataset]

FITTED = 0.99  # train accuracy below which a member is said not to have fitted its data


class Difference(NamedTuple):
    """Estimated differences of two chances with standard errors; NaN where one of them was never observed."""

    value: Floats
    se: Floats


class Pairs(NamedTuple):
    """Pairs of a training and a test example whose influence survives the correction for many tests.

    Attributes
    ----------
    train, test
        Numbers of the examples, most influential pair first.
    value, se
        Estimated influence and its standard error.
    p_value
        One-sided p-value of the exact test that using the one is unrelated to answering the other.
    """

    train: NDArray[np.int64]
    test: NDArray[np.int64]
    value: Floats
    se: Floats
    p_value: Floats


@dataclass(frozen=True)
class Memorization:
    """What an ensemble says about every example.

    Attributes
    ----------
    learned
        Which examples each of the T members was trained on, and which it classifies rightly.
    members
        Seed and number of each member, shape (T, 2).
    run_id
        Fingerprint of data, model and recipe, without the seed: runs that agree in it can be merged.
    """

    learned: Members
    members: NDArray[np.int64]
    run_id: str

    @property
    def n_in(self) -> NDArray[np.int64]:
        """How many members were trained on each example, shape (n,)."""
        return np.asarray(self.learned.inside.sum(axis=0))

    @property
    def n_out(self) -> NDArray[np.int64]:
        """How many members were not, shape (n,)."""
        return len(self.members) - self.n_in

    @property
    def memorization(self) -> Floats:
        """Memorization score of each training example, shape (n,); NaN where one side was never observed."""
        return self._memorization.value

    @property
    def memorization_se(self) -> Floats:
        """Standard errors of `memorization`, shape (n,)."""
        return self._memorization.se

    @property
    def train_accuracy(self) -> Floats:
        """Accuracy of each member on its own training examples, shape (T,)."""
        inside, correct, _ = self.learned
        return np.asarray((correct & inside).sum(axis=1) / inside.sum(axis=1))

    @property
    def test_accuracy(self) -> Floats:
        """Accuracy of each member on the test data, shape (T,)."""
        return np.asarray(self.learned.correct_test.mean(axis=1))

    @property
    def warnings(self) -> list[str]:
        """What a reader of the scores should know: members that did not fit, examples without a score."""
        slow, T = int((self.train_accuracy < FITTED).sum()), len(self.members)
        missing = int(np.isnan(self.memorization).sum())
        found = [f"{slow} of {T} members fit less than {FITTED:.0%} of their data"] if slow else []
        return found + ([f"{missing} examples were never held out, or never used"] if missing else [])

    @property
    def _memorization(self) -> Difference:
        inside, correct, _ = self.learned
        hits_in, hits = (correct & inside).sum(axis=0), correct.sum(axis=0)
        return difference(hits_in, self.n_in, hits - hits_in, self.n_out)

    def influence(self, test: slice | NDArray[np.int64] = slice(None)) -> Difference:
        """Influence of every training example on the test examples named, shape (n, len(test)) each."""
        hits_in, hits = self._hits(test)
        return difference(hits_in, self.n_in[:, None], hits - hits_in, self.n_out[:, None])

    def _hits(self, test: slice | NDArray[np.int64]) -> tuple[Floats, Floats]:
        """Count right answers of members trained on each example, (n, tests), and of all, (tests,)."""
        answers = self.learned.correct_test[:, test].astype(np.float32)
        hits_in = self.learned.inside.T.astype(np.float32) @ answers  # exact below 2**24
        return hits_in.astype(np.float64), answers.sum(axis=0, dtype=np.float64)

    def influence_pairs(self, level: float = 0.05, block: int = 500) -> Pairs:
        """Pairs whose influence is positive beyond doubt: false discovery rate at most `level`.

        Each pair is tested exactly (hypergeometric law: given how often an example was used and how often the
        test example was answered rightly, which members did both is arbitrary if unrelated), then all
        n times n_test tests are corrected by Benjamini and Yekutieli, valid under any dependence.

        Parameters
        ----------
        level
            False discovery rate.
        block
            Test examples worked on at once; memory grows with n times `block`.
        """
        level, block = _checks.real("level", level, 0, 1), _checks.whole("block", block, 1)
        tests = self.learned.correct_test.shape[1]
        count = self.n_in.size * tests
        harmonic = np.log(count) + np.euler_gamma + 1 / (2 * count)
        blocks = np.split(np.arange(tests), range(block, tests, block))
        found = [self._candidates(test, level / harmonic) for test in blocks]
        pairs = Pairs._make(np.concatenate(column) for column in zip(*found, strict=True))
        order = np.argsort(pairs.p_value, kind="stable")
        passed = pairs.p_value[order] <= level * np.arange(1, order.size + 1) / (count * harmonic)
        kept = order[: np.flatnonzero(passed).max(initial=-1) + 1]
        kept = kept[np.argsort(-pairs.value[kept], kind="stable")]
        return Pairs._make(column[kept] for column in pairs)

    def _candidates(self, test: NDArray[np.int64], cut: float) -> Pairs:
        """Pairs with these test examples that are worth a second look: an exact test for each is slow."""
        (hits_in, hits), (value, se) = self._hits(test), self.influence(test)
        i, j = np.nonzero(value > 2.5 * se)
        p = np.asarray(hypergeom.sf(hits_in[i, j] - 1, len(self.members), hits[j], self.n_in[i]))
        kept = p <= cut
        i, j = i[kept], j[kept]
        return Pairs(i, test[j], value[i, j], se[i, j], np.asarray(p[kept]))

    def merge(self, other: Memorization) -> Memorization:
        """Join two runs of the same data, model and recipe with different seeds or members.

        Raises
        ------
        ValueError
            If the runs do not agree, or share a member.
        """
        if self.run_id != other.run_id:
            raise ValueError(f"runs must agree in data, model and recipe, got {self.run_id}, {other.run_id}")
        members = np.concatenate([self.members, other.members])
        if len(np.unique(members, axis=0)) < len(members):
            raise ValueError("runs must not share a member, got the same seed and number twice")
        return Memorization(_join([self.learned, other.learned]), members, self.run_id)

    def save(self, path: str | Path) -> None:
        """Write an `.npz` file with the bits of all members, and the scores under the field's names.

        ``tr_mem`` is the memorization, as in the files of Feldman and Zhang, beside it ``tr_mem_se``.
        """
        scores = {"tr_mem": self.memorization, "tr_mem_se": self.memorization_se}
        shards.save(Path(path), {**_pack(self.learned), "members": self.members, **scores}, self.run_id)

    @classmethod
    def load(cls, path: str | Path) -> Memorization:
        """Read a file that `save` wrote; its checksum is verified."""
        stored = shards.load(Path(path))
        if stored is None or "members" not in stored:
            raise ValueError(f"path must name a file that `save` wrote, got {path}")
        members = np.asarray(stored["members"], dtype=np.int64)
        return cls(_unpack(stored), members, str(stored["identity"]))


def _pack(learned: Members) -> shards.Arrays:
    bits = {name: np.packbits(part, axis=1) for name, part in learned._asdict().items()}
    return {**bits, "widths": np.array([part.shape[1] for part in learned])}


def _unpack(arrays: shards.Arrays) -> Members:
    widths = arrays["widths"].astype(int)
    bits = (arrays[name].astype(np.uint8) for name in Members._fields)
    return Members(
        *(np.unpackbits(b, axis=1, count=w).astype(bool) for b, w in zip(bits, widths, strict=True))
    )


def _join(parts: Sequence[Members]) -> Members:
    return Members(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def difference(
    hits_in: NDArray[np.integer | np.floating],
    n_in: NDArray[np.integer],
    hits_out: NDArray[np.integer | np.floating],
    n_out: NDArray[np.integer],
) -> Difference:
    """Difference of two shares of hits, with its standard error.

    The variance of a share is taken at (hits + 1/2) / (n + 1): ten hits of ten do not count as certain.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        value = hits_in / n_in - hits_out / n_out
        variance = np.zeros(np.shape(value))
        for hits, n in ((hits_in, n_in), (hits_out, n_out)):
            share = (hits + 0.5) / (n + 1)
            variance += share * (1 - share) / n
    missing = (n_in == 0) | (n_out == 0)
    return Difference(np.where(missing, np.nan, value), np.where(missing, np.nan, np.sqrt(variance)))


def subsample_memorization(
    dataset: Source,
    model: Model,
    n_models: int,
    fraction: float = 0.7,
    recipe: Recipe | None = None,
    seed: int = 0,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    path: Route = "auto",
    executor: Executor | None = None,
    store: str | Path | None = None,
    shard: int = 32,
) -> Memorization:
    """Train an ensemble and measure memorization and influence (Feldman and Zhang 2020, section 2.2).

    Parameters
    ----------
    dataset
        The data, or a function that returns them; processes of an executor then load them once each.
    model
        Builds a module, see `longtail.ensembles.train_members`; picklable if there is an executor.
    n_models
        Number of members, at least 2.
    fraction, recipe, seed, device, dtype, path
        As in `longtail.ensembles.train_members`.
    executor
        Any `concurrent.futures.Executor`; the result does not depend on it.
    store
        Folder for finished shards: a run that was stopped, or wants more members, goes on from there.
    shard
        Members in one piece of work; memory grows with it.

    Examples
    --------
    >>> from longtail.ensembles import mlp
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.standard_normal((2, 40, 3)).astype(np.float32), rng.integers(2, size=(2, 40))
    >>> result = subsample_memorization(Dataset(x[0], y[0], x[1], y[1]), mlp(3, 8, 2), n_models=8)
    >>> result.memorization.shape, result.influence().value.shape
    ((40,), (40, 40))
    """
    n_models, shard = _checks.whole("n_models", n_models, 2), _checks.whole("shard", shard, 1)
    recipe, seed = recipe or Recipe(), _checks.whole("seed", seed)
    data, fraction = _data(dataset), _checks.real("fraction", fraction, 0, 1)
    sample = initial_module(model, 0, 0)
    check_data(data, sample)
    if subset_size(len(data.x), fraction) == len(data.x):
        raise ValueError(f"fraction must leave examples out, got {fraction:g} of {len(data.x)}")
    route = choose_path(path, sample, device)
    state = [value.numpy(force=True) for value in sample.state_dict().values()]
    settings = (fraction, recipe, str(dtype), route, device.split(":")[0], str(sample))
    run_id = shards.fingerprint(*map(np.asarray, data), *state, settings)
    source = partial(_loaded, dataset, run_id) if executor and callable(dataset) else data
    work = partial(_shard, source, model, fraction, recipe, seed, device, dtype, route)
    parts = [range(k, min(k + shard, n_models)) for k in range(0, n_models, shard)]
    pieces = {f"members-{part.start:06d}-{part.stop:06d}": partial(work, part) for part in parts}
    whole_run = shards.fingerprint(run_id, seed)
    found = dict(shards.run(pieces, whole_run, store, executor, f"{n_models} models in shards of {shard}"))
    members = np.column_stack([np.full(n_models, seed), np.arange(n_models)])
    return Memorization(_join([_unpack(found[name]) for name in pieces]), members, run_id)


def measured(name: str) -> tuple[Memorization, dict[str, Any]]:
    """Load an ensemble that was trained beforehand and comes with the library, with its provenance.

    Parameters
    ----------
    name
        ``"fashion_mnist_subset"``: the book's 5,000 images, see ``benchmarks/fashion_mnist_subset.py``.

    Returns
    -------
    result, provenance
        The second names script, hardware, versions, seed and recipe.
    """
    folder = Path(__file__).parent / "datasets" / "measured"
    known = sorted(path.stem for path in folder.glob("*.npz"))
    if name not in known:
        raise ValueError(f"name must be one of {known}, got {name!r}")
    return Memorization.load(folder / f"{name}.npz"), json.loads((folder / f"{name}.json").read_text())


def _shard(
    dataset: Source,
    model: Model,
    fraction: float,
    recipe: Recipe,
    seed: int,
    device: str,
    dtype: torch.dtype,
    path: Route,
    members: range,
) -> shards.Arrays:
    return _pack(train_members(_data(dataset), model, members, fraction, recipe, seed, device, dtype, path))


def _data(dataset: Source) -> Dataset:
    return dataset() if callable(dataset) else dataset


@lru_cache(maxsize=1)
def _loaded(source: Callable[[], Dataset], _run: str) -> Dataset:
    """Load the data once in each process of an executor, for each run."""
    return source()
