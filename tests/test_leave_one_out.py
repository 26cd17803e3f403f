"""Leave-one-out in closed form against training again without each example."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from longtail import leave_one_out
from longtail.leave_one_out import kernel_ridge, knn, ridge


def problem(n, d, classes, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(classes, size=n)
    return rng.standard_normal((n, d)) + 1.2 * rng.standard_normal((classes, d))[y], y


def vote(x, y, query, k):
    order = np.argsort(((x - query) ** 2).sum(axis=1), kind="stable")[:k]
    return np.bincount(y[order], minlength=y.max() + 1).argmax()


@pytest.mark.parametrize("few", [leave_one_out.FEW, 0])  # neighbours taken one by one, and by sorting
@pytest.mark.parametrize("k", [1, 2, 3, 8, 59])
def test_knn_by_definition(k, few, monkeypatch):
    monkeypatch.setattr(leave_one_out, "FEW", few)
    x, y = problem(60, 3, 4)
    result = knn(x, y, k)
    for i in range(60):
        rest = np.arange(60) != i
        own = np.argsort(((x - x[i]) ** 2).sum(axis=1), kind="stable")[:k]
        assert result.correct[i] == (np.bincount(y[own], minlength=4).argmax() == y[i])
        assert result.correct_without[i] == (vote(x[rest], y[rest], x[i], k) == y[i])


def test_knn_with_equal_points():
    """A copy with the same label keeps a point from being memorized, one with another label does not."""
    x = np.array([[0.0], [0.0], [3.0], [3.0]])
    np.testing.assert_array_equal(knn(x, np.array([0, 0, 0, 1])).memorization, [0, 0, 1, 1])


def refitted(kernel, y, penalty):
    targets, n = np.eye(y.max() + 1)[y], len(y)
    whole = kernel @ np.linalg.solve(kernel + penalty * np.eye(n), targets)
    without = []
    for i in range(n):
        rest = np.arange(n) != i
        inner = kernel[np.ix_(rest, rest)] + penalty * np.eye(n - 1)
        without.append(kernel[i, rest] @ np.linalg.solve(inner, targets[rest]))
    return whole.argmax(axis=1) == y, np.array(without).argmax(axis=1) == y


@given(st.integers(0, 1000), st.sampled_from([(30, 4), (30, 60)]), st.floats(1e-3, 10))
def test_ridge_by_refitting(seed, shape, penalty):
    """Narrow and wide data; decisions could differ only at equal outputs, which have probability 0."""
    x, y = problem(*shape, 3, seed)
    correct, without = refitted(x @ x.T, y, penalty)
    result = ridge(x, y, penalty)
    np.testing.assert_array_equal(result.correct, correct)
    np.testing.assert_array_equal(result.correct_without, without)


def test_kernel_ridge_by_refitting():
    x, y = problem(50, 2, 3)
    kernel = np.exp(-((x[:, None] - x) ** 2).sum(-1))
    correct, without = refitted(kernel, y, 0.1)
    result = kernel_ridge(kernel, y, 0.1)
    np.testing.assert_array_equal(result.correct, correct)
    np.testing.assert_array_equal(result.correct_without, without)
    np.testing.assert_array_equal(result.memorization, correct.astype(int) - without)
    assert 0 < result.memorization.mean() < 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, y: knn(x, y, 60), "k must be below the number of points 60, got 60"),
        (lambda x, y: knn(x, y[1:]), "y must have a label for each of 60 points, got 59"),
        (lambda x, y: knn(x, y - 1), r"y must lie in range\(inf\), got -1"),
        (lambda x, y: knn(x * np.nan, y), "x must be a finite matrix"),
        (lambda x, y: ridge(x, y, 0), "penalty must be positive, got 0"),
        (lambda x, y: kernel_ridge(x, y, 1), "kernel must be a symmetric matrix"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(*problem(60, 3, 4))


def test_points_far_from_the_origin():
    """Distances, not squares of coordinates: a shift by a whole number changes no answer."""
    points = np.random.default_rng(0).integers(-1000, 1000, (300, 3)).astype(float)
    y = np.arange(300) % 3
    for k in (1, 5):
        near, far = (knn(points + shift, y, k) for shift in (0, 1e8))
        assert np.array_equal(near.correct_without, far.correct_without)


def test_labels_are_names():
    """Large labels take no memory, and their order alone matters."""
    x, y = np.random.default_rng(1).standard_normal((40, 3)), np.arange(40) % 3
    for learner in (knn, lambda x, y: ridge(x, y, 0.1), lambda x, y: kernel_ridge(x @ x.T, y, 0.1)):
        few, large = learner(x, y), learner(x, np.array([7, 60_637, 10**12])[y])
        assert np.array_equal(few.memorization, large.memorization)


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (np.array([[1.0, 0.5], [0.0, 1.0]]), "kernel must be a symmetric matrix"),
        (np.diag([1.0, -2.0]), "kernel plus penalty 1 must be positive definite"),
    ],
)
def test_kernels_that_are_none(kernel, message):
    with pytest.raises(ValueError, match=message):
        kernel_ridge(kernel, [0, 1], 1)
