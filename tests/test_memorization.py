"""Memorization by subsampling: the estimator, its errors, its pairs, its files."""

import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np
import pytest
from longtail.ensembles import Dataset, Members, Recipe, mlp
from longtail.memorization import Memorization, difference, subsample_memorization

RECIPE = Recipe(epochs=12, batch_size=16, lr=0.2)


def make_data(n=60, tests=30, seed=0):
    """Two clouds; the first five labels are wrong."""
    rng = np.random.default_rng(seed)

    def part(size):
        y = rng.integers(2, size=size)
        return (rng.standard_normal((size, 5)) + 3 * (2 * y[:, None] - 1) / 5**0.5).astype(np.float32), y

    (x, y), (x_test, y_test) = part(n), part(tests)
    y[:5] = 1 - y[:5]
    return Dataset(x, y, x_test, y_test)


DATA, MODEL = make_data(), mlp(5, 64, 2)
measure = partial(subsample_memorization, DATA, MODEL, recipe=RECIPE)


@pytest.fixture(scope="module")
def result():
    return measure(200)


def same(a, b):
    return all(np.array_equal(p, q) for p, q in zip(a.learned, b.learned, strict=True))


def test_estimator_by_definition(result):
    inside, correct, correct_test = result.learned
    for i in (0, 7):
        expected = correct[inside[:, i], i].mean() - correct[~inside[:, i], i].mean()
        assert result.memorization[i] == pytest.approx(expected, rel=1e-12)
        for j in (0, 3):
            expected = correct_test[inside[:, i], j].mean() - correct_test[~inside[:, i], j].mean()
            assert result.influence().value[i, j] == pytest.approx(expected, abs=1e-12)
    np.testing.assert_array_equal(result.n_in + result.n_out, 200)
    np.testing.assert_array_equal(result.influence(np.array([4])).value[:, 0], result.influence().value[:, 4])
    own = [correct[t, inside[t]].mean() for t in range(200)]
    np.testing.assert_allclose(result.train_accuracy, own)


def test_wrong_labels_are_memorized(result):
    assert result.memorization[:5].min() > 0.5
    assert result.memorization[5:].mean() < 0.15


def test_standard_errors_cover_the_truth():
    """Draws from known chances: the value lies within 2 standard errors in about 95 % of cases."""
    rng = np.random.default_rng(0)
    for inside, outside, low in ((0.9, 0.3, 0.93), (0.99, 0.9, 0.92), (1.0, 0.02, 0.95)):
        n_in, n_out = np.full(20_000, 140), np.full(20_000, 60)
        value, se = difference(rng.binomial(n_in, inside), n_in, rng.binomial(n_out, outside), n_out)
        covered = (abs(value - (inside - outside)) < 1.96 * se).mean()
        assert low < covered <= 1
        assert (se > 0).all()


def test_standard_errors_by_replication(result):
    """Ensembles with other seeds scatter as the standard errors say."""
    others = np.array([measure(60, seed=s).memorization for s in range(1, 25)])
    claimed = measure(60, seed=0).memorization_se
    uncertain = (others.std(axis=0) > 0.02) & (others.std(axis=0, ddof=1) > 0)
    ratio = others.std(axis=0, ddof=1)[uncertain] / claimed[uncertain]
    assert np.sqrt((ratio**2).mean()) == pytest.approx(1, abs=0.2)


def test_never_held_out_is_nan():
    inside = np.array([[True, True, False], [True, False, False]])
    learned = Members(inside, np.ones((2, 3), bool), np.ones((2, 2), bool))
    result = Memorization(learned, np.array([[0, 0], [0, 1]]), "x")
    np.testing.assert_array_equal(np.isnan(result.memorization), [True, False, True])
    np.testing.assert_array_equal(np.isnan(result.memorization_se), [True, False, True])
    assert np.isnan(result.influence().value[0]).all()
    assert result.warnings == ["2 examples were never held out, or never used"]


def test_members_that_did_not_fit_are_reported():
    slow = subsample_memorization(DATA, MODEL, 4, recipe=Recipe(epochs=1, lr=1e-4))
    assert slow.warnings[0] == "4 of 4 members fit less than 99% of their data"


# -- pairs -----------------------------------------------------------------------------------------------


def simulated(T, n, tests, effects, seed):
    """Members whose answer to test example j depends on example i where effects[i, j] says so."""
    rng = np.random.default_rng(seed)
    inside = np.argsort(rng.random((T, n)), axis=1) < 0.7 * n
    chance = 0.3 + inside.astype(float) @ effects
    learned = Members(inside, np.ones((T, n), bool), rng.random((T, tests)) < chance)
    return Memorization(learned, np.column_stack([np.zeros(T, int), np.arange(T)]), "x")


def test_no_influence_no_pairs():
    """False discovery rate without any effect: a pair is found in at most 5 % of the runs (30 runs)."""
    found = [
        simulated(200, 40, 50, np.zeros((40, 50)), s).influence_pairs(0.05).train.size for s in range(30)
    ]
    assert np.count_nonzero(found) <= 4  # binomial(30, .05) is above 4 with probability .016


