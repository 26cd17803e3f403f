"""Three paths from fresh modules to trained ones, each with its own examples in its own order.

``"mlp"``: multilayer perceptrons with a backward pass written by hand, all members of a chunk in one matrix
product.  ``"vmap"``: any module, batched by `torch.func`.  ``"loop"``: one model after the other, for modules
that cannot be batched or are too large to gain from it.  All lead to the same models.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap

if TYPE_CHECKING:
    from longtail.ensembles import Recipe

Path: TypeAlias = Literal["auto", "mlp", "vmap", "loop"]
State: TypeAlias = dict[str, Tensor]
Logits: TypeAlias = Callable[[Tensor], Tensor]  # inputs to logits, shape (members, inputs, classes)


def choose_path(path: Path, module: nn.Module, device: str = "cpu") -> Path:
    """Return the path that trains such modules, see `longtail.ensembles.train_members`."""
    if path not in get_args(Path):
        raise ValueError(f"path must be one of {get_args(Path)}, got {path!r}")
    weights = sum(p.numel() for p in module.parameters())
    frozen = [name for name, p in module.named_parameters() if not p.requires_grad]
    alone = [*dict(module.named_buffers()), *(n for n, m in module.named_modules() if _is_random(m)), *frozen]
    if path == "vmap" and alone:
        what = "buffers, randomness and frozen weights"
        raise ValueError(f"path 'vmap' needs a module without {what}, got {', '.join(alone)}")
    if path == "mlp" and (frozen or not _is_mlp(module)):
        what = "linear layers with ReLU between them, all to be trained"
        raise ValueError(f"path 'mlp' needs {what}, got {', '.join(frozen) or module}")
    if path != "auto":
        return path
    if _is_mlp(module) and not frozen:
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
        a = [flat.index_select(0, step.flatten()).view(members, size, -1).transpose(1, 2)]
        a += _activations(W, b, a[0])
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
    _put_back(levels, W, b)

    def logits(block: Tensor) -> Tensor:
        layers = _activations(W, b, block.flatten(1).T.expand(len(modules), -1, -1))
        return deque(layers, maxlen=1).pop().transpose(1, 2)

    return logits


def _activations(W: list[Tensor], b: list[Tensor], a: Tensor) -> Iterator[Tensor]:
    """Yield what each layer makes of the inputs, shape (members, features, batch)."""
    for level, (weight, bias) in enumerate(zip(W, b, strict=True)):
        a = torch.baddbmm(bias, weight, a)
        a = a.relu_() if level < len(W) - 1 else a
        yield a


def _put_back(levels: list[tuple[nn.Linear, ...]], W: list[Tensor], b: list[Tensor]) -> None:
    """Copy trained weights into the modules."""
    with torch.no_grad():
        for layers, weight, bias in zip(levels, W, b, strict=True):
            for k, layer in enumerate(layers):
                layer.weight.copy_(weight[k])
                layer.bias.copy_(bias[k, :, 0])


TRAINERS: dict[str, Callable[..., Logits]] = {"mlp": _train_mlp, "vmap": _train_vmap, "loop": _train_loop}
