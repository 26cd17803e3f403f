"""Long runs in pieces: what is stored is whole, what is not whole is named and made again."""

import os
import signal
import subprocess
import sys
import time
import warnings
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np
import pytest
from longtail import shards


def piece(k, log=None, dies=()):
    """Some arrays; notes that it was called; ends its process without a word if told to."""
    if log is not None:
        (log / f"{k}-{time.monotonic_ns()}").touch()
    if k in dies:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"value": np.arange(k, k + 1000), "square": np.array(k**2)}


def pieces(number=6, **extra):
    return {f"piece-{k}": partial(piece, k, **extra) for k in range(number)}


def collected(found):
    return {k: (int(arrays["square"]), int(arrays["value"].sum())) for k, arrays in found}


EXPECTED = collected((f"piece-{k}", piece(k)) for k in range(6))


def spawned(workers=2):
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"))


def test_same_result_in_this_process_and_in_others(tmp_path):
    assert collected(shards.run(pieces(), "a")) == EXPECTED
    with ThreadPoolExecutor(3) as pool:
        assert collected(shards.run(pieces(), "a", tmp_path, pool)) == EXPECTED
    with spawned() as pool:
        assert collected(shards.run(pieces(), "a", executor=pool)) == EXPECTED


def test_finished_pieces_are_not_made_again(tmp_path):
    log = tmp_path / "log"
    log.mkdir()
    found = shards.run(pieces(log=log), "a", tmp_path / "store")
    for _ in range(3):
        next(found)
    found.close()
    assert len(list(log.iterdir())) == 3
    assert collected(shards.run(pieces(log=log), "a", tmp_path / "store")) == EXPECTED
    assert len(list(log.iterdir())) == 6
    assert collected(shards.run(pieces(log=log), "a", tmp_path / "store")) == EXPECTED
    assert len(list(log.iterdir())) == 6


def test_another_run_in_the_same_folder_does_not_interfere(tmp_path):
    list(shards.run(pieces(2), "a" * 64, tmp_path))
    assert len(list(shards.run(pieces(6), "b" * 64, tmp_path))) == 6
    assert len(list(tmp_path.rglob("*.npz"))) == 8


def damage(path, how):
    content = path.read_bytes()
    match how:
        case "half-written":
            path.write_bytes(content[: len(content) // 2])
        case "empty":
            path.write_bytes(b"")
        case "flipped":
            middle = len(content) // 2
            path.write_bytes(content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :])
        case "foreign":
            shards.save(path, piece(3), "another run/piece-3")
        case "other content":
            stored = shards.load(path)
            np.savez(path, **(stored | {"square": np.array(-1), "checksum": np.array("0")}))


@pytest.mark.parametrize("how", ["half-written", "empty", "flipped", "foreign", "other content"])
def test_damage_is_named_and_made_again(tmp_path, how):
    list(shards.run(pieces(), "a", tmp_path))
    damage(tmp_path / "a" / "piece-3.npz", how)
    with pytest.warns(shards.DamagedShard, match=r"piece-3\.npz .* is not used"):
        assert collected(shards.run(pieces(), "a", tmp_path)) == EXPECTED
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert collected(shards.run(pieces(), "a", tmp_path)) == EXPECTED


def test_a_worker_that_is_killed_costs_its_own_piece_at_most(tmp_path):
    log, store = tmp_path / "log", tmp_path / "store"
    log.mkdir()
    with spawned(1) as pool, pytest.raises(RuntimeError, match=r"executor failed after 3 of 6 pieces"):
        list(shards.run(pieces(log=log, dies=(3,)), "a", store, pool))
    assert len(list(store.rglob("*.npz"))) == 3
    with spawned(1) as pool:
        assert collected(shards.run(pieces(log=log), "a", store, pool)) == EXPECTED
    assert len(list(log.iterdir())) == 4 + 3


def test_an_error_in_a_piece_is_not_hidden(tmp_path):
    def broken():
        raise ZeroDivisionError("in the piece")

    with pytest.raises(ZeroDivisionError, match="in the piece"):
        list(shards.run(pieces(2) | {"broken": broken}, "a", tmp_path))
    with ThreadPoolExecutor(1) as pool, pytest.raises(ZeroDivisionError, match="in the piece"):
        list(shards.run(pieces(2) | {"broken": broken}, "a", tmp_path, pool))


def test_an_error_cancels_what_has_not_begun():
    class Slow(Executor):
        """Never runs anything but its first call."""

        def __init__(self):
            self.futures = []

        def submit(self, call):
            future = Future()
            if not self.futures:
                future.set_exception(KeyError("first"))
            self.futures.append(future)
            return future

    pool = Slow()
    with pytest.raises(KeyError, match="first"):
        list(shards.run(pieces(), "a", executor=pool))
    assert all(future.cancelled() for future in pool.futures[1:])


SCRIPT = """
import sys, time
from functools import partial
import numpy as np
from longtail import shards

def slow(k):
    time.sleep(0.1)
    return {"square": np.array(k * k), "value": np.arange(k, k + 1000)}

if __name__ == "__main__":
    for k, _ in shards.run({f"piece-{k}": partial(slow, k) for k in range(6)}, "a", sys.argv[1]):
        print(k, flush=True)
"""


@pytest.mark.parametrize("moment", [0, 2, 4])
def test_a_run_killed_at_any_moment_goes_on(tmp_path, moment):
    """The process dies without warning after some pieces; the same call gives the same result."""
    (tmp_path / "run.py").write_text(SCRIPT)
    command = [sys.executable, tmp_path / "run.py", tmp_path / "store"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for _ in range(moment):
            process.stdout.readline()
        time.sleep(0.05 if moment else 0.5)
        process.kill()
    log = tmp_path / "log"
    log.mkdir()
    assert collected(shards.run(pieces(log=log), "a", tmp_path / "store")) == EXPECTED
    assert len(list(log.iterdir())) <= 6 - moment


def test_fingerprints_see_everything():
    base = shards.fingerprint(np.arange(3), "a", 1)
    for other in (
        (np.arange(3.0), "a", 1), (np.arange(3)[None], "a", 1), (np.arange(3), "b", 1), (np.arange(3), "a1"),
        (np.array([0, 1, 3]), "a", 1), (np.arange(3), "a", 1.0), (np.arange(0), "a", 1),
    ):  # fmt: skip
        assert shards.fingerprint(*other) != base
    assert shards.fingerprint(np.asfortranarray(np.ones((2, 3)))) == shards.fingerprint(np.ones((2, 3)))
