"""Long runs in pieces: each piece is written at once or not at all, and is found again after a restart.

A run is a list of pieces, each a call that returns arrays.  With a folder as `store` a finished piece
becomes one `.npz` file with a checksum and the fingerprint of its run; what is damaged or belongs to
another run is named in a warning and made again.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Executor, as_completed
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

Arrays: TypeAlias = dict[str, NDArray[np.generic]]
Piece: TypeAlias = Callable[[], Arrays]


class DamagedShard(UserWarning):
    """A stored piece that cannot be used and is made again."""


def fingerprint(*parts: object) -> str:
    """Hash of all that a run depends on: arrays by their bytes, anything else by its `repr`.

    Examples
    --------
    >>> fingerprint(np.arange(3), "a") == fingerprint(np.arange(3), "a") != fingerprint(np.arange(3.0), "a")
    True
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).view(np.uint8).data if part.size else b"")
        else:
            digest.update(repr(part).encode())
        digest.update(b"\0")
    return digest.hexdigest()


def run(
    pieces: Mapping[str, Piece],
    run_id: str,
    store: str | Path | None = None,
    executor: Executor | None = None,
    description: str = "pieces",
) -> Iterator[tuple[str, Arrays]]:
    """Yield the name and the arrays of every piece, in the order in which they are finished.

    Parameters
    ----------
    pieces
        Independent calls by name; picklable if an executor of processes runs them.
    run_id
        Fingerprint of the run, see `fingerprint`.
    store
        Folder for finished pieces, made if needed; several runs may share it.
    executor
        Runs the pieces; in this process when left out.
    description
        Shown beside the progress bar.

    Raises
    ------
    RuntimeError
        If the executor fails; the finished pieces are in the store.
    """
    folder = None if store is None else Path(store) / run_id[:16]
    missing = []
    with tqdm(total=len(pieces), desc=description, leave=False, disable=None) as bar:
        for name in pieces:
            found = None if folder is None else load(folder / f"{name}.npz", f"{run_id}/{name}")
            if found is None:
                missing.append(name)
            else:
                bar.update()
                yield name, found
        paths = {name: folder and folder / f"{name}.npz" for name in missing}
        calls = {name: partial(_make, pieces[name], paths[name], f"{run_id}/{name}") for name in missing}
        for name, arrays in _calls(calls, executor):
            bar.update()
            yield name, arrays


def _calls(calls: Mapping[str, Piece], executor: Executor | None) -> Iterator[tuple[str, Arrays]]:
    if executor is None:
        yield from ((name, call()) for name, call in calls.items())
        return
    futures = {executor.submit(call): name for name, call in calls.items()}
    done = 0
    try:
        for future in as_completed(futures):
            arrays = future.result()
            done += 1
            yield futures.pop(future), arrays
    except BrokenExecutor as error:
        raise RuntimeError(
            f"executor failed after {done} of {len(calls)} pieces ({error}); with a store, "
            "the same call with a new executor goes on from the finished ones"
        ) from error
    finally:
        for future in futures:
            future.cancel()


def _make(piece: Piece, path: Path | None, identity: str) -> Arrays:
    arrays = piece()
    if path is not None:
        save(path, arrays, identity)
    return arrays


def save(path: Path, arrays: Arrays, identity: str) -> None:
    """Write arrays to `path` in one step: a reader sees the whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    named = {**arrays, "identity": np.array(identity)}
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez_compressed(file, allow_pickle=False, checksum=np.array(_checksum(named)), **named)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def load(path: Path, identity: str | None = None) -> Arrays | None:
    """Read what `save` wrote, its identity included.

    None if there is no file, or, with a warning, if it is damaged or has another identity than asked for.
    """
    if not path.exists():
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        found, checksum = str(arrays["identity"]), str(arrays.pop("checksum"))
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        reason = f"cannot be read ({type(error).__name__})"
    else:
        if identity not in (None, found):
            reason = "belongs to another run or piece"
        elif checksum != _checksum(arrays):
            reason = "does not match its checksum"
        else:
            return arrays
    warnings.warn(f"{path.name} {reason} and is not used: {path}", DamagedShard, stacklevel=2)
    return None


def _checksum(arrays: Arrays) -> str:
    return fingerprint(*(part for name in sorted(arrays) for part in (name, arrays[name])))
