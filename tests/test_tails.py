"""The two lemmas on tails: true on random priors, tight where they should be, and their hypotheses matter."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from longtail import FrequencyPrior, tau
from longtail.tails import best_interval, no_tail_upper_bound, tail_constant, tail_lower_bound

lists = st.lists(st.floats(1e-6, 1), min_size=1, max_size=8)


@given(lists, st.integers(1, 200), st.floats(0, 1), st.floats(0, 1), st.sampled_from(["fixed", "iid"]))
def test_lower_bound_holds_for_every_interval(values, n, a, b, reading):
    prior = FrequencyPrior(values)
    bound = tail_lower_bound(prior, n, min(a, b), max(a, b), reading=reading)
    # the iid weight is right up to what a discrete law of the normaliser puts on either side of an end
    slack = 1e-12 if reading == "fixed" else 0.02
    assert bound <= tau(prior, n, 1, reading) * (1 + slack) + 1e-15


@given(lists, st.integers(3, 200))
def test_order_of_the_lower_bounds(values, n):
    """In rising order: with the paper's constant, with the sharp one, on the best interval, tau_1 itself."""
    prior = FrequencyPrior(values)
    paper, sharp = tail_lower_bound(prior, n, tight=False), tail_lower_bound(prior, n)
    assert paper <= sharp <= best_interval(prior, n).bound * (1 + 1e-12) <= tau(prior, n) * (1 + 2e-12)


def test_sharp_constant_is_approached():
    """Vanishing weight at 1/(3n) beside mass near 0: the ratio of tau_1 to the bound tends to 1."""
    n, dust, ratios = 1000, 10**15, []
    for members in (1000, 100, 1):
        alpha = (1 + 1e-9) / (3 * n)  # just inside, whatever the rounding
        prior = FrequencyPrior([alpha, (1 - members * alpha) / dust], [members, dust])
        ratios.append(tau(prior, n) / tail_lower_bound(prior, n))
    assert all(a > b for a, b in itertools.pairwise(ratios))
    assert 1 <= ratios[-1] < 1.001
    assert tail_constant(10**12, 1 / (3e12), 2e-12) == pytest.approx(math.exp(-1 / 3) / 3, rel=1e-6)


def test_no_constant_at_n_2():
    """Then 2/n = 1, and an element that holds everything is never a singleton."""
    assert tail_constant(2, 1 / 6, 1) == 0
    assert tail_constant(3, 1 / 9, 2 / 3) > 0.2


def test_best_interval_against_all_intervals():
    prior, n = FrequencyPrior.zipf(60), 40
    alpha = prior.frequencies
    brute = max(tail_lower_bound(prior, n, low, high) for low in alpha for high in alpha if low <= high)
    best = best_interval(prior, n)
    assert best.bound == pytest.approx(brute, rel=1e-12)
    assert tail_lower_bound(prior, n, best.low, best.high) == pytest.approx(best.bound, rel=1e-12)


@given(st.integers(10, 10_000), st.floats(1e-9, 0.3), st.integers(1, 9), st.floats(0.01, 0.9))
def test_upper_bound_holds_where_its_hypotheses_do(n, theta_n, head, share):
    """Random worlds with a head and dust below theta; outside the hypotheses a clear error."""
    theta = theta_n / n
    dust = math.ceil(share / (0.99 * theta))
    prior = FrequencyPrior([(1 - share) / head, share / dust], [head, dust])
    try:
        bound = no_tail_upper_bound(prior, n, theta)
    except ValueError as error:
        assert "no weight in [theta, t/n]" in str(error)  # noqa: PT017
        assert (1 - share) / head <= (math.log(1 / (theta * share)) + 2) / n * 1.01
    else:
        assert tau(prior, n) <= bound * (1 + 1e-12)


def test_upper_bound_is_loose_by_two():
    prior, n, theta = FrequencyPrior([0.1, 1e-6], [9, 100_000]), 1000, 1e-6 * (1 + 1e-9)
    assert tau(prior, n) / no_tail_upper_bound(prior, n, theta) == pytest.approx(0.5, rel=1e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: tail_lower_bound(p, 2, tight=False), "tight=False is for the paper's interval and n >= 3"),
        (lambda p: tail_lower_bound(p, 5, 0.1, tight=False), "tight=False is for the paper's interval"),
        (lambda p: tail_constant(5, 0.5, 0.4), r"high must lie in \[0\.5, 1\], got 0\.4"),
        (lambda p: no_tail_upper_bound(p, 100, 0.01), r"theta must lie in \[0, 0\.005\], got 0\.01"),
        (lambda p: no_tail_upper_bound(p, 10, 1e-9), "theta must leave some weight in"),
        (lambda p: no_tail_upper_bound(p, 100, 0.005), r"theta must leave no weight in \[theta, t/n\]"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(FrequencyPrior.zipf(100))


def test_zipf_weight_is_a_constant_over_the_harmonic_number():
    """weight([1/(3n), 2/n]) = ln 6 / H_N once both ends lie in the list, up to one element at each end."""
    for N in (10**4, 10**6):
        n, H = N // 10, (1 / np.arange(1, N + 1)).sum()
        assert FrequencyPrior.zipf(N).weight(1 / (3 * n), 2 / n) * H == pytest.approx(
            np.log(6), abs=4 * H / n
        )
