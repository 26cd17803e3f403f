"""Limits on every copy: closed forms against linear programs and exact chains."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from longtail import FrequencyPrior, mass_seen, optimal_error, price_of_limit, price_of_privacy
from longtail.learners import (
    CountLearner,
    fits_from,
    fits_singletons_with,
    limited,
    memorizer,
    private,
    randomized_response,
)
from longtail.limits import group_privacy, limited_fit, private_fit
from longtail.worlds import compositions
from scipy.optimize import linprog

EPSILONS = (0.05, 0.4, math.log(2), math.log(6), 3.0)


def best_private_fit(l, m, epsilon):
    """Best fit at l equal votes among all epsilon-private mechanisms, by linear programming.

    A mechanism is a law over labels for every vector of votes.  Averaging over renamings of the labels keeps
    it private, so that P(z | votes) is a variable for each (votes for z, votes for the others in order).
    """

    def key(votes, z):
        return votes[z], tuple(sorted(votes[:z] + votes[z + 1 :]))

    states = compositions(l, m)
    index = {k: i for i, k in enumerate(sorted({key(v, z) for v in states for z in range(m)}))}
    sums, ratios = [], set()
    for v in states:
        row = np.zeros(len(index))
        np.add.at(row, [index[key(v, z)] for z in range(m)], 1)
        sums.append(row)
        for i in (i for i in range(m) if v[i]):
            for j in (j for j in range(m) if j != i):
                moved = tuple(c - (k == i) + (k == j) for k, c in enumerate(v))
                ratios |= {(index[key(v, z)], index[key(moved, z)]) for z in range(m)}
    rows = np.zeros((len(ratios), len(index)))
    for row, (a, b) in zip(rows, sorted(ratios), strict=True):
        row[a] += 1
        row[b] -= math.exp(epsilon)
    goal = np.zeros(len(index))
    goal[index[key((l,) + (0,) * (m - 1), 0)]] = -1
    solved = linprog(goal, rows, np.zeros(len(rows)), np.array(sums), np.ones(len(sums)), (0, 1))
    return -solved.fun


@pytest.mark.parametrize(("l", "m"), [(1, 2), (1, 5), (2, 2), (2, 5), (3, 3), (3, 5), (4, 4), (5, 3), (6, 2)])
def test_private_fit_is_the_optimum_of_the_linear_program(l, m):
    for epsilon in EPSILONS:
        assert private_fit(l, m, epsilon) == pytest.approx(best_private_fit(l, m, epsilon), abs=1e-7)


@given(st.integers(1, 300), st.floats(0, 30))
def test_two_labels_by_the_chain_from_the_middle(l, epsilon):
    """With two labels the best chance of a miss falls by e^-epsilon a step from the tie on."""
    tie = 0.5 if l % 2 == 0 else 1 / (1 + math.exp(epsilon))
    assert 1 - private_fit(l, 2, epsilon) == pytest.approx(tie * math.exp(-(l // 2) * epsilon), abs=1e-15)


@given(st.integers(1, 60), st.integers(2, 50), st.floats(0, 20))
def test_private_fit_between_randomized_response_and_group_privacy(l, m, epsilon):
    group = 1 / (1 + (m - 1) * math.exp(-l * epsilon))
    assert private_fit(1, m, epsilon) - 1e-15 <= private_fit(l, m, epsilon) <= group + 1e-15
    assert private_fit(l, m, epsilon) <= private_fit(l + 1, m, epsilon) + 1e-15


def test_private_fit_at_the_ends():
    assert private_fit(0, 4, 1.0) == private_fit(9, 4, 0.0) == 0.25
    assert private_fit(1, 4, math.inf) == 1
    assert private_fit(10**9, 4, 1e-3) == 1
    assert private_fit(1, 10, math.log(6)) == pytest.approx(0.4, rel=1e-14)


@given(st.integers(1, 40), st.floats(0, 5), st.floats(0, 0.5))
def test_group_privacy_by_steps(l, epsilon, delta):
    """One change after another: Pr <= e^epsilon Pr' + delta, l times."""
    factor, total = 1.0, 0.0
    for _ in range(l):
        factor, total = factor * math.exp(epsilon), math.exp(epsilon) * total + delta
    group = group_privacy(l, epsilon, delta)
    assert group.epsilon == pytest.approx(math.log(factor), abs=1e-9)
    assert group.delta == pytest.approx(min(1, total), rel=1e-9)
    assert group.delta <= l * math.exp((l - 1) * epsilon) * delta * (1 + 1e-12)


