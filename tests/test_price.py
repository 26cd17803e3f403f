"""The price functions against 50-digit arithmetic, against each other, and against bad input."""

import itertools
import math
import warnings

import longtail as lt
import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from longtail import FrequencyPrior, price, tau
from longtail.price import _log_binomial

ONE_OF_EACH = {
    "one element": ([1.0], [1]),
    "two alike": ([3.0], [2]),
    "two, 1e12 apart": ([1.0, 1e-12], [1, 1]),
    "a giant over a million dwarfs": ([1.0, 1e-12], [1, 999_999]),
    "half and half, 1e12 apart": ([1e6, 1e-6], [500_000, 500_000]),
    "seven decades": (list(10.0 ** -np.arange(0, 13, 2)), [1, 3, 10, 300, 1000, 30_000, 10**6 - 31_314]),
    "nearly equal": ([1.0, 1 + 1e-9], [7, 5]),
    "huge values": ([1e300, 1e288], [10, 10]),
    "smallest values": ([5e-324, 1e-323], [3, 2]),
    "with zeros": ([1.0, 0.25, 0.0], [1, 4, 5]),
    "Zipf 1000": (list(1 / np.arange(1, 1001)), [1] * 1000),
}
SIZES = (1, 2, 3, 50, 1000, 10**6, 10**9)
OCCURRENCES = (0, 1, 2, 5, 50)


def exact_moments(values, multiplicities, n, l):
    """Sum over x of D^l (1-D)^(n-l) and of D^(l+1) (1-D)^(n-l), at 50 digits, from the definition."""
    with mpmath.workdps(50):
        values = [mpmath.mpf(v) for v in values]
        total = mpmath.fsum(v * k for v, k in zip(values, multiplicities, strict=True))
        alphas = [v / total for v in values]
        terms = [k * a**l * (1 - a) ** (n - l) for a, k in zip(alphas, multiplicities, strict=True)]
        return mpmath.fsum(terms), mpmath.fsum(t * a for t, a in zip(terms, alphas, strict=True))


def assert_twelve_digits(got, wanted):
    if wanted < 1e-290:  # no float comes near it
        assert 0 <= got < 1e-280
    else:
        assert abs(float((mpmath.mpf(got) - wanted) / wanted)) < 1e-12


@pytest.mark.parametrize("name", ONE_OF_EACH)
@pytest.mark.parametrize("n", SIZES)
def test_twelve_digits_against_mpmath(name, n):
    values, multiplicities = ONE_OF_EACH[name]
    prior = FrequencyPrior(values, multiplicities)
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        for l in (l for l in OCCURRENCES if l <= n):
            s0, s1 = exact_moments(values, multiplicities, n, l)
            if s0 != 0:
                assert_twelve_digits(tau(prior, n, l), s1 / s0)
            else:  # the event has probability zero: one element holds everything
                assert tau(prior, n, l) == 1


@pytest.mark.parametrize("name", ONE_OF_EACH)
@pytest.mark.parametrize("n", SIZES)
def test_errors_and_prices_to_twelve_digits(name, n):
    values, multiplicities = ONE_OF_EACH[name]
    prior = FrequencyPrior(values, multiplicities)
    unseen, single = (exact_moments(values, multiplicities, n, l) for l in (0, 1))
    wanted = [
        (lt.optimal_error(prior, n, 10), unseen[1] * mpmath.mpf(9) / 10),
        (lt.singleton_fraction(prior, n), single[0]),
        (lt.price_of_not_fitting(prior, n, 10), n * single[1] * mpmath.mpf(9) / 10),
        (lt.price_of_limit(prior, n, 10, 0.5), n * single[1] * mpmath.mpf(4) / 10),
    ]
    for got, exact in wanted:
        assert_twelve_digits(got, exact)


