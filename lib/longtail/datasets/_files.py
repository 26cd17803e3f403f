"""The packed files: where they lie, and the proof that they are what they should be.

Every file is read through this module, so nothing is used before its digest has been compared.
"""

import hashlib
import io
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Split = Literal["train", "test"]

FOLDER = Path(__file__).parent

PACKED = {
    "austen_words.tsv.gz": "fed5bd42e8ed1edcfde5e911a9c3f8e826584818c7ba336558f022e5b8c80c7f",
    "adult.npz": "c6902570b10e52e483a6579fbb18c918bef582a3dbe3286e82579eae67293510",
    "fashion_mnist.npz": "15df8da60cabdc954ffe4e7cb21c92966a8a39fb5ace4ec03e31471bad960f12",
}
"""sha256 of each packed file; the README beside it repeats them."""


def read_packed(name: str) -> bytes:
    """Return the bytes of a packed file whose sha256 is the pinned one.

    Raises
    ------
    ValueError
        If the file is damaged: the message names it, the expected and the found digest.
    """
    data = (FOLDER / name).read_bytes()
    check_sha256(FOLDER / name, data, PACKED[name])
    return data


def read_npz(name: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of a packed ``.npz``, checked as in `read_packed`."""
    with np.load(io.BytesIO(read_packed(name)), allow_pickle=False) as arrays:
        return dict(arrays)


def check_sha256(file: Path, data: bytes, expected: str) -> None:
    """Raise ValueError unless `data`, the content of `file`, has the `expected` sha256."""
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise ValueError(f"{file} is damaged or another version: sha256 should be {expected}, is {found}")


def check_split(split: str) -> None:
    """Raise ValueError unless `split` names one of the two splits."""
    if split not in get_args(Split):
        raise ValueError(f"split must be 'train' or 'test', got {split!r}")
