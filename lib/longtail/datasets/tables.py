"""Words and census cells: the two real long tails that are counted, not looked at."""

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from longtail.datasets._files import Split, check_split, read_npz, read_packed

Table = Mapping[str, NDArray[Any]]

ADULT_COLUMNS = (
    "age",
    "workclass",
    "fnlwgt",
    "education",
    "education-num",
    "marital-status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "capital-gain",
    "capital-loss",
    "hours-per-week",
    "native-country",
    "income",
)
ADULT_ATTRIBUTES = (
    "workclass",
    "education",
    "marital-status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "native-country",
)
"""The eight categorical attributes of Adult; rows that agree on all of them form a cell."""


@dataclass(frozen=True, eq=False)
class WordCounts:
    """How often each word occurs, most frequent first (ties in alphabetical order).

    Attributes
    ----------
    words : array of str, shape (n_words,)
        Lower-case words.
    counts : array of int64, shape (n_words,)
        Occurrences in all novels together, at least 1, descending.
    by_novel : array of int64, shape (n_words, n_novels)
        Occurrences in each novel; the rows sum to `counts`.
    novels : tuple of str
        Titles, in order of publication: the columns of `by_novel`.
    """

    words: NDArray[np.str_]
    counts: NDArray[np.int64]
    by_novel: NDArray[np.int64]
    novels: tuple[str, ...]


def austen_words() -> WordCounts:
    """Count the words of Jane Austen's six novels: 14,072 different ones, 724,859 in all.

    A word is a match of ``[a-z]+(?:'[a-z]+)?`` in the lower-cased text.  Running text is not
    exchangeable: a word that has just occurred is likely to come again.  Treating the counts as a
    random sample amounts to shuffling the text; comparing novels shows what that hides.

    Returns
    -------
    WordCounts

    Raises
    ------
    ValueError
        If the packed file is damaged.

    Notes
    -----
    The novels are in the public domain; source and credits in ``longtail/datasets/README.md``.

    Examples
    --------
    >>> austen = austen_words()
    >>> print(austen.words[0], austen.counts[0])
    the 26357
    >>> int((austen.counts == 1).sum())  # words that occur once
    4498
    """
    lines = gzip.decompress(read_packed("austen_words.tsv.gz")).decode().splitlines()
    header, *rows = (line.split("\t") for line in lines)
    by_novel = np.array([row[1:] for row in rows], dtype=np.int64)
    words = np.array([row[0] for row in rows], dtype=np.str_)
    return WordCounts(words, by_novel.sum(axis=1), by_novel, tuple(header[1:]))


def adult(split: Split = "train") -> Table:
    """Load UCI Adult: one row per person of the 1994 census extract.

    The train/test split was drawn at random by the donors, hence the rows are exchangeable.

    Parameters
    ----------
    split : {"train", "test"}
        32,561 or 16,281 rows.

    Returns
    -------
    mapping of str to array, each of shape (n_rows,)
        Read-only mapping from the fifteen original column names, in the original order.  ``age``
        (years), ``fnlwgt`` (people represented), ``education-num``, ``capital-gain`` and
        ``capital-loss`` (US dollars) and ``hours-per-week`` are int64; the others are strings.
        Missing values stay ``"?"``.  ``income`` is ``"<=50K"`` or ``">50K"`` in both splits (the
        full stop after the original test labels is gone).

    Raises
    ------
    ValueError
        If `split` has another value, or if the packed file is damaged.

    Notes
    -----
    Licence CC BY 4.0; credits in ``longtail/datasets/README.md``.

    Examples
    --------
    >>> table = adult("train")
    >>> len(table["age"]), len(table)
    (32561, 15)
    """
    check_split(split)
    packed = read_npz("adult.npz")
    n_train = int(packed["n_train"])
    rows = slice(n_train) if split == "train" else slice(n_train, None)
    return MappingProxyType({name: _column(packed, name, rows) for name in ADULT_COLUMNS})


def _column(packed: Table, name: str, rows: slice) -> NDArray[Any]:
    numbers, values = packed[name][rows], packed.get(f"{name}.values")
    return numbers.astype(np.int64) if values is None else values[numbers]


@overload
def cells(table: Table, /, *, columns: Sequence[str]) -> NDArray[np.int64]: ...
@overload
def cells(
    table: Table, table2: Table, /, *tables: Table, columns: Sequence[str]
) -> tuple[NDArray[np.int64], ...]: ...
def cells(*tables: Table, columns: Sequence[str]) -> NDArray[np.int64] | tuple[NDArray[np.int64], ...]:
    """Give every row the number of its cell: the same for rows that agree on all `columns`.

    Parameters
    ----------
    *tables : mappings of str to array
        The rows of each table are numbered; the numbers are shared by all of them.
    columns : sequence of str
        What defines a cell: at least one column that every table has.

    Returns
    -------
    array of int64, shape (n_rows,), or a tuple of them, one per table
        Cell numbers 0, 1, ..., without gaps over all tables together, in the lexicographic order of
        the values.

    Raises
    ------
    ValueError
        If `columns` is empty, or names a column that a table lacks.

    Examples
    --------
    How many people are alone in their cell, and how many new people fall into no known cell?

    >>> known, new = cells(adult("train"), adult("test"), columns=ADULT_ATTRIBUTES)
    >>> counts = np.bincount(known, minlength=new.max() + 1)
    >>> print(round((counts == 1).sum() / len(known), 4), round((counts[new] == 0).mean(), 4))
    0.1804 0.1789
    """
    codes = [_codes(tables, name) for name in columns]
    if not codes:
        raise ValueError("columns must name at least one column")
    ids = np.unique(np.column_stack(codes), axis=0, return_inverse=True)[1].astype(np.int64)
    ends = np.cumsum([len(table[columns[0]]) for table in tables])
    parts = tuple(np.split(ids, ends[:-1]))
    return parts if len(parts) > 1 else parts[0]


def _codes(tables: Sequence[Table], name: str) -> NDArray[np.int64]:
    if any(name not in table for table in tables):
        raise ValueError(f"columns: {name!r} is not a column of every table")
    # Integer codes instead of joined strings: no separator can make two different cells look alike.
    values = np.concatenate([table[name] for table in tables])
    return np.unique(values, return_inverse=True)[1].astype(np.int64)
