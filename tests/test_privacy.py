"""Private training: the account against a second accountant, the mechanics by hand, labels by counting."""

import math
import sys

import dp_accounting as dp
import numpy as np
import pytest
import torch
from dp_accounting.pld import PLDAccountant
from longtail.ensembles import Dataset, Recipe, initial_module, logits, mlp, train_modules
from longtail.privacy import _opacus, _spent, corrected, randomize_labels, train_private, truth
from scipy.optimize import brentq
from scipy.stats import norm
from torch import nn

RECIPE = Recipe(epochs=3, batch_size=16, lr=0.1)


def make_data(n=96, d=6, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    centres = 2 * rng.standard_normal((classes, d))
    y = rng.integers(classes, size=2 * n)
    x = (centres[y] + rng.standard_normal((2 * n, d))).astype(np.float32)
    return Dataset(x[:n], y[:n], x[n:], y[n:])


DATA, MODEL = make_data(), mlp(6, 12, 3)


def weights(module):
    return torch.cat([p.detach().flatten() for p in module.parameters()])


def gaussian_epsilon(noise, delta):
    """Epsilon of one Gaussian mechanism of sensitivity 1, in closed form (Balle and Wang 2018)."""

    def surplus(e):
        a = norm.cdf(0.5 / noise - e * noise) - math.exp(e) * norm.cdf(-0.5 / noise - e * noise)
        return a - delta

    return brentq(surplus, 0, 100)


@pytest.mark.parametrize("noise", [0.7, 1.0, 3.0])
def test_gaussian_mechanism(noise):
    """Opacus gives an upper bound, within the .01 to which it computes."""
    spent, exact = _spent(_opacus(), noise, 1.0, 1, 1e-5), gaussian_epsilon(noise, 1e-5)
    assert exact <= spent < exact + 0.03


@pytest.mark.parametrize(("noise", "rate", "steps"), [(0.8, 0.02, 300), (1.1, 0.1, 200), (2.0, 0.25, 60)])
def test_subsampled_gaussian_against_a_second_accountant(noise, rate, steps):
    """Google's accountant by privacy loss distributions, also an upper bound with small steps."""
    event = dp.PoissonSampledDpEvent(rate, dp.GaussianDpEvent(noise))
    second = PLDAccountant().compose(event, steps).get_epsilon(1e-5)
    assert _spent(_opacus(), noise, rate, steps, 1e-5) == pytest.approx(second, rel=0.02)


def test_epsilon_asked_for_is_spent_and_not_passed():
    found = train_private(DATA, MODEL, epsilon=3.0, recipe=RECIPE)
    assert 2.9 < found.epsilon <= 3.0
    again = train_private(DATA, MODEL, noise_multiplier=found.noise_multiplier, recipe=RECIPE)
    assert again.epsilon == found.epsilon
    assert torch.equal(weights(again.module), weights(found.module))  # same seed, same bits
    other = train_private(DATA, MODEL, noise_multiplier=found.noise_multiplier, recipe=RECIPE, member=1)
    assert not torch.equal(weights(other.module), weights(found.module))


def test_without_noise_and_clipping_it_is_gradient_descent():
    """All examples in every batch, no noise, no clipping: full-batch descent by hand."""
    recipe = Recipe(epochs=5, batch_size=96, lr=0.1)
    found = train_private(DATA, MODEL, noise_multiplier=0, clip=1e6, recipe=recipe)
    assert math.isinf(found.epsilon)
    net = initial_module(MODEL, 0, 0)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for _ in range(5):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(torch.tensor(DATA.x)), torch.tensor(DATA.y)).backward()
        optimizer.step()
    torch.testing.assert_close(weights(found.module), weights(net), rtol=0, atol=1e-6)


def test_one_example_moves_a_step_by_no_more_than_the_clip():
    recipe = Recipe(epochs=1, batch_size=96, lr=1.0, momentum=0.0)
    y = DATA.y.copy()
    y[0] = (y[0] + 1) % 3
    one, two = (
        train_private(d, MODEL, noise_multiplier=0, clip=0.01, recipe=recipe).module
        for d in (DATA, DATA._replace(y=y))
    )
    change = (weights(one) - weights(two)).norm().item()
    assert 0 < change <= 2 * 0.01 / 96 * (1 + 1e-4)
    start = weights(initial_module(MODEL, 0, 0))
    assert (weights(one) - start).norm() <= 0.01 * (1 + 1e-4)


def test_the_noise_has_the_promised_size():
    """With gradients clipped to nearly nothing a step is noise, of deviation noise * clip / batch."""
    recipe = Recipe(epochs=1, batch_size=96, lr=1.0, momentum=0.0)
    model = mlp(6, 200, 3)
    quiet, loud = (
        train_private(DATA, model, noise_multiplier=z, clip=1e-3, recipe=recipe).module for z in (0, 50)
    )
    step = (weights(loud) - weights(quiet)).numpy() / (50 * 1e-3 / 96)
    assert abs(step.std() - 1) < 4 / np.sqrt(2 * step.size)
    assert abs(step.mean()) < 4 / np.sqrt(step.size)


def test_empty_batches_are_steps_too():
    """At batch 1 of 96 a third of the batches are empty; each still gets its noise."""
    recipe, model = Recipe(epochs=1, batch_size=1, lr=1.0, momentum=0.0), mlp(6, 200, 3)
    found = train_private(DATA, model, noise_multiplier=50, clip=1e-3, recipe=recipe)
    change = (weights(found.module) - weights(initial_module(model, 0, 0))).numpy()
    assert abs(change.std() / (50 * 1e-3 * np.sqrt(96)) - 1) < 4 / np.sqrt(2 * change.size)