def test_strong_influence_is_found_and_little_else():
    effects = np.zeros((40, 50))
    effects[np.arange(12), np.arange(12)] = 0.6
    pairs = simulated(300, 40, 50, effects, 1).influence_pairs(0.05)
    hits = set(zip(pairs.train.tolist(), pairs.test.tolist(), strict=True))
    assert {(i, i) for i in range(12)} <= hits
    assert len(hits) <= 13
    assert (np.diff(pairs.value) <= 0).all()
    assert (pairs.p_value < 0.05).all()
    blocks = simulated(300, 40, 50, effects, 1).influence_pairs(0.05, block=7)
    for a, b in zip(pairs, blocks, strict=True):
        np.testing.assert_array_equal(a, b)


# -- runs ------------------------------------------------------------------------------------------------


def test_shards_restarts_and_processes_change_nothing(tmp_path):
    alone = measure(10, shard=4)
    assert same(alone, measure(10, shard=4, store=tmp_path))
    next(tmp_path.rglob("members-000004-000008.npz")).unlink()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        assert same(alone, measure(10, shard=4, store=tmp_path, executor=pool))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert same(alone, measure(10, shard=4, store=tmp_path))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
    longer = measure(12, shard=4, store=tmp_path)
    assert all(path.stat().st_mtime_ns == moment for path, moment in before.items())
    np.testing.assert_array_equal(longer.learned.correct[:10], alone.learned.correct)
    assert same(alone, subsample_memorization(make_data, MODEL, 10, recipe=RECIPE, shard=3))


def test_dask_gives_the_same_and_survives_a_killed_worker(tmp_path):
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, local_directory=tmp_path
    )
    with cluster, distributed.Client(cluster) as client:
        pool = client.get_executor()
        victim = next(iter(cluster.workers.values())).pid
        pool.submit(kill_once, victim, str(tmp_path / "killed"))
        result = measure(12, shard=2, executor=pool)
    assert same(result, measure(12))


def kill_once(pid, flag):
    """End a worker the first time, do nothing when Dask tries again."""
    import os
    import pathlib
    import signal

    if not pathlib.Path(flag).exists():
        pathlib.Path(flag).touch()
        os.kill(pid, signal.SIGKILL)


def test_other_data_models_and_recipes_are_other_runs():
    first = measure(2)
    for other in (
        measure(2, fraction=0.5),
        subsample_memorization(DATA, MODEL, 2, recipe=Recipe(epochs=11, batch_size=16, lr=0.2)),
        subsample_memorization(DATA, mlp(5, 63, 2), 2, recipe=RECIPE),
        subsample_memorization(make_data(seed=1), MODEL, 2, recipe=RECIPE),
    ):
        assert other.run_id != first.run_id
    assert measure(2, seed=9).run_id == first.run_id


def test_merge(result):
    more = measure(40, seed=5)
    both = result.merge(more)
    assert len(both.members) == 240
    np.testing.assert_array_equal(both.n_in, result.n_in + more.n_in)
    with pytest.raises(ValueError, match="runs must not share a member"):
        both.merge(more)
    with pytest.raises(ValueError, match="runs must agree in data, model and recipe"):
        result.merge(measure(2, fraction=0.5))


def test_files_are_open_and_checked(tmp_path, result):
    path = tmp_path / "scores.npz"
    result.save(path)
    again = Memorization.load(path)
    assert same(again, result)
    assert again.run_id == result.run_id
    np.testing.assert_array_equal(again.members, result.members)
    with np.load(path) as file:
        np.testing.assert_array_equal(file["tr_mem"], result.memorization)
        np.testing.assert_array_equal(file["tr_mem_se"], result.memorization_se)
    path.write_bytes(path.read_bytes()[:-50])
    with (
        pytest.warns(UserWarning, match=r"scores\.npz"),
        pytest.raises(ValueError, match="path must name a file"),
    ):
        Memorization.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_models": 1}, "n_models must be at least 2, got 1"),
        ({"shard": 0}, "shard must be at least 1, got 0"),
        ({"fraction": 0.0}, "fraction must leave examples to train on"),
        ({"fraction": 1.0}, "fraction must leave examples out, got 1 of 60"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
    ],
)
def test_bad_arguments_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        subsample_memorization(**({"dataset": DATA, "model": MODEL, "n_models": 2} | change))


def test_threads_give_the_same_members():
    """torch has one generator for all threads: each waits for its turn to draw initial weights."""
    data, model, recipe = make_data(), mlp(5, 256, 256, 2), Recipe(epochs=1)
    alone = subsample_memorization(data, model, 24, recipe=recipe, shard=1)
    with ThreadPoolExecutor(4) as pool:
        many = subsample_memorization(data, model, 24, recipe=recipe, shard=1, executor=pool)
    assert np.array_equal(alone.learned.correct, many.learned.correct)


def test_data_that_a_function_returns_are_loaded_afresh():
    found = []
    for seed in (0, 1):
        data = make_data(seed=seed)
        found.append(subsample_memorization(lambda data=data: data, mlp(5, 2), 4).run_id)
    assert found[0] != found[1]
