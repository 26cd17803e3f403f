"""What is planted is what is said."""

import numpy as np
import pytest
from longtail import FrequencyPrior
from longtail.planting import flip_labels, plant_sizes
from scipy.stats import chi2

POOL = np.random.default_rng(0).integers(20, size=20_000)


def test_planted_sizes_follow_the_prior():
    prior = FrequencyPrior.zipf(20)
    planted = plant_sizes(POOL, prior, 800, seed=1)
    np.testing.assert_array_equal(np.bincount(POOL[planted.chosen], minlength=20), planted.counts)
    assert len(np.unique(planted.chosen)) == 800
    np.testing.assert_allclose(np.sort(planted.D)[::-1], prior.frequencies)
    statistic = ((planted.counts - 800 * planted.D) ** 2 / (800 * planted.D)).sum()
    assert statistic < chi2.isf(1e-4, 19)


def test_rarity_is_independent_of_the_subpopulation():
    prior = FrequencyPrior.zipf(20)
    rarest = [plant_sizes(POOL, prior, 50, seed=s).D.argmax() for s in range(400)]
    counts = np.bincount(rarest, minlength=20)
    assert ((counts - 20) ** 2 / 20).sum() < chi2.isf(1e-4, 19)


def test_chosen_examples_of_a_subpopulation_are_a_random_part():
    picks = np.zeros(POOL.size)
    for seed in range(300):
        picks[plant_sizes(POOL, FrequencyPrior.uniform(20), 400, seed).chosen] += 1
    expected = 300 * 20 / np.bincount(POOL)[POOL]
    assert ((picks - expected) ** 2 / expected).mean() == pytest.approx(1, abs=0.06)


def test_flipped_labels():
    true = np.random.default_rng(0).integers(7, size=10_000)
    labels, wrong = flip_labels(true, 7, 0.1, seed=1)
    assert wrong.sum() == 1_000
    np.testing.assert_array_equal(labels != true, wrong)
    shift = np.bincount((labels - true)[wrong] % 7, minlength=7)[1:]
    assert ((shift - 1000 / 6) ** 2 / (1000 / 6)).sum() < chi2.isf(1e-4, 5)
    np.testing.assert_array_equal(flip_labels(true, 7, 0.0, seed=1).labels, true)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: plant_sizes([0, 20], FrequencyPrior.zipf(20), 1),
            r"subpopulation must lie in range\(20\)",
        ),
        (
            lambda: plant_sizes([0, 1], FrequencyPrior.zipf(2), 5, 0),
            "n = 5 asks for . examples of",
        ),
        (lambda: flip_labels([0, 3], 3, 0.5), r"labels must lie in range\(3\), got 3"),
        (lambda: flip_labels([0, 1], 2, 1.5), r"share must lie in \[0, 1\], got 1\.5"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
