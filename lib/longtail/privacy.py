"""Train with differential privacy: DP-SGD for whole examples, randomized response for labels alone.

DP-SGD (Abadi et al. 2016) runs on Opacus, which also keeps the account of what was spent.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from longtail import _checks
from longtail.ensembles import Dataset, Model, Recipe, check_data, initial_module, stream, torch_seed

ACCOUNTANT = "prv"  # Opacus' tightest: adds up the privacy loss numerically (Gopi et al. 2021)


class Private(NamedTuple):
    """A privately trained network and what its training spent.

    Attributes
    ----------
    module
        The trained module.
    epsilon, delta
        It is (epsilon, delta)-differentially private with respect to adding or removing one example.
    noise_multiplier
        Standard deviation of the noise in units of the clipping norm.
    """

    module: nn.Module
    epsilon: float
    delta: float
    noise_multiplier: float


def train_private(
    data: Dataset,
    model: Model,
    *,
    epsilon: float | None = None,
    noise_multiplier: float | None = None,
    delta: float = 1e-5,
    clip: float = 1.0,
    recipe: Recipe | None = None,
    member: int = 0,
    seed: int = 0,
    device: str = "cpu",
) -> Private:
    """Train one network on all of the data by DP-SGD, in steps of ``recipe.epochs`` expected passes.

    Every step takes each example with chance ``batch_size / n``, clips each gradient to norm `clip`, adds
    Gaussian noise and divides by the expected batch.  Initial weights are those of `member` in the ensemble
    with this seed, so that the same network trained without privacy is at hand for comparison.

    Parameters
    ----------
    data, model, recipe, seed, device
        As in `longtail.ensembles.train_members`.
    epsilon
        What may be spent; the noise is chosen for it.  Either this or `noise_multiplier` is given.
    noise_multiplier
        Standard deviation of the noise in units of `clip`, at least 0; with 0 epsilon is infinite.
    delta
        Between 0 and 1, both excluded.
    clip
        Largest norm of the gradient of one example, positive and finite.
    member
        Number of the member, for independent repetitions.

    Raises
    ------
    ImportError
        If Opacus is missing.
    ValueError
        If an argument is out of range, or Opacus cannot compute the gradient of every example.
    """
    opacus = _opacus()
    recipe, seed = recipe or Recipe(), _checks.whole("seed", seed)
    module = initial_module(model, seed, member)
    check_data(data, module)
    _check_module(opacus, module)
    noise, rate, steps = _plan(opacus, len(data.x), epsilon, noise_multiplier, delta, clip, recipe)
    hooked = opacus.GradSampleModule(module.to(device))
    optimizer = opacus.optimizers.DPOptimizer(
        torch.optim.SGD(hooked.parameters(), lr=recipe.lr, momentum=recipe.momentum),
        noise_multiplier=noise,
        max_grad_norm=clip,
        expected_batch_size=recipe.batch_size,
        generator=torch.Generator(device).manual_seed(torch_seed(seed, member, 4)),
    )
    x = torch.as_tensor(np.asarray(data.x), device=device)
    y = torch.as_tensor(np.asarray(data.y, dtype=np.int64), device=device)
    draws = np.random.default_rng(stream(seed, member, 3))
    with _quiet():
        for _ in range(steps):
            batch = torch.as_tensor(np.flatnonzero(draws.random(len(x)) < rate), device=device)
            _step(hooked, optimizer, x[batch].to(torch.float32), y[batch])
    hooked.remove_hooks()
    return Private(module.eval(), _spent(opacus, noise, rate, steps, delta), delta, noise)


def _step(hooked: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor) -> None:
    optimizer.zero_grad()
    if len(x):
        nn.functional.cross_entropy(hooked(x), y).backward()
    else:  # an empty batch still gets its noise: that it was empty must not show
        for p in hooked.parameters():
            p.grad_sample = p.new_zeros((0, *p.shape))  # type: ignore[attr-defined]
    optimizer.step()


def _plan(
    opacus: ModuleType,
    n: int,
    epsilon: float | None,
    noise_multiplier: float | None,
    delta: float,
    clip: float,
    recipe: Recipe,
) -> tuple[float, float, int]:
    """Check what was asked for; return noise multiplier, sampling rate and number of steps."""
    if recipe.batch_size > n:
        raise ValueError(f"batch_size must be at most the number of examples {n}, got {recipe.batch_size}")
    _checks.chance("delta", delta)
    if (epsilon is None) == (noise_multiplier is None):
        raise ValueError(f"give epsilon or noise_multiplier, not both, got {epsilon} and {noise_multiplier}")
    _checks.positive("clip", clip)
    rate, steps = recipe.batch_size / n, recipe.epochs * -(-n // recipe.batch_size)
    if noise_multiplier is not None:
        return _checks.real("noise_multiplier", noise_multiplier, 0, 1e6), rate, steps
    epsilon = _checks.positive("epsilon", epsilon or 0)
    with _quiet():
        noise = opacus.accountants.utils.get_noise_multiplier(
            target_epsilon=epsilon, target_delta=delta, sample_rate=rate, steps=steps, accountant=ACCOUNTANT
        )
    return float(noise), rate, steps


def _spent(opacus: ModuleType, noise: float, rate: float, steps: int, delta: float) -> float:
    if noise == 0:
        return math.inf
    accountant = opacus.accountants.create_accountant(ACCOUNTANT)
    accountant.history = [(noise, rate, steps)]
    with _quiet():
        return float(accountant.get_epsilon(delta))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what Opacus and its hooks say in normal use, and only that."""
    with warnings.catch_warnings(), np.errstate(divide="ignore"):  # a logarithm of 0 at sampling rate 1
        for usual in ("Optimal order is the", "Full backward hook is firing"):
            warnings.filterwarnings("ignore", message=usual)
        yield


