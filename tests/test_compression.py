"""Pruning and rounding do what they say and leave the original alone."""

import copy
import subprocess
import sys

import numpy as np
import pytest
import torch
from longtail.compression import prune, quantize
from longtail.ensembles import logits, mlp
from torch import nn

X = np.random.default_rng(0).standard_normal((50, 20)).astype(np.float32)


@pytest.fixture
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return mlp(20, 16, 4)()


def weights(module):
    return torch.cat([layer.weight.flatten() for layer in module if isinstance(layer, nn.Linear)])


def test_pruning_nothing_changes_no_bit(network):
    same = prune(network, 0)
    assert logits([same], X).tobytes() == logits([network], X).tobytes()
    for name, value in network.state_dict().items():
        assert same.state_dict()[name].numpy().tobytes() == value.numpy().tobytes()


def test_convolutions_and_linear_layers_are_pruned_together():
    """One threshold for both: by hand, over the weights of all layers."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(36, 3))
    before = torch.cat([module[k].weight.flatten() for k in (0, 3)]).detach()
    after = torch.cat([prune(module, 0.5)[k].weight.flatten() for k in (0, 3)])
    assert torch.equal(after == 0, before.abs() <= before.abs().sort().values[len(before) // 2 - 1])


def test_the_smallest_weights_of_all_layers_go(network):
    before, after = weights(network).clone(), weights(prune(network, 0.75))
    assert (after == 0).sum() == 0.75 * len(before)
    kept = after != 0
    assert torch.equal(after[kept], before[kept])
    assert before[~kept].abs().max() < before[kept].abs().min()
    assert torch.equal(weights(network), before)


def test_pruning_all_leaves_the_biases(network):
    outputs = logits([prune(network, 1)], X)[0]
    assert np.array_equal(outputs, np.tile(network[-1].bias.detach().numpy(), (50, 1)))


def test_a_pruned_network_can_be_pruned_and_saved(network):
    twice = prune(prune(network, 0.5), 0.75)
    assert torch.equal(weights(twice), weights(prune(network, 0.75)))
    assert set(twice.state_dict()) == set(network.state_dict())


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_rounding_by_hand(network, bits):
    """Each output has its own step; no weight moves by more than half a step, and the levels are 2**bits."""
    before = copy.deepcopy(network)
    found = [layer.weight.dequantize() for layer in quantize(network, bits) if isinstance(layer, nn.Linear)]
    for rounded, layer in zip(found, (network[0], network[2]), strict=True):
        weight = layer.weight.detach()
        step = weight.abs().amax(1, keepdim=True) / ((2**bits - 1) / 2)
        assert ((rounded - weight).abs() <= 0.5 * step * (1 + 1e-4)).all()
        assert max(len(row.unique()) for row in rounded) <= 2**bits
    assert torch.equal(weights(network), weights(before))


def test_more_bits_less_change(network):
    change = [np.abs(logits([quantize(network, b)], X) - logits([network], X)).max() for b in (2, 4, 6, 8)]
    assert change == sorted(change, reverse=True)
    assert change[-1] < 0.01 * np.abs(logits([network], X)).max()


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (lambda m: prune(m, 1.1), r"sparsity must lie in \[0, 1\], got 1\.1"),
        (lambda m: prune(m, -0.1), r"sparsity must lie in \[0, 1\], got -0\.1"),
        (lambda m: prune(m, float("nan")), r"sparsity must .*, got nan"),
        (lambda m: prune(nn.ReLU(), 0.5), "module must have a linear or convolutional layer"),
        (lambda m: quantize(m, 1), r"bits must lie in 2\.\.8, got 1"),
        (lambda m: quantize(nn.Conv2d(1, 1, 3), 4), "module must have a linear layer"),
        (lambda m: quantize(m, 9), r"bits must lie in 2\.\.8, got 9"),
    ],
)
def test_bad_arguments_are_named(network, work, message):
    with pytest.raises(ValueError, match=message):
        work(network)


def test_torchao_says_nothing_on_its_first_import():
    """Nor does anything stay switched off: a chapter's cells must be silent, other libraries must not."""
    code = """
import logging
from longtail.compression import quantize
from longtail.ensembles import mlp
quantize(mlp(4, 3, 2)(), 4)
logging.getLogger("other").warning("heard")
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (said.stdout, said.stderr) == ("", "heard\n")


def test_without_torchao(network, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchao.quantization", None)
    with pytest.raises(ImportError, match=r"pip install \"longtail\[compression\]\""):
        quantize(network, 8)
