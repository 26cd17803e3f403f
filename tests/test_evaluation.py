"""Errors by group, by counting."""

import numpy as np
import pytest
from longtail.evaluation import buckets, error_by_group, standard_error


def test_errors_by_counting():
    rng = np.random.default_rng(0)
    correct, group = rng.random((7, 50)) < 0.8, rng.choice(["b", "a", "c"], 50)
    found = error_by_group(correct, group)
    assert found.group.tolist() == ["a", "b", "c"]
    for k, name in enumerate(found.group):
        runs = [np.mean(~row[group == name]) for row in correct]
        assert found.size[k] == (group == name).sum()
        np.testing.assert_allclose(found.runs[:, k], runs, rtol=1e-13)
        assert found.error[k] == pytest.approx(np.mean(runs))
        assert found.se[k] == pytest.approx(np.std(runs, ddof=1) / np.sqrt(7))
    assert found.error @ found.size / 50 == pytest.approx(np.mean(~correct))


def test_one_model_has_no_standard_error():
    found = error_by_group([True, False, True], [0, 0, 1])
    assert found.error.tolist() == [0.5, 0]
    assert np.isnan(found.se).all()
    assert np.isnan(standard_error([[1.0, 2.0]])).all()


def test_buckets():
    assert buckets([-1, 0.1, 0.2, 0.5, 1], [0.2, 0.5]).tolist() == [0, 0, 1, 2, 2]


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (lambda: error_by_group([1, 0], [0, 0]), "correct must be bool, shape"),
        (lambda: error_by_group([True, False], [0]), "group must have one entry for each of 2 examples"),
        (lambda: buckets([np.nan], [0.5]), "scores must not be NaN, got 1 of them"),
        (lambda: buckets([0.1], [0.5, 0.5]), r"edges must be finite and rise, got \[0\.5, 0\.5\]"),
    ],
)
def test_bad_arguments_are_named(work, message):
    with pytest.raises(ValueError, match=message):
        work()


def test_buckets_of_negative_scores():
    """Memorization scores lie between -1 and 1."""
    assert buckets([-0.3, 0.0, 0.9], [-0.1, 0.5]).tolist() == [0, 1, 2]