def _check_module(opacus: ModuleType, module: nn.Module) -> None:
    errors = opacus.validators.ModuleValidator.validate(module, strict=False)
    if errors:
        raise ValueError(f"model must have a gradient for every example; Opacus says: {errors[0]}")


def _opacus() -> ModuleType:
    try:
        opacus = import_module("opacus")
        import_module("opacus.accountants.utils")
    except ImportError as error:
        raise ImportError('DP-SGD needs Opacus: pip install "longtail[privacy]"') from error
    return opacus


# -- labels alone ----------------------------------------------------------------------------------------


def truth(classes: int, epsilon: float) -> float:
    """Chance that randomized response tells the true label, e^epsilon / (e^epsilon + classes - 1).

    Examples
    --------
    >>> truth(10, 0.0)
    0.1
    """
    others = _checks.whole("classes", classes, 2) - 1
    return 1 / (1 + others * math.exp(-_checks.real("epsilon", epsilon, 0)))


def randomize_labels(
    labels: ArrayLike, classes: int, epsilon: float, seed: _checks.Seed = None
) -> NDArray[np.int64]:
    """Randomized response: each label stays with chance `truth`, else becomes any other, independently.

    What is learned from these labels is (epsilon, 0)-private with respect to the labels (Warner 1965).

    Parameters
    ----------
    labels
        Labels in ``range(classes)``, shape (n,).
    classes
        Number of classes, at least 2.
    epsilon
        At least 0; infinity leaves the labels as they are.
    seed
        Seed or generator.
    """
    classes = _checks.whole("classes", classes, 2)
    true, keep = _checks.labels("labels", labels, classes), truth(classes, epsilon)
    rng = np.random.default_rng(seed)
    shift = rng.integers(1, classes, size=true.size)
    return np.where(rng.random(true.size) < keep, true, (true + shift) % classes)


def corrected(model: Model, classes: int, epsilon: float) -> Model:
    """Make a factory of modules for labels that went through randomized response (Patrini et al. 2017).

    The modules answer with the log-chances of the *reported* label, so that the cross-entropy with reported
    labels is smallest at the truth about true ones.  The class that they find likeliest is the same.

    Parameters
    ----------
    model
        Builds the module for true labels.
    classes, epsilon
        As in `randomize_labels`.
    """
    keep = truth(classes, epsilon)
    return model if keep == 1 else _Corrected(model, keep, classes)


@dataclass(frozen=True)
class _Corrected:
    """A factory that can be sent to another process."""

    model: Model
    keep: float
    classes: int

    def __call__(self) -> nn.Module:
        return _Response(self.model(), self.keep, self.classes)


class _Response(nn.Module):
    """The channel of randomized response behind a network."""

    def __init__(self, network: nn.Module, keep: float, classes: int) -> None:
        super().__init__()
        self.network, self.other = network, (1 - keep) / (classes - 1)
        self.more = keep - self.other

    def forward(self, x: Tensor) -> Tensor:
        chances: Tensor = torch.softmax(self.network(x), dim=-1)
        return torch.log(self.other + self.more * chances)
