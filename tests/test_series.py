"""Sums over ranks at any N: against the list, against 30-digit arithmetic, at the extremes, in time."""

import functools
import math
import time

import longtail as lt
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from longtail import FrequencyPrior, priors, series, tau
from longtail.smooth import ROUNDING, SmoothPrior
from longtail.tails import best_interval

FAMILIES = {
    "zipf": (series.zipf, st.one_of(st.sampled_from([0.0, 1.0, 1 - 1e-9, 1 + 1e-9, 50.0]), st.floats(0, 5))),
    "geometric": (series.geometric, st.floats(1e-3, 1)),
    "pareto": (series.pareto, st.floats(0.1, 10)),
    "lognormal": (series.lognormal, st.floats(0, 20)),
}
SIZES = st.one_of(st.integers(1, 300), st.integers(priors.LISTED - 2, priors.LISTED + 2))
SAMPLES = st.one_of(st.integers(1, 100), st.integers(0, 15).map(lambda k: 10**k))


@st.composite
def both_routes(draw):
    """The same prior twice: by formula and by its list."""
    family, parameters = FAMILIES[draw(st.sampled_from(sorted(FAMILIES)))]
    stretches = family(draw(SIZES), draw(parameters))
    return SmoothPrior(stretches), FrequencyPrior(series.listed(stretches))


def occurrences(n):
    return st.one_of(st.integers(0, min(n, 100)), st.just(n), st.just(math.isqrt(n)))


@settings(deadline=None)
@given(both_routes(), SAMPLES, st.data())
def test_routes_agree(routes, n, data):
    smooth, listed = routes
    l = data.draw(occurrences(n))
    assert tau(smooth, n, l) == pytest.approx(tau(listed, n, l), rel=1e-10)
    for price in (
        lambda prior: lt.singleton_fraction(prior, n),
        lambda prior: lt.optimal_error(prior, n, 10),
        lambda prior: lt.price_of_privacy(prior, n, 10, 1.0),
    ):
        assert price(smooth) == pytest.approx(price(listed), rel=1e-10, abs=1e-290)


@settings(deadline=None)
@given(both_routes(), st.floats(0, 1), st.floats(0, 1))
def test_weights_agree(routes, a, b):
    """Ends are frequencies themselves, the hardest case: both ends belong to the interval."""
    smooth, listed = routes
    f = listed.frequencies
    low, high = sorted(f[[int(a * (f.size - 1)), int(b * (f.size - 1))]])
    inner, outer = (
        f[(low * (1 - r) <= f) & (f <= high * (1 + r))].sum() for r in (0.9 * ROUNDING, 1.1 * ROUNDING)
    )
    assert inner * (1 - 1e-10) <= smooth.weight(low, high) <= outer * (1 + 1e-10)
    assert smooth.weight(0, 1) == pytest.approx(1, rel=1e-14)


def test_the_constructors_choose_the_route():
    below, above = (FrequencyPrior.zipf(N) for N in (priors.LISTED, priors.LISTED + 1))
    assert type(below) is FrequencyPrior
    assert isinstance(above, SmoothPrior)
    n = priors.LISTED
    step = tau(below, n) / tau(above, n) - 1  # one more element is all that differs
    assert 0 < step < 1 / n
    assert below.values == pytest.approx(above.values[:-1], rel=1e-15)
    assert above.frequencies @ above.multiplicities == pytest.approx(1, rel=1e-13)
    assert above.sample(0).sum() == pytest.approx(1, rel=1e-13)
    assert repr(above) == f"FrequencyPrior(N={above.N}, values from 1 down to {1 / above.N:.6g})"


# -- against mpmath ----------------------------------------------------------------------------------------


def by_euler_maclaurin(f, N, head=300):
    """Sum of f(1), ..., f(N): a head term by term, then an integral and end corrections, at 30 digits."""
    total = mpmath.fsum(f(mpmath.mpf(i)) for i in range(1, head))
    a, b = mpmath.mpf(head), mpmath.mpf(N)
    cuts = [mpmath.log(a) + (mpmath.log(b) - mpmath.log(a)) * k / 40 for k in range(41)]
    total += mpmath.quad(lambda t: f(mpmath.exp(t)) * mpmath.exp(t), cuts) + (f(a) + f(b)) / 2
    for k, c in ((1, mpmath.mpf(1) / 12), (3, -mpmath.mpf(1) / 720)):
        total += c * (mpmath.diff(f, b, k, h=b / 10**6) - mpmath.diff(f, a, k, h=mpmath.mpf(1) / 10**4))
    return total


@functools.cache
def quantile(rank, N, precision):
    """Upper mid-quantile of the normal law, in working precision: all sums ask for the same."""
    return mpmath.sqrt(2) * mpmath.erfinv(1 - (2 * rank - 1) / N)


