"""Compress trained networks: fewer weights, fewer bits.  The originals stay as they are."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.utils import prune as pruning

from longtail import _checks

_KINDS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def prune(module: nn.Module, sparsity: float) -> nn.Module:
    """Set the smallest weights of all linear and convolutional layers together to zero.

    Parameters
    ----------
    module
        A trained module.
    sparsity
        Share of the weights (biases stay) to set to zero, in [0, 1].

    Returns
    -------
    A copy of the module.

    Raises
    ------
    ValueError
        If `sparsity` lies outside or the module has no such layer.
    """
    share = _checks.real("sparsity", sparsity, 0, 1)
    pruned = copy.deepcopy(module)
    weights = [(layer, "weight") for layer in _layers(pruned, "linear or convolutional", _KINDS)]
    pruning.global_unstructured(weights, pruning.L1Unstructured, amount=share)
    for layer, name in weights:
        pruning.remove(layer, name)
    return pruned


def quantize(module: nn.Module, bits: int) -> nn.Module:
    """Round the weights of all linear layers to whole multiples of a step for each output.

    Activations and biases keep their precision; what a phone stores is what changes.

    Parameters
    ----------
    module
        A trained module.
    bits
        Bits of each weight, 2 to 8.

    Returns
    -------
    A copy of the module.

    Raises
    ------
    ImportError
        If torchao is missing.
    ValueError
        If `bits` lies outside or the module has no linear layer.
    """
    bits = _checks.whole("bits", bits)
    if not 2 <= bits <= 8:
        raise ValueError(f"bits must lie in 2..8, got {bits}")
    _layers(module, "linear", (nn.Linear,))
    try:
        with _quiet():
            from torchao.quantization import IntxWeightOnlyConfig, PerAxis, quantize_
    except ImportError as error:
        raise ImportError('quantization needs torchao: pip install "longtail[compression]"') from error
    quantized = copy.deepcopy(module)
    quantize_(quantized, IntxWeightOnlyConfig(getattr(torch, f"int{bits}"), PerAxis(0)))
    return quantized


def _layers(module: nn.Module, name: str, kinds: tuple[type[nn.Module], ...]) -> list[nn.Module]:
    found: list[nn.Module] = [layer for layer in module.modules() if isinstance(layer, kinds)]
    if not found:
        raise ValueError(f"module must have a {name} layer, got {module}")
    return found


@contextmanager
def _quiet() -> Iterator[None]:
    """Drop what torchao logs on its first import: kernels for other machines that it could not load."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