@pytest.mark.parametrize(("n", "l"), [(10**6, 1), (10**6, 50), (10**9, 1), (1000, 0)])
def test_a_million_distinct_values_against_80_bit_floats(n, l):
    if np.finfo(np.longdouble).eps > 1e-18:
        pytest.skip("long double has no extra bits on this machine")
    alpha = 1 / np.arange(1, 10**6 + 1, dtype=np.longdouble)
    alpha /= alpha.sum()
    exponents = l * np.log(alpha) + (n - l) * np.log1p(-alpha)
    terms = np.exp(exponents - exponents.max())
    assert tau(FrequencyPrior.zipf(10**6), n, l) == pytest.approx(
        float((terms * alpha).sum() / terms.sum()), rel=1e-12
    )


def test_naive_arithmetic_fails_where_ours_does_not():
    alpha = FrequencyPrior.zipf(1000).frequencies
    naive = alpha**50 * (1 - alpha) ** (10**7 - 50)
    assert naive.sum() == 0  # underflow: the ratio would be 0/0
    assert 0 < tau(FrequencyPrior.zipf(1000), 10**7, 50) < 1


# -- identities and inequalities ---------------------------------------------------------------------------

lists = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=6)


@given(lists, st.integers(1, 40), st.data())
def test_good_turing_identity(values, n, data):
    """tau_l = (l+1)/(n+1) E_{n+1}[Phi_{l+1}] / E_n[Phi_l], exactly; here to 12 digits."""
    l = data.draw(st.integers(0, n))
    prior = FrequencyPrior(values)
    expected = lt.expected_count(prior, n, l)
    if expected > 1e-250:
        ratio = (l + 1) / (n + 1) * lt.expected_count(prior, n + 1, l + 1) / expected
        assert tau(prior, n, l) == pytest.approx(ratio, rel=1e-11)


@given(lists, st.integers(1, 40))
def test_masses_sum_to_one_and_counts_to_N(values, n):
    prior = FrequencyPrior(values)
    assert sum(lt.mass_seen(prior, n, l) for l in range(n + 1)) == pytest.approx(1, rel=1e-11)
    assert sum(lt.expected_count(prior, n, l) for l in range(n + 1)) == pytest.approx(prior.N, rel=1e-11)


@given(lists, st.integers(1, 40), st.sampled_from(["fixed", "iid"]))
def test_tau_lies_between_the_frequencies_and_increases(values, n, reading):
    prior = FrequencyPrior(values)
    taus = [tau(prior, n, l, reading) for l in range(n + 1)]
    assert all(a <= b * (1 + 1e-12) for a, b in itertools.pairwise(taus))
    if reading == "fixed":
        low, high = prior.frequencies.min(), prior.frequencies.max()
        assert low * (1 - 1e-12) <= taus[0]
        assert taus[-1] <= high * (1 + 1e-12)


@given(lists, st.integers(1, 40), st.integers(2, 20), st.floats(0, 8), st.floats(0, 1))
def test_order_of_the_prices(values, n, classes, epsilon, delta):
    """The paper's privacy bound never exceeds the tight one, and no price exceeds that of never fitting."""
    prior = FrequencyPrior(values)
    paper = lt.price_of_privacy(prior, n, classes, epsilon, delta, tight=False)
    tight = lt.price_of_privacy(prior, n, classes, epsilon, delta)
    never = lt.price_of_not_fitting(prior, n, classes)
    assert 0 <= paper <= tight * (1 + 1e-9) + 1e-15
    assert tight <= never * (1 + 1e-12)


def test_uniform_prior_teaches_nothing():
    for N, l in ((1, 0), (1, 1), (7, 3), (10**6, 2)):
        assert tau(FrequencyPrior.uniform(N), 10, l) == pytest.approx(1 / N, rel=1e-15)


