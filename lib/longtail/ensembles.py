"""Train many models at once, each on its own random part of the data.

A member of the ensemble is known by its number: its subset, its initial weights and its order of
examples come from three streams of random numbers of its own, so that any member can be made again
alone, on any path.

Three paths lead to the same models.  ``"mlp"``: multilayer perceptrons with a backward pass written by
hand, all members of a chunk in one matrix product.  ``"vmap"``: any module, batched by `torch.func`.
``"loop"``: one model after the other, for modules that cannot be batched or are too large to gain from
it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap

from longtail import _checks

Model: TypeAlias = Callable[[], nn.Module]
Path: TypeAlias = Literal["auto", "mlp", "vmap", "loop"]
State: TypeAlias = dict[str, Tensor]
Logits: TypeAlias = Callable[[Tensor], Tensor]  # inputs to logits, shape (members, inputs, classes)

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
        _checks.whole("epochs", self.epochs, 1)
        _checks.whole("batch_size", self.batch_size, 1)
        _checks.real("lr", self.lr, 0)
        _checks.real("momentum", self.momentum, 0, 1)


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


# -- the three streams of a member -----------------------------------------------------------------------


def stream(seed: int, member: int, purpose: int) -> np.random.SeedSequence:
    """Return the random stream of a member for one purpose: 0 subset, 1 initial weights, 2 order."""
    return np.random.SeedSequence(seed, spawn_key=(member, purpose))


def subset(seed: int, member: int, n: int, size: int) -> NDArray[np.int64]:
    """Sorted numbers of the examples that a member is trained on, shape (size,)."""
    rng = np.random.default_rng(stream(seed, member, 0))
    return np.sort(rng.choice(n, size, replace=False, shuffle=False))


def initial_module(model: Model, seed: int, member: int) -> nn.Module:
    """Build a member's module with its initial weights; torch's global generator stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(stream(seed, member, 1).generate_state(1, np.uint64)[0] >> np.uint64(1)))
        return model()


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
    members = [_checks.whole("members", k) for k in members]
    if not members:
        raise ValueError("members must not be empty")
    sample = initial_module(model, seed, 0)
    check_data(data, sample)
    trainer = _TRAINERS[choose_path(path, sample, device)]
    y, x, _ = _tensors(data, device, dtype)
    width = _chunk(sample, x[0].numel(), recipe, device)
    with _one_thread(device):
        for start in range(0, len(members), width):
            part = members[start : start + width]
            modules = [initial_module(model, seed, k).to(device, dtype) for k in part]
            orders = [_orders(seed, k, subset(seed, k, len(data.x), size)) for k in part]
            yield modules, trainer(modules, x, y, _batches(orders, recipe, device), recipe)


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
    with torch.no_grad():
        first = torch.as_tensor(np.asarray(data.x[:1], dtype=np.float32))
        classes = copy.deepcopy(module).eval()(first).shape[-1]
    _checks.labels("labels of x", data.y, classes)
    _checks.labels("labels of x_test", data.y_test, classes)


def subset_size(n: int, fraction: float) -> int:
    """Return how many of n examples each member is trained on."""
    size = round(_checks.real("fraction", fraction, 0, 1) * n)
    if size == 0:
        raise ValueError(f"fraction must leave examples to train on, got {fraction:g} of {n}")
    return size


def choose_path(path: Path, module: nn.Module, device: str = "cpu") -> Path:
    """Return the path that trains such modules, see `train_members`."""
    if path not in get_args(Path):
        raise ValueError(f"path must be one of {get_args(Path)}, got {path!r}")
    weights = sum(p.numel() for p in module.parameters())
    alone = [*dict(module.named_buffers()), *(n for n, m in module.named_modules() if _is_random(m))]
    if path == "vmap" and alone:
        raise ValueError(f"path 'vmap' needs a module without buffers and randomness, got {', '.join(alone)}")
    if path == "mlp" and not _is_mlp(module):
        raise ValueError(f"path 'mlp' needs linear layers with ReLU between them, got {module}")
    if path != "auto":
        return path
    if _is_mlp(module):
        return "mlp"
    return "vmap" if not alone and (weights < 1 << 17 or device != "cpu") else "loop"


def _is_random(module: nn.Module) -> bool:
    return isinstance(module, nn.modules.dropout._DropoutNd | nn.RReLU)


def _is_mlp(module: nn.Module) -> bool:
    if not isinstance(module, nn.Sequential):
        return False
    layers = [layer for layer in module if not isinstance(layer, nn.Flatten)]
    kinds = [nn.Linear if i % 2 == 0 else nn.ReLU for i in range(len(layers))]
    flat = len(layers) == len(module) or isinstance(module[0], nn.Flatten)
    biases = all(layer.bias is not None for layer in layers[::2] if isinstance(layer, nn.Linear))
    return flat and len(layers) % 2 == 1 and biases and all(map(isinstance, layers, kinds))


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