LONG = 10**12
LISTS = {  # a prior, and pieces of the same list: values as functions of the rank, and how many
    "zipf": (FrequencyPrior.zipf(LONG), [(lambda i: 1 / i, LONG)]),
    "zipf 1.5": (FrequencyPrior.zipf(LONG, 1.5), [(lambda i: i**-1.5, LONG)]),
    "zipf 0.5": (FrequencyPrior.zipf(LONG, 0.5), [(lambda i: i**-0.5, LONG)]),
    "zipf 1+": (FrequencyPrior.zipf(LONG, 1 + 1e-9), [(lambda i: i ** -mpmath.mpf(1 + 1e-9), LONG)]),
    "pareto": (FrequencyPrior.pareto(LONG, 2), [(lambda i: (i - 0.5) ** -0.5, LONG)]),
    "geometric": (FrequencyPrior.geometric(LONG, 1 - 1e-9), [(lambda i: mpmath.mpf(1 - 1e-9) ** i, LONG)]),
    "lognormal": (
        FrequencyPrior.lognormal(LONG),
        [(lambda i, s=s: mpmath.exp(s * quantile(i, LONG, mpmath.mp.prec)), LONG // 2) for s in (1, -1)],
    ),
}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(("n", "l"), [(10**12, 1), (10**6, 0), (10**13, 20)])
def test_a_million_million_elements_against_mpmath(name, n, l):
    prior, pieces = LISTS[name]
    with mpmath.workdps(30):
        total = mpmath.fsum(by_euler_maclaurin(value, N) for value, N in pieces)

        def moment(j):
            """The sum of D^(l+j) (1-D)^(n-l), in units in which D^l is near 1 where it matters."""

            def summand(D):
                return D**j * (D * n / max(l, 1)) ** l * mpmath.exp((n - l) * mpmath.log1p(-D))

            sums = (by_euler_maclaurin(lambda i, v=v: summand(v(i) / total), N) for v, N in pieces)
            return mpmath.fsum(sums)

        s0, s1 = moment(0), moment(1)
        count = math.comb(n, l) * (mpmath.mpf(max(l, 1)) / n) ** l * s0
    assert tau(prior, n, l) == pytest.approx(float(s1 / s0), rel=1e-10)
    assert lt.expected_count(prior, n, l) == pytest.approx(float(count), rel=1e-10)


def test_weight_of_a_million_million_elements_against_mpmath():
    n = 10**11
    with mpmath.workdps(30):
        H = mpmath.harmonic(LONG)
        first, last = mpmath.ceil(n / (2 * H)), mpmath.floor(3 * n / H)  # 2/n >= 1 / (i H) >= 1 / (3n)
        inside = (mpmath.harmonic(last) - mpmath.harmonic(first - 1)) / H
    got = FrequencyPrior.zipf(LONG).weight(1 / (3 * n), 2 / n)
    assert got == pytest.approx(float(inside), rel=1e-10)


def test_against_the_direct_sum_at_ten_million():
    N = n = 10**7
    alpha = 1 / np.arange(1, N + 1)
    alpha /= alpha.sum()
    once = alpha * np.exp((n - 1) * np.log1p(-alpha))
    prior = FrequencyPrior.zipf(N)
    assert lt.singleton_fraction(prior, n) == pytest.approx(once.sum(), rel=1e-12)
    assert tau(prior, n) == pytest.approx(alpha @ once / once.sum(), rel=1e-12)
    inside = alpha[(1 / (3 * n) <= alpha) & (alpha <= 2 / n)].sum()
    assert prior.weight(1 / (3 * n), 2 / n) == pytest.approx(inside, rel=1e-12)


# -- extremes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("N", [1, 10**6, 10**12, 10**15])
def test_equal_values_teach_nothing(N):
    for stretches in (series.zipf(N, 0.0), series.geometric(N, 1.0), series.lognormal(N, 0.0)):
        for n, l in ((1, 1), (1, 0), (10**15, 1), (10**6, 10**6)):
            assert tau(SmoothPrior(stretches), n, l) == pytest.approx(1 / N, rel=1e-12)


def test_what_occurs_always_is_the_largest():
    prior = FrequencyPrior.zipf(10**12)
    largest = 1 / float(mpmath.harmonic(10**12))
    assert tau(prior, 10**15, 10**15) == pytest.approx(largest, rel=1e-12)
    assert tau(FrequencyPrior.zipf(10**12, 50), 10**15, 0) < 1e-15
    assert tau(FrequencyPrior.geometric(10**12), 10**15) > 0


@pytest.mark.parametrize("name", ["zipf", "pareto", "lognormal", "geometric"])
def test_the_work_does_not_grow_with_N_n_or_l(name):
    """Nodes are counted, as they do not depend on how busy the machine is."""
    family = FAMILIES[name][0]
    for k in range(6, 19, 4):
        prior = SmoothPrior(family(10**k, 0.5))
        for n in (1, 10**6, 10**15):
            for l in {0, 1, n // 10**6, n // 2, n}:
                assert sum(w.size for _, w in prior.odds(n, l)) < 20_000


def test_a_million_million_elements_take_milliseconds():
    def run():
        start = time.process_time()
        tau(FrequencyPrior.zipf(10**12), 10**12)
        return time.process_time() - start

    assert min(run() for _ in range(20)) < 0.01


EXTREMES = [
    (FrequencyPrior.zipf, [0, 1e-9, 1, 1 - 1e-9, 1 + 1e-9, 50, 1e6]),
    (FrequencyPrior.geometric, [1, 1 - 1e-16, 1 - 1e-9, 0.5, 5e-324]),
    (FrequencyPrior.lognormal, [0, 1e-12, 20, 1e6]),
    (FrequencyPrior.pareto, [1e-9, 0.5, 1, 1e6]),
]


@pytest.mark.parametrize("N", [1, 2, priors.LISTED, priors.LISTED + 1, 10**12, 2**63 - 1])
def test_extremes_give_probabilities_and_no_warnings(N):
    for prior in (family(N, p) for family, parameters in EXTREMES for p in parameters):
        assert prior.weight(0, 1) == pytest.approx(1, rel=1e-12)
        for n in (1, 10**6, 10**15):
            assert all(0 <= tau(prior, n, l) <= 1 for l in {0, 1, n // 2, n})
            assert 0 <= lt.optimal_error(prior, n, 10) <= 0.9 * (1 + 1e-12)
            assert 0 <= lt.singleton_fraction(prior, n) <= 1 + 1e-12


# -- the rule ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [65, 66, 100, 1000])
def test_gauss_rules_are_exact_to_their_degree(size):
    nodes, weights = series._gauss(np.array([0.0]), np.array([float(size)]))
    assert nodes.size == series.ORDER
    assert (weights > 0).all()
    x = np.arange(1, size + 1)
    for k in range(2 * series.ORDER):
        legendre = np.polynomial.legendre.Legendre.basis(k, domain=[1, size])
        assert weights @ legendre(nodes) == pytest.approx(legendre(x).sum(), abs=1e-12 * size)
    legendre = np.polynomial.legendre.Legendre.basis(2 * series.ORDER, domain=[1, size])
    assert abs(weights @ legendre(nodes) - legendre(x).sum()) > 1e-3 * size  # the next degree is too much


def test_the_constants_promise_fifteen_digits():
    r, d = series.ELLIPSE, 2 * series.ORDER - 1
    assert 4 * math.exp(2 * series.CHANGE) / (r - 1) / r**d < 1e-15


@pytest.mark.parametrize("exponent", [0.5, 1.0, 3.0])
@pytest.mark.parametrize(("n", "l"), [(10**6, 0), (10**9, 1), (10**12, 500)])
def test_the_summand_is_bounded_on_the_ellipses(exponent, n, l, monkeypatch):
    """The hypothesis of the theorem, measured on every block that is summed by a rule."""
    blocks, gauss = [], series._gauss
    monkeypatch.setattr(series, "_gauss", lambda low, high: blocks.extend([low, high]) or gauss(low, high))
    prior = SmoothPrior(series.zipf(10**9, exponent))
    blocks.clear()  # of the total
    list(prior.odds(n, l))
    first, last = blocks[0] + 1, blocks[1]
    middle, u = (first + last) / 2, series.ELLIPSE * np.exp(1j * np.linspace(0, 2 * np.pi, 60))
    around = middle + (last - first) / 2 * ((u + 1 / u) / 2)[:, None]
    for j in (0, 1):
        g, g0 = (
            (l + j) * np.log(D) + (n - l) * np.log1p(-D)
            for D in (y**-exponent / prior._total for y in (around, middle))
        )
        assert abs(g - g0).max(initial=0) <= series.CHANGE


# -- the iid reading ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("l", [0, 1, 10])
def test_iid_reading_of_both_routes(l):
    N = n = 20_000
    smooth, listed = SmoothPrior(series.zipf(N, 1.0)), FrequencyPrior.zipf(N)
    assert tau(smooth, n, l, "iid") == pytest.approx(tau(listed, n, l, "iid"), rel=1e-8)
    got, wanted = (prior.weight(1 / (3 * n), 2 / n, "iid") for prior in (smooth, listed))
    assert got == pytest.approx(wanted, rel=1e-4)  # the sum's law has atoms where it was continuous


# -- bad input ---------------------------------------------------------------------------------------------

HUGE = FrequencyPrior.zipf(10**12)


@pytest.mark.parametrize("ask", ["values", "multiplicities", "frequencies"])
def test_lists_that_nobody_can_hold_are_refused(ask):
    with pytest.raises(
        MemoryError, match=r"N must be at most 134217728 .* got 1000000000000: it takes 8e\+03 GB"
    ):
        getattr(HUGE, ask)


def test_bad_arguments_are_named():
    for prior in (HUGE, FrequencyPrior.uniform(10**12)):
        for reading in ("fixed", "iid"):
            with pytest.raises(MemoryError, match=r"N must be at most"):
                prior.sample(0, reading)
    with pytest.raises(MemoryError, match=r"N must be at most"):
        best_interval(HUGE, 10**6)
    with pytest.raises(ValueError, match=r"N must be below 2\*\*63, got 9223372036854775808"):
        FrequencyPrior.zipf(2**63)