def test_group_privacy_does_not_overflow():
    assert group_privacy(10**6, 50.0, 1e-300).delta == 1.0


# -- learners that go by counts ---------------------------------------------------------------------------

PRIOR, N, CLASSES = FrequencyPrior.zipf(200), 300, 4
LEARNERS = [
    memorizer,
    fits_from(3),
    fits_singletons_with(0.6),
    limited(0.2),
    randomized_response(1),
    private(1),
]


@pytest.mark.parametrize("learner", LEARNERS)
def test_error_is_the_sum_over_all_counts(learner):
    whole = sum(
        mass_seen(PRIOR, N, l) * (1 - (learner.fit(l, CLASSES) if l else 1 / CLASSES)) for l in range(N + 1)
    )
    assert learner.error(PRIOR, N, CLASSES) == pytest.approx(whole, rel=1e-10)


@given(st.floats(0, 1))
def test_limited_learner_meets_its_limit(gamma):
    scores = [limited(gamma).memorization(l, CLASSES) for l in range(1, 20)]
    assert max(scores) <= gamma + 1e-12
    assert scores[0] == pytest.approx(min(gamma, 1 - 1 / CLASSES), abs=1e-12)


@given(st.floats(0, 1))
def test_limit_on_every_example_costs_at_least_the_limit_on_singletons(gamma):
    excess = limited(gamma).error(PRIOR, N, CLASSES) - optimal_error(PRIOR, N, CLASSES)
    least = price_of_limit(PRIOR, N, CLASSES, gamma)
    assert excess >= least - 1e-12
    if gamma >= (1 - 1 / CLASSES) / 2:  # then a pair can be fitted
        assert excess == pytest.approx(least, abs=1e-12)
    elif gamma < 0.3:
        assert excess > 1.1 * least


@given(st.floats(0.01, 10))
def test_privacy_on_every_example_costs_more_than_on_singletons(epsilon):
    best = optimal_error(PRIOR, N, CLASSES)
    on_singletons = price_of_privacy(PRIOR, N, CLASSES, epsilon)
    everywhere, response = (
        A(epsilon).error(PRIOR, N, CLASSES) - best for A in (private, randomized_response)
    )
    assert on_singletons < everywhere <= response + 1e-12
    assert price_of_privacy(PRIOR, N, CLASSES, epsilon, tight=False) <= on_singletons + 1e-15


def test_count_learner_answers_as_often_as_it_says():
    from longtail.worlds import Sample

    counts = np.repeat([0, 1, 2, 5], 20_000)
    sample = Sample(counts, np.where(counts, 1, -1), classes=3)
    h = CountLearner(lambda l, m: l / (l + 1))(sample, np.random.default_rng(0))
    for l, chance in ((0, 1 / 3), (1, 1 / 2), (2, 2 / 3), (5, 5 / 6)):
        assert (h[counts == l] == 1).mean() == pytest.approx(chance, abs=4 * 0.5 / math.sqrt(20_000))
        assert (h[counts == l] == 0).mean() == pytest.approx((1 - chance) / 2, abs=2 / math.sqrt(20_000))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: limited_fit(-1, 2, 0.1), "l must be at least 0, got -1"),
        (lambda: limited_fit(1, 2, 1.1), r"gamma must lie in \[0, 1\], got 1\.1"),
        (lambda: private_fit(1, 1, 0.1), "classes must be at least 2, got 1"),
        (lambda: private_fit(1, 2, -1), r"epsilon must lie in \[0, inf\], got -1"),
        (lambda: group_privacy(0, 1), "l must be at least 1, got 0"),
        (lambda: limited(-0.1), "gamma must lie"),
        (lambda: private(-1), "epsilon must lie"),
        (lambda: randomized_response(math.nan), "epsilon must lie"),
        (lambda: memorizer.memorization(0, 2), "l must be at least 1, got 0"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