def _train_loop(
    modules: list[nn.Module], x: Tensor, y: Tensor, batches: Iterator[Tensor], recipe: Recipe
) -> Logits:
    """One model after the other, as everybody writes it."""
    steps = list(batches)
    for k, module in enumerate(modules):
        optimizer = torch.optim.SGD(module.parameters(), lr=recipe.lr, momentum=recipe.momentum)
        for step in steps:
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(x[step[k]]), y[step[k]]).backward()
            optimizer.step()
        module.eval()
    return lambda inputs: torch.stack([module(inputs) for module in modules])


def _train_vmap(
    modules: list[nn.Module], x: Tensor, y: Tensor, batches: Iterator[Tensor], recipe: Recipe
) -> Logits:
    """All members at once by `torch.func`.

    On one thread of a CPU bit for bit what the loop gives where the batched product adds in the same order,
    as it does for perceptrons of usual widths, and up to rounding elsewhere.
    """
    weights, _ = stack_module_state(modules)
    skeleton = copy.deepcopy(modules[0]).to("meta")

    def loss(state: State, inputs: Tensor, target: Tensor) -> Tensor:
        return nn.functional.cross_entropy(functional_call(skeleton, state, (inputs,)), target)

    weights = {name: value.detach() for name, value in weights.items()}
    velocity = {name: torch.zeros_like(value) for name, value in weights.items()}
    gradient = vmap(grad(loss))
    for step in batches:
        for name, slope in gradient(weights, x[step], y[step]).items():
            velocity[name].mul_(recipe.momentum).add_(slope)
            weights[name].add_(velocity[name], alpha=-recipe.lr)
    for k, module in enumerate(modules):
        module.load_state_dict({name: value[k] for name, value in weights.items()})
    return lambda inputs: vmap(lambda state: functional_call(skeleton, state, (inputs,)))(weights)


def _train_mlp(
    modules: list[nn.Module], x: Tensor, y: Tensor, batches: Iterator[Tensor], recipe: Recipe
) -> Logits:
    """All members at once, with the gradient of the cross-entropy written out.

    Activations are stored feature by feature, (members, features, batch): weights keep the layout of their
    modules, the softmax runs along contiguous memory, and momentum joins the product that makes a gradient.
    """
    flat = x.flatten(1)
    levels = list(
        zip(*([m for m in module.modules() if isinstance(m, nn.Linear)] for module in modules), strict=True)
    )
    W = [torch.stack([layer.weight.detach() for layer in level]) for level in levels]
    b = [torch.stack([layer.bias.detach()[:, None] for layer in level]) for level in levels]
    V, v = [torch.zeros_like(w) for w in W], [torch.zeros_like(w) for w in b]
    for step in batches:
        members, size = step.shape
        inputs = flat.index_select(0, step.flatten())
        a = [inputs.view(members, size, -1).transpose(1, 2)]
        for level, (weight, bias) in enumerate(zip(W, b, strict=True)):
            z = torch.baddbmm(bias, weight, a[-1])
            a.append(z.relu_() if level < len(W) - 1 else z)
        g = torch.softmax(a.pop(), dim=1)
        g.scatter_add_(1, y[step][:, None], g.new_full((), -1.0).expand(members, 1, size))
        for level in reversed(range(len(W))):
            V[level].baddbmm_(g, a[level].transpose(1, 2), beta=recipe.momentum, alpha=1 / size)
            v[level].mul_(recipe.momentum).add_(g.sum(2, keepdim=True), alpha=1 / size)
            if level:
                g = torch.bmm(W[level].transpose(1, 2), g)
                g = torch.ops.aten.threshold_backward(g, a[level], 0)
            W[level].add_(V[level], alpha=-recipe.lr)
            b[level].add_(v[level], alpha=-recipe.lr)
    with torch.no_grad():
        for layers, weight, bias in zip(levels, W, b, strict=True):
            for k, layer in enumerate(layers):
                layer.weight.copy_(weight[k])
                layer.bias.copy_(bias[k, :, 0])
    return lambda block: _forward(W, b, block.flatten(1)).transpose(1, 2)


def _forward(W: list[Tensor], b: list[Tensor], x: Tensor) -> Tensor:
    a = x.T.expand(len(W[0]), -1, -1)
    for level, (weight, bias) in enumerate(zip(W, b, strict=True)):
        a = torch.baddbmm(bias, weight, a)
        a = a.relu_() if level < len(W) - 1 else a
    return a


_TRAINERS: dict[str, Callable[..., Logits]] = {"mlp": _train_mlp, "vmap": _train_vmap, "loop": _train_loop}
