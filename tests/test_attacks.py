"""Attacks: by definition, at their extremes, and their standard errors and intervals by simulation."""

import numpy as np
import pytest
from longtail import attacks
from longtail.ensembles import Dataset, Recipe, logits, mlp, subset, train_modules
from scipy.stats import norm
from sklearn.metrics import roc_auc_score, roc_curve


def test_confidence_is_the_log_odds():
    z = np.random.default_rng(0).standard_normal((4, 7, 3))
    y = np.arange(7) % 3
    p = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    p = p[:, np.arange(7), y]
    np.testing.assert_allclose(attacks.confidence(z, y), np.log(p / (1 - p)), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(attacks.loss(attacks.confidence(z, y)), -np.log(p), rtol=1e-12)
    assert attacks.confidence([[800.0, 0.0]], [0]) == 800  # where 1 - p is 0 in floating point


def test_roc_and_area_agree_with_scikit_learn():
    rng = np.random.default_rng(1)
    inside = rng.random(500) < 0.3
    scores = np.round(rng.standard_normal(500) + inside, 1)  # with ties
    assert attacks.auc(scores, inside).value == pytest.approx(roc_auc_score(inside, scores), abs=1e-12)
    other, found, threshold = roc_curve(inside, scores, drop_intermediate=False)
    curve = attacks.roc(scores, inside)
    np.testing.assert_allclose(curve.false_positive, other[1:], atol=1e-12)
    np.testing.assert_allclose(curve.true_positive, found[1:], atol=1e-12)
    np.testing.assert_array_equal(curve.threshold, threshold[1:])


def test_standard_error_of_the_area():
    """Over 2,000 samples: unbiased, and the mean squared standard error is the variance."""
    rng = np.random.default_rng(2)
    inside = np.arange(80) < 30
    found = [attacks.auc(rng.standard_normal(80) + inside, inside) for _ in range(2000)]
    value, se = np.array(found).T
    assert abs(value.mean() - norm.cdf(1 / np.sqrt(2))) < 4 * value.std() / np.sqrt(2000)
    spread = (value - value.mean()) ** 2
    assert abs((se**2).mean() - spread.mean()) < 4 * spread.std() / np.sqrt(2000)


def test_perfect_and_useless_attacks():
    inside = np.arange(1000) % 2 == 0
    assert attacks.auc(inside.astype(float), inside) == (1.0, 0.0)
    assert attacks.true_positive_rate(inside.astype(float), inside, 0.001).value == 1
    assert attacks.auc(np.zeros(1000), inside) == (0.5, 0.0)
    blind = attacks.auc(np.random.default_rng(3).standard_normal(1000), inside)
    assert abs(blind.value - 0.5) < 4 * blind.se


def test_true_positive_rate_by_counting():
    others, members = np.arange(1000), np.array([998.5, 998.0, 997.5, 999.5])
    scores, inside = np.concatenate([others, members]), np.arange(1004) >= 1000
    assert attacks.true_positive_rate(scores, inside, 0).value == 0.25
    rate = attacks.true_positive_rate(scores, inside, 0.001)  # one false alarm: above 998
    assert rate.value == 0.5
    assert rate.low == pytest.approx(0.0676, abs=1e-4)  # Clopper-Pearson, 2 of 4
    assert rate.high == pytest.approx(0.9324, abs=1e-4)
    assert attacks.true_positive_rate(scores, inside, 1).value == 1


def lira_by_hand(values, inside, t, i):
    rest = np.arange(len(values)) != t
    laws = [values[rest & side, i] for side in (inside[:, i], ~inside[:, i])]
    if min(map(len, laws)) < 2:
        return np.nan
    return np.subtract(*(norm.logpdf(values[t, i], law.mean(), law.std(ddof=1)) for law in laws))


def test_lira_by_definition():
    rng = np.random.default_rng(4)
    inside = rng.random((9, 12)) < 0.6
    inside[:, 0] = np.arange(9) < 1
    values = 50 + rng.standard_normal((9, 12)) + inside
    expected = [[lira_by_hand(values, inside, t, i) for i in range(12)] for t in range(9)]
    np.testing.assert_allclose(attacks.lira(values, inside), expected, rtol=1e-9, atol=1e-9)
    assert np.isnan(expected).any()


def test_lira_with_one_variance_for_all():
    """Against the best possible test between two normal laws, whose area is known."""
    rng = np.random.default_rng(5)
    inside = rng.random((40, 3000)) < 0.5
    centre = 10 * rng.standard_normal(3000)
    values = centre + 1.5 * inside + rng.standard_normal((40, 3000))
    best = norm.cdf(1.5 / np.sqrt(2))
    pooled, each = (attacks.auc(attacks.lira(values, inside, pooled=p), inside).value for p in (True, False))
    assert best - 0.03 < pooled < best  # means of 20 values instead of known ones cost a little
    assert each < pooled
    plain = attacks.auc(-attacks.loss(values), inside).value
    assert plain < 0.6  # examples differ in difficulty; only lira corrects for it


def test_models_that_memorize_all_and_nothing():
    """Networks on random labels: seen labels are known for sure; labels not learned leak nothing."""
    rng = np.random.default_rng(6)
    x, y = rng.standard_normal((60, 40)).astype(np.float32), rng.integers(10, size=60)
    data = Dataset(x, y, x, y)
    inside = np.zeros((24, 60), dtype=bool)
    for k in range(24):
        inside[k, subset(0, k, 60, 30)] = True
    fitted = train_modules(data, mlp(40, 64, 10), range(24), 0.5, Recipe(epochs=60, batch_size=10, lr=0.1))
    scores = attacks.confidence(logits(fitted, x), y)
    assert attacks.auc(attacks.lira(scores, inside, pooled=True), inside).value > 0.999
    assert attacks.auc(-attacks.loss(scores), inside).value > 0.99
    still = train_modules(data, mlp(40, 64, 10), range(24), 0.5, Recipe(epochs=1, lr=0.0))
    scores = attacks.confidence(logits(still, x), y)
    for attack in (attacks.lira(scores, inside), -attacks.loss(scores)):
        found = attacks.auc(attack, inside)
        assert abs(found.value - 0.5) < 4 * found.se


def test_identical_models_give_numbers():
    inside = np.arange(80).reshape(16, 5) % 3 == 0
    found = attacks.lira(inside.astype(float), inside)
    assert np.isfinite(found).all()
    assert attacks.auc(found, inside).value == 1


def test_lower_bound_on_epsilon_by_randomized_response():
    """Who is told the truth by randomized response proves nearly the whole epsilon, and no more."""
    rng, epsilon = np.random.default_rng(7), 2.0
    bounds = []
    for _ in range(400):
        inside = rng.random(4000) < 0.5
        told = inside ^ (rng.random(4000) < 1 / (1 + np.exp(epsilon)))
        bounds.append(attacks.epsilon_lower_bound(told.astype(float), inside, 0.5))
    wrong = np.mean(np.array(bounds) > epsilon)
    assert wrong < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 400)
    assert np.median(bounds) > 0.85 * epsilon
    assert attacks.epsilon_lower_bound(told.astype(float), inside, 0.5, delta=1.0) == 0


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (lambda: attacks.auc([1.0, np.nan], [True, False]), "scores must not be NaN, got 1 of them"),
        (lambda: attacks.auc([1.0, 2.0], [True, True]), "inside must have members and others, got 2 of 2"),
        (lambda: attacks.auc([1.0, 2.0], [1, 0]), "inside must be bool and shaped like the scores"),
        (lambda: attacks.true_positive_rate([1.0, 2.0], [True, False], 2), r"at must lie in \[0, 1\], got 2"),
        (lambda: attacks.confidence([1.0], [0]), "logits must be finite, of shape"),
        (lambda: attacks.confidence([[1.0, 2.0]], [2]), r"labels must lie in range\(2\), got 2"),
        (lambda: attacks.confidence([[1.0, 2.0]], [0, 1]), "labels must have one for each of 1 examples"),
    ],
)
def test_bad_arguments_are_named(work, message):
    with pytest.raises(ValueError, match=message):
        work()


def test_a_single_score_has_no_spread():
    assert np.isnan(attacks.auc([1.0, 0.0], [True, False]).se)


def test_shares_of_others_are_counted_as_they_are_said():
    """0.29 of 100 are 29, though 0.29 * 100 is a little less in floats."""
    others, members = np.arange(100.0), np.arange(100.0) + 0.5
    scores, inside = np.concatenate([others, members]), np.arange(200) >= 100
    assert attacks.true_positive_rate(scores, inside, 0.29).value == 0.30
    assert attacks.true_positive_rate(scores, inside, 0.289).value == 0.29
