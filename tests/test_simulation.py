"""Fast simulation is exact in law: against enumeration, against exact means, against the plain way."""

from collections import Counter
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import torch
from longtail import FrequencyPrior
from longtail.learners import fits_from, limited, memorizer, private
from longtail.simulation import _Sampler, alias_table, simulate
from longtail.worlds import draw_world
from scipy.stats import chisquare, ks_2samp

LEARNERS = {
    "memorizer": memorizer,
    "from two": fits_from(2),
    "limited": limited(0.3),
    "private": private(1.0),
}


@pytest.mark.parametrize("weights", [[1.0], [3, 1], [1, 1, 1], [1e-9, 1, 5, 2], list(range(1, 100))])
def test_alias_table_has_the_law(weights):
    """Mass that stays and mass that comes, to rounding."""
    law = np.array(weights) / np.sum(weights)
    keep, alias = alias_table(np.array(weights, dtype=float))
    found = keep.copy()
    np.add.at(found, alias, 1 - keep)
    np.testing.assert_allclose(found / law.size, law, atol=1e-15)


@pytest.mark.parametrize("common", [0.3, 1e9])
def test_counts_have_the_multinomial_law(monkeypatch, common):
    """All 15 vectors of four draws from three elements, with and without an alias table."""
    monkeypatch.setattr("longtail.simulation.COMMON", common * 4)
    law = [Fraction(6, 11), Fraction(3, 11), Fraction(2, 11)]
    expected: Counter[tuple[int, ...]] = Counter()
    for draw in product(range(3), repeat=4):
        chance = np.prod([law[i] for i in draw])
        expected[tuple(draw.count(i) for i in range(3))] += chance
    sampler = _Sampler(FrequencyPrior.zipf(3), 4, torch.device("cpu"), np.random.default_rng(0))
    worlds = 20_000
    seen = Counter(map(tuple, sampler.counts(worlds)[0].tolist()))
    assert set(seen) <= set(expected)
    assert len(expected) == 15
    observed = [seen[k] for k in expected]
    assert chisquare(observed, [worlds * float(c) for c in expected.values()]).pvalue > 1e-4


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize("prior", [FrequencyPrior.zipf(300), FrequencyPrior([5, 1], [3, 400])])
def test_mean_error_is_the_exact_one(name, prior):
    """Within four standard errors, which are below 1 % of the error."""
    errors = simulate(prior, 500, 10, LEARNERS[name], 3000, seed=1)
    exact, se = LEARNERS[name].error(prior, 500, 10), errors.std() / np.sqrt(errors.size)
    assert abs(errors.mean() - exact) < 4 * se
    assert se < 0.01 * exact


def test_law_is_that_of_the_plain_simulation():
    """Kolmogorov and Smirnov cannot tell 1,500 errors from as many of `draw_world` and its relatives."""
    prior, n, learner, rng = FrequencyPrior.zipf(60), 40, fits_from(2), np.random.default_rng(2)
    plain = []
    for _ in range(1500):
        world = draw_world(prior, 3, rng)
        plain.append(world.error(learner(world.sample(n, rng), rng)))
    fast = simulate(prior, n, 3, learner, 1500, seed=3)
    assert ks_2samp(plain, fast).pvalue > 1e-3
    assert ks_2samp(plain, simulate(prior, n, 3, memorizer, 1500, seed=3)).pvalue < 1e-6


def test_seeds_repeat_and_worlds_differ():
    """The same seed gives the same errors; no two worlds are alike."""
    zipf = FrequencyPrior.zipf(1000)
    once, again = (simulate(zipf, 800, 10, memorizer, 50, seed=5) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    assert len(set(once)) == 50


def test_one_world_of_one_element():
    """Nothing is rare, nothing is unseen."""
    assert simulate(FrequencyPrior.uniform(1), 3, 2, memorizer, 4, seed=0).tolist() == [0, 0, 0, 0]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_gpu_has_the_same_law():
    """Other random numbers, the same law."""
    zipf = FrequencyPrior.zipf(500)
    on_cpu, on_gpu = (simulate(zipf, 400, 10, memorizer, 2000, seed=0, device=d) for d in ("cpu", "cuda"))
    assert ks_2samp(on_cpu, on_gpu).pvalue > 1e-3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "n must be at least 1"),
        ({"classes": 1}, "classes must be at least 2"),
        ({"worlds": 0}, "worlds must be at least 1"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    """Errors name the argument, what was expected and what came."""
    good = {"prior": FrequencyPrior.zipf(5), "n": 5, "classes": 2, "learner": memorizer, "worlds": 2}
    with pytest.raises(ValueError, match=message):
        simulate(**{**good, **arguments})
