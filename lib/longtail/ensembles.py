"""Train many models at once, each on its own random part of the data.

A member of the ensemble is known by its number: its subset, its initial weights and its order of
examples come from three streams of random numbers of its own, so that any member can be made again
alone, on any path.

Three paths lead to the same models, see `longtail.training`.
"""

from __future__ import annotations

import copy
import math
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from longtail import _checks
from longtail.training import TRAINERS, Logits, Path, choose_path

Model: TypeAlias = Callable[[], nn.Module]

CHUNK_BYTES = 3 << 20  # of weights and activations a step: what stays in a core's share of the cache
GPU_CHUNK_BYTES = 4 << 30


class Dataset(NamedTuple):
    """Labelled data to train on and to test on.

    Attributes
    ----------
    x, y
        Training inputs, shape (n, ...), floats, and labels in ``range(classes)``, shape (n,).
    x_test, y_test
        The same for testing.
    """

    x: NDArray[np.floating]
    y: NDArray[np.integer]
    x_test: NDArray[np.floating]
    y_test: NDArray[np.integer]


@dataclass(frozen=True)
class Recipe:
    """How each member is trained: stochastic gradient descent with momentum on the cross-entropy.

    Attributes
    ----------
    epochs
        Passes over the member's subset.
    batch_size
        Examples a step; the last batch of an epoch may be smaller.
    lr
        Learning rate.
    momentum
        In [0, 1).
    """

    epochs: int = 30
    batch_size: int = 128
    lr: float = 0.3
    momentum: float = 0.9

    def __post_init__(self) -> None:
        checked = {
            "epochs": _checks.whole("epochs", self.epochs, 1),
            "batch_size": _checks.whole("batch_size", self.batch_size, 1),
            "lr": _checks.real("lr", self.lr, 0, sys.float_info.max),
            "momentum": _checks.real("momentum", self.momentum, 0, math.nextafter(1, 0)),
        }
        for name, value in checked.items():  # 3.0 epochs are 3
            object.__setattr__(self, name, value)


class Members(NamedTuple):
    """What some members of an ensemble learned.

    Attributes
    ----------
    inside
        Whether a member was trained on an example, shape (members, n).
    correct, correct_test
        Whether it classifies the examples of the training data, (members, n), and of the test data rightly.
    """

    inside: NDArray[np.bool_]
    correct: NDArray[np.bool_]
    correct_test: NDArray[np.bool_]


def mlp(*sizes: int) -> Model:
    """Make a factory of multilayer perceptrons with ReLU between the layers.

    Examples
    --------
    >>> mlp(64, 128, 10)()
    Sequential(
      (0): Linear(in_features=64, out_features=128, bias=True)
      (1): ReLU()
      (2): Linear(in_features=128, out_features=10, bias=True)
    )
    """
    if len(sizes) < 2:
        raise ValueError(f"sizes must name at least inputs and classes, got {sizes}")
    return _Perceptron(tuple(_checks.whole("sizes", size, 1) for size in sizes))


@dataclass(frozen=True)
class _Perceptron:
    """A factory that can be sent to another process."""

    sizes: tuple[int, ...]

    def __call__(self) -> nn.Sequential:
        layers: list[nn.Module] = []
        for inputs, outputs in zip(self.sizes[:-1], self.sizes[1:], strict=True):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        return nn.Sequential(*layers[:-1])


# -- the streams of a member -----------------------------------------------------------------------------

_SEEDING = threading.Lock()  # torch has one generator for all threads


def stream(seed: int, member: int, purpose: int) -> np.random.SeedSequence:
    """Return the random stream of a member for one purpose.

    0 subset, 1 initial weights, 2 order, 3 and 4 of `longtail.privacy`, 5 dropout and the like.
    """
    return np.random.SeedSequence(seed, spawn_key=(member, purpose))


def torch_seed(seed: int, member: int, purpose: int) -> int:
    """Return a seed for torch from the same stream."""
    return int(stream(seed, member, purpose).generate_state(1, np.uint64)[0] >> np.uint64(1))


def subset(seed: int, member: int, n: int, size: int) -> NDArray[np.int64]:
    """Sorted numbers of the examples that a member is trained on, shape (size,)."""
    rng = np.random.default_rng(stream(seed, member, 0))
    return np.sort(rng.choice(n, size, replace=False, shuffle=False))