def test_limits_of_privacy_and_of_gamma():
    prior, n = FrequencyPrior.zipf(1000), 1000
    never = lt.price_of_not_fitting(prior, n, 10)
    assert lt.price_of_privacy(prior, n, 10, 0) == pytest.approx(never, rel=1e-15)
    assert (
        lt.price_of_privacy(prior, n, 10, math.inf)
        == 0
        == lt.price_of_privacy(prior, n, 10, 1e4, tight=False)
    )
    assert lt.price_of_privacy(prior, n, 10, 0, delta=1) == 0
    assert lt.price_of_limit(prior, n, 10, 0) == never
    assert lt.price_of_limit(prior, n, 10, 0.95) == 0


def test_tight_privacy_is_one_and_a_half_times_the_papers_at_ln_6():
    prior = FrequencyPrior.zipf(5000)
    tight, paper = (lt.price_of_privacy(prior, 10_000, 10, math.log(6), tight=t) for t in (True, False))
    assert tight / paper == pytest.approx(1.5, rel=1e-12)


def test_iid_reading_of_a_single_element_is_the_fixed_one():
    assert tau(FrequencyPrior([2.0]), 5, 5, "iid") == 1


# -- bad input ---------------------------------------------------------------------------------------------

ZIPF = FrequencyPrior.zipf(10)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: tau(ZIPF, 0), ValueError, r"n must be at least 1, got 0"),
        (lambda: tau(ZIPF, 2.5), ValueError, r"n must be a whole number, got 2\.5"),
        (lambda: tau(ZIPF, math.nan), ValueError, r"n must be a whole number, got nan"),
        (lambda: tau(ZIPF, math.inf), ValueError, r"n must be a whole number, got inf"),
        (lambda: tau(ZIPF, "9"), TypeError, r"n must be a whole number, got '9'"),
        (lambda: tau(ZIPF, True), TypeError, r"n must be a whole number, got True"),
        (lambda: tau(ZIPF, 5, 6), ValueError, r"l must be at most n = 5, got 6"),
        (lambda: tau(ZIPF, 5, -1), ValueError, r"l must be at least 0, got -1"),
        (lambda: tau([1, 2], 5), TypeError, r"prior must be a FrequencyPrior, got \[1, 2\]"),
        (lambda: tau(ZIPF, 5, reading="both"), ValueError, r"reading must be 'fixed' or 'iid', got 'both'"),
        (
            lambda: tau(ZIPF, 5, reading=["iid"]),
            ValueError,
            r"reading must be 'fixed' or 'iid', got \['iid'\]",
        ),
        (lambda: lt.optimal_error(ZIPF, 5, 1), ValueError, r"classes must be at least 2, got 1"),
        (
            lambda: lt.price_of_not_fitting(ZIPF, 5, None),
            TypeError,
            r"classes must be a whole number, got None",
        ),
        (lambda: lt.price_of_limit(ZIPF, 5, 10, 1.5), ValueError, r"gamma must lie in \[0, 1\], got 1\.5"),
        (
            lambda: lt.price_of_limit(ZIPF, 5, 10, math.nan),
            ValueError,
            r"gamma must lie in \[0, 1\], got nan",
        ),
        (lambda: lt.price_of_privacy(ZIPF, 5, 10, -1), ValueError, r"epsilon must lie in \[0, inf\], got -1"),
        (lambda: lt.price_of_privacy(ZIPF, 5, 10, "1"), TypeError, r"epsilon must be a real number, got '1'"),
        (lambda: lt.price_of_privacy(ZIPF, 5, 10, 1, 2), ValueError, r"delta must lie in \[0, 1\], got 2"),
    ],
)
def test_bad_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_public_names():
    assert set(lt.__all__) <= set(dir(lt))
    assert price.tau is lt.tau


@pytest.mark.parametrize(("n", "l"), [(10**6, 2_000), (10**9, 10_000), (10**10, 10**5), (10**12, 10**7)])
def test_binomials_of_large_numbers(n, l):
    """Beyond l = 1000 by Stirling's series, right to the digits that a float of that size has."""
    exact = mpmath.log(mpmath.binomial(mpmath.mpf(n), mpmath.mpf(l)))
    assert abs(_log_binomial(n, l) - exact) < 4 * np.spacing(float(l * np.log(n / l)))