def test_generous_privacy_learns_and_strict_privacy_does_not():
    accuracies = [
        (
            logits([train_private(DATA, MODEL, epsilon=e, recipe=RECIPE).module], DATA.x_test)[0].argmax(1)
            == DATA.y_test
        ).mean()
        for e in (50.0, 0.02)
    ]
    assert accuracies[0] > 0.8
    assert accuracies[1] < accuracies[0] - 0.1


# -- labels ----------------------------------------------------------------------------------------------


def test_randomized_response_by_counting():
    labels = np.tile(np.arange(4), 25_000)
    told = randomize_labels(labels, 4, 1.0, seed=0)
    keep = truth(4, 1.0)
    assert keep == pytest.approx(math.e / (math.e + 3))
    for true in range(4):
        shares = np.bincount(told[labels == true], minlength=4) / 25_000
        expected = np.where(np.arange(4) == true, keep, (1 - keep) / 3)
        assert (np.abs(shares - expected) < 4 * np.sqrt(expected * (1 - expected) / 25_000)).all()
    assert (randomize_labels(labels, 4, math.inf, seed=0) == labels).all()
    assert math.log(keep / ((1 - keep) / 3)) == pytest.approx(1.0)  # the definition of label privacy


def test_the_corrected_answer_is_the_chance_of_the_report():
    model = corrected(MODEL, 3, 1.0)
    plain, wrapped = initial_module(MODEL, 0, 0), initial_module(model, 0, 0)
    x = torch.tensor(DATA.x)
    p = torch.softmax(plain(x), 1)
    keep = truth(3, 1.0)
    channel = torch.full((3, 3), (1 - keep) / 2).fill_diagonal_(keep)
    torch.testing.assert_close(wrapped(x).exp(), p @ channel)
    assert torch.equal(wrapped(x).argmax(1), plain(x).argmax(1))
    assert corrected(MODEL, 3, math.inf) is MODEL


def test_the_correction_finds_the_true_chances():
    """One point seen 4,000 times with label 0 in 70 %: from reports the corrected network says 70 %."""
    y = (np.random.default_rng(0).random(4000) < 0.3).astype(np.int64)
    told = randomize_labels(y, 2, 1.0, seed=1)
    x = np.ones((4000, 1), dtype=np.float32)
    data = Dataset(x, told, x, y)
    recipe = Recipe(epochs=200, batch_size=4000, lr=0.5, momentum=0.5)
    module = train_modules(data, corrected(mlp(1, 2), 2, 1.0), [0], recipe=recipe)[0]
    chance = torch.softmax(module.network(torch.ones(1, 1)), 1)[0, 1].item()
    keep = truth(2, 1.0)
    unbiased = (told.mean() - (1 - keep)) / (2 * keep - 1)
    assert chance == pytest.approx(unbiased, abs=0.003)  # what is left of the descent
    assert abs(unbiased - y.mean()) < 4 * 0.5 / np.sqrt(4000) / (2 * keep - 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"noise_multiplier": -1.0}, r"noise_multiplier must lie in \[0, 1e\+06\], got -1"),
        ({"epsilon": 1.0, "noise_multiplier": 1.0}, "give epsilon or noise_multiplier, not both"),
        ({}, "give epsilon or noise_multiplier, not both, got None and None"),
        ({"epsilon": 0.0}, "epsilon must be positive, got 0"),
        ({"epsilon": -1.0}, r"epsilon must lie in \[0, 1.79\S+\], got -1"),
        ({"epsilon": 1.0, "delta": 0.0}, "delta must lie strictly between 0 and 1, got 0"),
        ({"epsilon": 1.0, "clip": 0.0}, "clip must be positive, got 0"),
        (
            {"epsilon": 1.0, "clip": math.inf},
            r"clip must lie in \[0, 1.79\S+\], got inf",
        ),
        (
            {"epsilon": 1.0, "recipe": Recipe(batch_size=97)},
            "batch_size must be at most the number of examples 96, got 97",
        ),
        ({"epsilon": 1.0, "model": lambda: nn.Sequential(nn.Linear(6, 3), nn.BatchNorm1d(3))}, "BatchNorm"),
    ],
)
def test_bad_arguments_are_named_before_training(change, message):
    with pytest.raises(ValueError, match=message):
        train_private(**{"data": DATA, "model": MODEL, "recipe": RECIPE, **change})


def test_bad_label_arguments_are_named():
    with pytest.raises(ValueError, match=r"epsilon must lie in \[0, inf\], got -1"):
        randomize_labels([0, 1], 2, -1)
    with pytest.raises(ValueError, match=r"labels must lie in range\(2\), got 2"):
        randomize_labels([0, 2], 2, 1)


def test_without_opacus(monkeypatch):
    monkeypatch.setitem(sys.modules, "opacus", None)
    with pytest.raises(ImportError, match=r"pip install \"longtail\[privacy\]\""):
        train_private(DATA, MODEL, epsilon=1.0)


def test_labels_stay_whole_numbers():
    assert randomize_labels([0, 1, 2], 3.0, 1.0, seed=0).dtype == np.int64


def test_labels_may_be_a_list():
    data = DATA._replace(y=DATA.y.tolist())
    recipe = Recipe(epochs=1, batch_size=16)
    found, same = (train_private(d, MODEL, noise_multiplier=1, recipe=recipe) for d in (data, DATA))
    assert torch.equal(weights(found.module), weights(same.module))