def initial_module(model: Model, seed: int, member: int) -> nn.Module:
    """Build a member's module with its initial weights; torch's global generator stays as it was."""
    with _seeded(seed, member, 1):
        return model()


@contextmanager
def _seeded(seed: int, member: int, purpose: int, device: str = "cpu") -> Iterator[None]:
    """Let torch draw from a stream of the member, one thread at a time, and then go on as before."""
    devices = [] if torch.device(device).type == "cpu" else [device]
    with _SEEDING, torch.random.fork_rng(devices):
        torch.manual_seed(torch_seed(seed, member, purpose))
        yield


def _orders(seed: int, member: int, chosen: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    rng = np.random.default_rng(stream(seed, member, 2))
    while True:
        yield rng.permutation(chosen)


# -- training --------------------------------------------------------------------------------------------


def train_members(
    data: Dataset,
    model: Model,
    members: Sequence[int],
    fraction: float = 0.7,
    recipe: Recipe | None = None,
    seed: int = 0,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    path: Path = "auto",
) -> Members:
    """Train the members with these numbers, each on a random `fraction` of the training data.

    Parameters
    ----------
    data
        The data.
    model
        Builds a module with fresh weights that maps a batch of inputs to logits; `mlp` makes one.
    members
        Numbers of the members, at least 0.
    fraction
        Share of the training data for each member, in (0, 1]; with 1 all members are trained on all.
    recipe
        How to train; ``Recipe()`` when left out.
    seed
        Of the whole ensemble.
    device, dtype
        Where and in which precision; on the CPU one thread is used.
    path
        ``"auto"`` takes ``"mlp"`` where it applies, else ``"vmap"`` for modules of less than 2**17 weights
        without buffers, dropout or the like (on a GPU of any size), else ``"loop"``.

    Returns
    -------
    Members

    Raises
    ------
    ValueError
        If the data do not fit together, or the path cannot train such modules.
    """
    _, x, x_test = _tensors(data, device, dtype)
    correct, correct_test = [], []
    for _, logits in _train(data, model, members, fraction, recipe, seed, device, dtype, path):
        correct.append(_decide(logits, x, data.y))
        correct_test.append(_decide(logits, x_test, data.y_test))
    inside = np.zeros((len(members), len(data.x)), dtype=bool)
    size = subset_size(len(data.x), fraction)
    np.put_along_axis(inside, np.array([subset(seed, k, len(data.x), size) for k in members]), True, axis=1)
    return Members(inside, np.concatenate(correct), np.concatenate(correct_test))


def train_modules(
    data: Dataset,
    model: Model,
    members: Sequence[int],
    fraction: float = 1.0,
    recipe: Recipe | None = None,
    seed: int = 0,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    path: Path = "auto",
) -> list[nn.Module]:
    """Train as `train_members` does and return the trained modules, in the order of `members`.

    Of use where more than decisions is asked of a model: `logits` gives its outputs, `subset` what it was
    trained on.  With the default `fraction` members differ in initial weights and order only.
    """
    trained = _train(data, model, members, fraction, recipe, seed, device, dtype, path)
    return [module.eval() for modules, _ in trained for module in modules]


def logits(modules: Sequence[nn.Module], x: NDArray[np.floating]) -> NDArray[np.floating]:
    """Outputs of trained modules, shape (modules, inputs, classes); inputs take the modules' precision."""
    outputs = []
    with torch.no_grad():
        for module in modules:
            kind = next(module.parameters())
            blocks = torch.as_tensor(np.asarray(x), device=kind.device).to(kind.dtype).split(2000)
            outputs.append(torch.cat([module(block) for block in blocks]).cpu().numpy())
    return np.stack(outputs)


def _train(
    data: Dataset,
    model: Model,
    members: Sequence[int],
    fraction: float,
    recipe: Recipe | None,
    seed: int,
    device: str,
    dtype: torch.dtype,
    path: Path,
) -> Iterator[tuple[list[nn.Module], Logits]]:
    """Train chunk by chunk and yield the modules and what gives their outputs together."""
    size, recipe = subset_size(len(data.x), fraction), recipe or Recipe()
    seed, members = _checks.whole("seed", seed), [_checks.whole("members", k) for k in members]
    if not members:
        raise ValueError("members must not be empty")
    sample = initial_module(model, seed, 0)
    check_data(data, sample)
    route = choose_path(path, sample, device)
    y, x, _ = _tensors(data, device, dtype)
    # A loop may draw random numbers on its way, each member its own.
    width = 1 if route == "loop" else _chunk(sample, x[0].numel(), recipe, device)
    with _one_thread(device):
        for start in range(0, len(members), width):
            part = members[start : start + width]
            modules = [initial_module(model, seed, k).to(device, dtype) for k in part]
            orders = [_orders(seed, k, subset(seed, k, len(data.x), size)) for k in part]
            with _seeded(seed, part[0], 5, device) if route == "loop" else nullcontext():
                outputs = TRAINERS[route](modules, x, y, _batches(orders, recipe, device), recipe)
            yield modules, outputs


def check_data(data: Dataset, module: nn.Module) -> None:
    """Raise an error that names what does not fit in a `Dataset`, or its labels to the logits of a module."""
    for name, x, y in (("x", data.x, data.y), ("x_test", data.x_test, data.y_test)):
        if len(x) != len(y) or len(x) == 0 or np.shape(x)[1:] != np.shape(data.x)[1:]:
            raise ValueError(
                f"{name} and its labels must be non-empty, of one length and of one shape of input, "
                f"got shapes {np.shape(x)} and {np.shape(y)}, x has {np.shape(data.x)}"
            )
        if not np.isfinite(np.sum(x)):
            raise ValueError(f"{name} must be finite, got NaN or infinity")
    classes = _classes(module, np.asarray(data.x[:1], dtype=np.float32))
    _checks.labels("labels of x", data.y, classes)
    _checks.labels("labels of x_test", data.y_test, classes)


def _classes(module: nn.Module, first: NDArray[np.float32]) -> int:
    """Number of logits that a module answers one input with."""
    with torch.no_grad():
        try:
            shape = tuple(copy.deepcopy(module).eval()(torch.as_tensor(first)).shape)
        except RuntimeError as error:
            raise ValueError(
                f"model must take inputs of shape {first.shape[1:]}, those of x; torch says: {error}"
            ) from error
    if len(shape) != 2 or shape[0] != 1:
        raise ValueError(f"model must answer one input with logits of shape (1, classes), got shape {shape}")
    return int(shape[1])


def subset_size(n: int, fraction: float) -> int:
    """Return how many of n examples each member is trained on."""
    size = round(_checks.real("fraction", fraction, 0, 1) * n)
    if size == 0:
        raise ValueError(f"fraction must leave examples to train on, got {fraction:g} of {n}")
    return size


def _tensors(data: Dataset, device: str, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    """Labels and inputs to train on, inputs to test on."""
    y = torch.as_tensor(np.asarray(data.y, dtype=np.int64), device=device)
    x, x_test = (torch.as_tensor(np.asarray(part), device=device).to(dtype) for part in (data.x, data.x_test))
    return y, x, x_test


def _chunk(module: nn.Module, inputs: int, recipe: Recipe, device: str) -> int:
    """Return how many members to train side by side: their numbers should stay in the cache."""
    weights = sum(p.numel() for p in module.parameters())
    widths = sum(m.out_features for m in module.modules() if isinstance(m, nn.Linear))
    size = 4 * (3 * weights + recipe.batch_size * (inputs + 2 * widths))
    return max(1, CHUNK_BYTES // size if device == "cpu" else GPU_CHUNK_BYTES // size)


def _batches(orders: Sequence[Iterator[NDArray[np.int64]]], recipe: Recipe, device: str) -> Iterator[Tensor]:
    """Yield the numbers of the examples of each step, shape (members, batch)."""
    for _ in range(recipe.epochs):
        epoch = torch.as_tensor(np.stack([next(order) for order in orders]), device=device)
        yield from epoch.split(recipe.batch_size, dim=1)


def _decide(logits: Logits, x: Tensor, target: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Tell which inputs are classified rightly, shape (members, inputs)."""
    with torch.no_grad():
        parts = [logits(block).argmax(-1).cpu().numpy() for block in x.split(2000)]
    return np.asarray(np.concatenate(parts, axis=1) == np.asarray(target))


@contextmanager
def _one_thread(device: str) -> Iterator[None]:
    """Use one thread on the CPU: results do not depend on the number of cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1 if device == "cpu" else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
