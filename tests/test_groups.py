"""Disparate prices: the paper's mixtures, and the mixture's own sampling of group sizes."""

import numpy as np
import pytest
from longtail import FrequencyPrior, optimal_error, price_of_limit
from longtail.groups import Group, disparate_price
from longtail.learners import fits_singletons_with, limited, memorizer
from scipy.stats import binom

SMALL, LARGE = FrequencyPrior.zipf(5_000), FrequencyPrior.zipf(25_000)


def test_paper_mixtures():
    """P = 5/6 P1 + 1/6 P2 and P = 1/2 P1 + 1/2 P3 of section 4.4, at gamma = 0.5."""
    learner = fits_singletons_with(0.6)
    one, two, both = disparate_price([Group("P1", SMALL, 50_000), Group("P2", SMALL, 10_000)], 10, learner)
    assert (round(one.price, 3), round(two.price, 3)) == (0.015, 0.035)
    assert two.price > 2 * one.price
    assert both.price == pytest.approx(5 / 6 * one.price + 1 / 6 * two.price, rel=1e-12)
    one, three, _ = disparate_price([Group("P1", SMALL, 50_000), Group("P3", LARGE, 50_000)], 10, learner)
    assert (round(one.price, 3), round(three.price, 3)) == (0.015, 0.031)
    assert 2 < three.price / one.price < 2.2


def test_one_group_is_the_plain_price():
    group, all_ = disparate_price([Group("only", SMALL, 10_000)], 10, limited(0.5))
    assert group.optimal_error == pytest.approx(optimal_error(SMALL, 10_000, 10), rel=1e-12)
    assert group.price == pytest.approx(price_of_limit(SMALL, 10_000, 10, 0.5), rel=1e-9)
    assert (all_.optimal_error, all_.price) == (group.optimal_error, group.price)


def test_random_group_sizes_change_little():
    """A group's size in a sample is binomial; the mean price differs by a share of order 1/n."""
    prior, n, share = FrequencyPrior.zipf(200), 600, 1 / 6
    sizes = np.arange(60, 145)
    weights = binom.pmf(sizes, n, share)
    assert weights.sum() > 1 - 1e-5
    averaged = weights @ [price_of_limit(prior, int(k), 10, 0.5) for k in sizes]
    fixed = disparate_price([Group("small", prior, 100)], 10, limited(0.5))[0].price
    assert averaged == pytest.approx(fixed, rel=0.003)


def test_bad_groups_are_named():
    same = [Group("a", SMALL, 10), Group("a", SMALL, 10)]
    for groups in ([], same, [Group("all", SMALL, 10)]):
        with pytest.raises(ValueError, match="groups must have names of their own"):
            disparate_price(groups, 10, memorizer)
    with pytest.raises(ValueError, match="n of group 'a' must be at least 1, got 0"):
        disparate_price([Group("a", SMALL, 0)], 10, memorizer)
