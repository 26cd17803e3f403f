"""Noisy labels: posterior and majority against brute force and simulation."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from longtail import FrequencyPrior
from longtail.noise import (
    bayes_optimal,
    copier,
    label_confidence,
    label_posterior,
    majority,
    majority_accuracy,
    noisy_votes,
)
from longtail.worlds import draw_world
from scipy.stats import binom


@given(st.floats(0, 1), st.integers(2, 12))
def test_confidence_of_a_singleton_is_kappa(kappa, classes):
    assert label_confidence(np.eye(classes)[0], 0, kappa) == pytest.approx(kappa, abs=1e-12)


@given(st.lists(st.integers(0, 5), min_size=2, max_size=5), st.floats(0.01, 0.99))
def test_posterior_by_bayes_rule(votes, kappa):
    m = len(votes)
    chances = np.full((m, m), (1 - kappa) / m) + kappa * np.eye(m)  # row: truth, column: label seen
    likelihood = np.prod(chances ** np.array(votes), axis=1)
    assert label_posterior(votes, kappa) == pytest.approx(likelihood / likelihood.sum(), rel=1e-9)


def brute_majority(copies, kappa, classes):
    """Exact fraction, by listing all sequences of labels when the truth is 0."""
    kappa, total = Fraction(kappa), Fraction(0)
    chances = [kappa + (1 - kappa) / classes] + [(1 - kappa) / classes] * (classes - 1)
    for labels in itertools.product(range(classes), repeat=copies):
        votes = [labels.count(y) for y in range(classes)]
        if votes[0] == max(votes):
            p = Fraction(1)
            for y in labels:
                p *= chances[y]
            total += p / votes.count(max(votes))
    return float(total)


@pytest.mark.parametrize("copies", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("classes", [2, 3, 4])
@pytest.mark.parametrize("kappa", [0, 0.25, 0.5, 1])
def test_majority_is_exact(copies, classes, kappa):
    wanted = brute_majority(copies, kappa, classes)
    assert majority_accuracy(copies, kappa, classes) == pytest.approx(wanted, rel=1e-12)


def test_two_copies_are_no_better_than_one_and_three_are():
    for kappa, classes in itertools.product((0.1, 0.5, 0.9), (2, 10, 100)):
        one, two, three = (majority_accuracy(l, kappa, classes) for l in (1, 2, 3))
        assert two == pytest.approx(one, rel=1e-12)
        assert three > one


def test_majority_with_many_copies_is_right():
    assert majority_accuracy(60, 0.5, 10) == pytest.approx(1, abs=1e-6)


def test_majority_of_hundreds_is_a_binomial_tail():
    """With two classes: more than half of 201 votes; no factorial overflows."""
    assert majority_accuracy(201, 0.1, 2) == pytest.approx(binom.sf(100, 201, 0.55), rel=1e-10)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: label_posterior([1], 0.5), ValueError, "votes must be whole numbers for at least 2 labels"),
        (lambda: label_posterior([1, 0.5], 0.5), ValueError, "votes must be whole numbers"),
        (lambda: label_posterior([1, 1], 1), ValueError, "votes must agree when kappa is 1"),
        (lambda: label_posterior([1, 1], 1.2), ValueError, r"kappa must lie in \[0, 1\], got 1\.2"),
        (lambda: label_confidence([1, 0], 2, 0.5), ValueError, "label must be below 2"),
        (lambda: majority_accuracy(0, 0.5, 2), ValueError, "copies must be at least 1, got 0"),
        (lambda: majority_accuracy(1, 0.5, 1), ValueError, "classes must be at least 2, got 1"),
        (lambda: label_posterior("ab", 0.5), TypeError, "votes must be a list of numbers"),
    ],
)
def test_bad_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


# -- learners ----------------------------------------------------------------------------------------------


def accuracy(learn, copies, kappa, classes, rho=None, worlds=40_000):
    """Simulated chance to answer the true label of an element seen `copies` times, with its se."""
    rng = np.random.default_rng(3)
    f = rng.choice(classes, size=worlds, p=rho)
    shown = kappa * np.eye(classes)[f] + (1 - kappa) / classes
    hits = learn(rng.multinomial(copies, shown), rng) == f
    return hits.mean(), hits.std() / np.sqrt(worlds)


@pytest.mark.parametrize("copies", [0, 1, 2, 5])
def test_learners_are_as_accurate_as_the_formula_says(copies):
    kappa, classes = 0.4, 5
    exact = majority_accuracy(copies, kappa, classes) if copies else 1 / classes
    for learn in (majority, bayes_optimal(kappa, np.full(classes, 1 / classes))):
        value, se = accuracy(learn, copies, kappa, classes)
        assert abs(value - exact) < 4 * se
    value, se = accuracy(copier, copies, kappa, classes)
    assert abs(value - (kappa + (1 - kappa) / classes if copies else 1 / classes)) < 4 * se


def test_bayes_beats_majority_when_labels_are_not_alike():
    rho = [0.7, 0.1, 0.1, 0.1]
    for copies in (1, 2, 3):
        best, se = accuracy(bayes_optimal(0.4, rho), copies, 0.4, 4, rho)
        plain, _ = accuracy(majority, copies, 0.4, 4, rho)
        assert best > plain + 4 * se


def test_noisy_votes_add_up():
    world = draw_world(FrequencyPrior.zipf(50), classes=3, seed=0)
    votes = noisy_votes(world, 20_000, kappa=0.5, seed=1)
    assert votes.sum() == 20_000
    right = votes[np.arange(50), world.f].sum() / 20_000
    assert right == pytest.approx(0.5 + 0.5 / 3, abs=4 * 0.5 / np.sqrt(20_000))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bayes_optimal(0.5, [1]), "rho must be positive for at least 2 labels"),
        (lambda: bayes_optimal(0.5, [1, 0]), "rho must be positive"),
        (lambda: bayes_optimal(1, [0.5, 0.5]), "kappa must be below 1"),
        (
            lambda: noisy_votes(draw_world(FrequencyPrior.zipf(3), 2, 0), 0, 0.5),
            "n must be at least 1, got 0",
        ),
    ],
)
def test_bad_arguments_of_learners_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
