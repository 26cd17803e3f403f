"""Streams agree with lists that are held: any order, any chunks, any l."""

from pathlib import Path

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from longtail import FrequencyPrior, expected_count, mass_seen, streams, tau
from longtail.streams import spectrum

ZIPF = 1 / np.arange(1.0, 3001)
LISTS = {
    "zipf": ZIPF,
    "uniform": np.ones(1000),
    "geometric": 0.5 ** np.arange(40),
    "one": np.array([3.0]),
    "one beside dust": np.array([1.0, 1e-12, 1e-12]),
    "zeros too": np.append(ZIPF, [0.0, -0.0] * 25),
    "wide": 10.0 ** -np.arange(0, 250, 7),
}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("n", [1, 2, 50, 3000, 10**9])
def test_streams_agree_with_held_lists(monkeypatch, name, n):
    """Both routes, powers and logarithms, to 12 digits; blocks are made small so that there are several."""
    monkeypatch.setattr(streams, "BLOCK", 700)
    values = np.random.default_rng(0).permutation(LISTS[name])
    prior = FrequencyPrior(values)
    ls = [l for l in (0, 1, 2, 3, 7, 20, 300, n) if l <= n]
    found = spectrum(values, n, ls)
    for k, l in enumerate(ls):
        assert found.tau[k] == pytest.approx(tau(prior, n, l), rel=1e-12)
        assert found.expected_count[k] == pytest.approx(expected_count(prior, n, l), rel=1e-11, abs=1e-290)
        assert found.mass[k] == pytest.approx(mass_seen(prior, n, l), rel=1e-11, abs=1e-290)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=60),
    st.sampled_from([1, 10, 1000, 10**6]),
    st.sampled_from([3, 16, 1 << 16]),
)
def test_routes_agree_on_random_lists(values, n, block):
    """Powers and logarithms are two ways to the same sums, however the list is cut."""
    ls = [l for l in (0, 1, 2, 5) if l <= n]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "BLOCK", block)
        powers = spectrum(values, n, ls)
        patch.setattr(streams, "MOST", 0)
        logarithms = spectrum(values, n, ls)
    np.testing.assert_allclose(powers.tau, logarithms.tau, rtol=1e-11)
    np.testing.assert_allclose(powers.mass, logarithms.mass, rtol=1e-11, atol=1e-300)


@pytest.mark.parametrize("name", LISTS)
def test_both_libraries_agree(name):
    """``"cpu"`` is NumPy's; a device with an index is torch's, as a GPU would be."""
    ls = [0, 1, 2, 20, 300]
    by_numpy, by_torch = (spectrum(LISTS[name], 1000, ls, device=d) for d in ("cpu", "cpu:0"))
    np.testing.assert_allclose(by_torch.tau, by_numpy.tau, rtol=1e-12)
    np.testing.assert_allclose(by_torch.mass, by_numpy.mass, rtol=1e-11, atol=1e-290)


def test_against_thirty_digits():
    """Direct sums in high precision."""
    n, l = 500, 2
    with mpmath.workdps(30):
        total = mpmath.fsum(mpmath.mpf(v) for v in ZIPF)
        D = [mpmath.mpf(v) / total for v in ZIPF]
        s0, s1 = (mpmath.fsum(d ** (l + j) * (1 - d) ** (n - l) for d in D) for j in (0, 1))
        expected = float(s1 / s0), float(mpmath.binomial(n, l) * s0)
    found = spectrum(ZIPF, n, l)
    assert (found.tau[0], found.expected_count[0]) == pytest.approx(expected, rel=2e-14)


def test_arrays_files_and_chunks_give_the_same(tmp_path: Path):
    """A file is memory-mapped; chunks may have any size and type."""
    values = np.random.default_rng(1).integers(1, 1000, 5000)
    expected = spectrum(values, 1000, [1, 4])
    path = tmp_path / "values.npy"
    np.save(path, values)
    thirds = lambda: (part for part in np.array_split(values.astype(np.float32), 3))  # noqa: E731
    for source in (path, str(path), np.load(path, mmap_mode="r"), values.tolist(), thirds):
        np.testing.assert_allclose(spectrum(source, 1000, [1, 4]).mass, expected.mass, rtol=1e-13)


def test_l_in_any_order_and_masses_sum_to_one():
    """What comes back stands in the order that was asked for."""
    mixed = spectrum(ZIPF, 40, [3, 0, 3])
    assert mixed.l.tolist() == [3, 0, 3]
    assert mixed.tau[0] == mixed.tau[2] > mixed.tau[1]
    assert spectrum(ZIPF, 40, range(41)).mass.sum() == pytest.approx(1, rel=1e-13)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_gpu_agrees_with_cpu():
    """One code path on both."""
    on_cpu, on_gpu = (spectrum(ZIPF, 3000, range(16), device=d) for d in ("cpu", "cuda"))
    np.testing.assert_allclose(on_gpu.tau, on_cpu.tau, rtol=1e-12)


@pytest.mark.parametrize(
    ("values", "n", "l", "error", "message"),
    [
        ([1.0, np.nan], 5, 1, ValueError, "values must be finite"),
        ([1.0, np.inf], 5, 1, ValueError, "values must be finite"),
        ([1.0, -1.0], 5, 1, ValueError, "values must be finite and non-negative"),
        ([0.0, 0.0], 5, 1, ValueError, "positive, finite sum"),
        ([], 5, 1, ValueError, "positive, finite sum"),
        ([[1.0]], 5, 1, ValueError, r"lists of numbers, got float64 of shape \(1, 1\)"),
        (["a"], 5, 1, ValueError, "lists of numbers"),
        ([1.0], 0, 0, ValueError, "n must be at least 1, got 0"),
        ([1.0], 5, 6, ValueError, "l must be at most n = 5, got 6"),
        ([1.0], 5, [], ValueError, "l must be a whole number or a non-empty list"),
        ("nowhere.npy", 5, 1, FileNotFoundError, "no such file: nowhere.npy"),
    ],
)
def test_bad_arguments_are_named(values, n, l, error, message):
    """Errors name the argument, what was expected and what came."""
    with pytest.raises(error, match=message):
        spectrum(values, n, l)


def test_chunks_that_are_used_up():
    once = iter([ZIPF])
    with pytest.raises(ValueError, match="values must give the same chunks each time, got 3000, then 0"):
        spectrum(lambda: once, 100, [1])


def test_a_device_that_is_none_is_noticed_before_the_list_is_read():
    with pytest.raises(ValueError, match="device must be 'cpu' or a device of torch, got 'cudda'"):
        spectrum(lambda: pytest.fail("read"), 100, [1], device="cudda")
