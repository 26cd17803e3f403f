"""Count the cells of a table, in one pass and in bounded memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    import polars

Table: TypeAlias = "str | Path | Mapping[str, ArrayLike] | polars.DataFrame | polars.LazyFrame"

Codes: TypeAlias = "tuple[polars.DataFrame, NDArray[np.int64]]"  # distinct values, number of each row's

MOST_GROUPS = 100
MESSAGE = 120  # characters of what polars says
NAMES_TOLD = 20  # in the message on a missing column
ROWS = "rows"


class Members(NamedTuple):
    """A group in the k subpopulations that it has.

    Attributes
    ----------
    counts
        Rows of anybody in each of them, shape (k,).
    members
        Rows of the group in each of them, shape (k,).
    """

    counts: NDArray[np.int64]
    members: NDArray[np.int64]


@dataclass(frozen=True)
class Cells:
    """Counts of rows.

    Attributes
    ----------
    counts
        Rows in each subpopulation, shape (k,).
    by_group
        Each group by its name; empty without groups.
    labels
        Rows with each label; empty without labels.
    agreement
        Chance that two rows of one subpopulation have the same label; None without labels or pairs.
    """

    counts: NDArray[np.int64]
    by_group: dict[str, Members]
    labels: NDArray[np.int64]
    agreement: float | None


def count_cells(
    table: Table, subpopulation: Sequence[str], group: Sequence[str] = (), label: Sequence[str] = ()
) -> Cells:
    """Count rows by subpopulation, and within these by group and by label.

    Parameters
    ----------
    table
        A CSV or Parquet file, a mapping of names to columns, or a frame of polars or pandas.
    subpopulation, group, label
        Columns whose values together make one.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file or column is missing, empty, damaged, nested or has one value only, or values are missing.
    """
    roles = {"subpopulations": subpopulation, "groups": group, "classes": label}
    if not subpopulation:
        raise ValueError("subpopulation must name at least one column")
    if overlap := set(label) & set(subpopulation):
        raise ValueError(f"label must not be part of the subpopulation, got {overlap.pop()!r} in both")
    columns = list(dict.fromkeys(name for names in roles.values() for name in names))
    rows = _distinct(_polars(), table, columns)
    for role, names in roles.items():
        for name in names:
            if rows[_new(columns, name)].n_unique() == 1:
                raise ValueError(f"column {name!r} has one value only: it makes no {role}")
    coded = (_codes(rows, list({_new(columns, name): 0 for name in names})) for names in roles.values())
    return _cells(rows[ROWS].to_numpy().astype(np.float64), *coded)


def _cells(number: NDArray[np.float64], subpopulations: Codes, groups: Codes, labels: Codes) -> Cells:
    (cells, cell), (members, member), (classes, answer) = subpopulations, groups, labels
    k, m = len(cells), len(classes)
    counts = _sums(cell, number, k)
    by_group = {}
    for g, name in enumerate(_names(members)):
        here, own = np.unique(cell[member == g], return_inverse=True)
        by_group[name] = Members(counts[here], _sums(own, number[member == g], here.size))
    if not m:
        return Cells(counts, by_group, np.zeros(0, np.int64), None)
    agreement = _agreement(cell * m + answer, counts, number)
    return Cells(counts, by_group, _sums(answer, number, m), agreement)


def _agreement(
    labelled: NDArray[np.int64], counts: NDArray[np.int64], number: NDArray[np.float64]
) -> float | None:
    pairs = float((counts * (counts - 1.0)).sum())
    same = np.bincount(np.unique(labelled, return_inverse=True)[1], number)
    return float((same * (same - 1)).sum()) / pairs if pairs else None


def _names(groups: polars.DataFrame) -> list[str]:
    """Names of the groups, told apart even where values contain commas."""
    if len(groups) > MOST_GROUPS:
        raise ValueError(f"group must have at most {MOST_GROUPS} values, got {len(groups)}")
    rows = groups.rows()
    names = [", ".join(map(str, row)) for row in rows]
    return names if len(set(names)) == len(names) else [str(row) for row in rows]


def _distinct(pl: ModuleType, table: Table, columns: list[str]) -> polars.DataFrame:
    """Distinct rows of these columns with the number of times they occur."""
    try:
        frame = _scan(pl, table, columns)
        _complain_of_types(frame, columns)
        new = {name: _new(columns, name) for name in columns}
        chosen = frame.select(pl.selectors.by_name(*columns)).rename(new)
        rows: polars.DataFrame = chosen.group_by(*new.values()).len(ROWS).collect(engine="streaming")
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"cannot read the table: {' '.join(str(error).split())[:MESSAGE]}") from error
    if rows.is_empty():
        raise ValueError("the table has no rows")
    for name in columns:
        _complain_of_gaps(pl, rows, _new(columns, name), name)
    return rows


def _new(columns: list[str], name: str) -> str:
    """Name of a column from here on, so that none can clash with ours or be taken for a pattern."""
    return str(columns.index(name))


def _scan(pl: ModuleType, table: Table, columns: list[str]) -> polars.LazyFrame:
    """Open lazily; values of a CSV stay text, since a postcode is no number."""
    if isinstance(table, pl.DataFrame | pl.LazyFrame):
        return cast("polars.LazyFrame", table.lazy())
    if isinstance(table, str | Path):
        return _scan_file(pl, Path(table))
    if not hasattr(table, "keys"):
        raise TypeError(f"table must be a file, a mapping of columns or a frame, got {type(table).__name__}")
    mapping = cast("Mapping[str, ArrayLike]", table)
    _complain_of_names(list(mapping.keys()), columns)
    return cast(
        "polars.LazyFrame", pl.LazyFrame({name: _series(pl, name, mapping[name]) for name in columns})
    )


def _series(pl: ModuleType, name: str, values: ArrayLike) -> polars.Series:
    array = np.asarray(values)
    if array.ndim != 1 or np.ma.is_masked(values):
        raise ValueError(f"column {name!r} must be a list of values, none masked, got shape {array.shape}")
    mixed = array.dtype == object  # text among gaps, as pandas keeps it
    return cast("polars.Series", pl.Series(array.tolist() if mixed else array, strict=not mixed))


def _scan_file(pl: ModuleType, path: Path) -> polars.LazyFrame:
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    with path.open("rb") as file:
        parquet = path.suffix.lower() in (".parquet", ".pq") or file.read(4) == b"PAR1"
    if parquet:
        return cast("polars.LazyFrame", pl.scan_parquet(path, glob=False))
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    text = pl.scan_csv(path, infer_schema=False, separator=separator, glob=False)
    # All columns are read, not only those asked for, or rows with too many fields would go unnoticed.
    whole = text.map_batches(lambda rows: rows, projection_pushdown=False, streamable=True)
    return cast("polars.LazyFrame", whole)


def _complain_of_names(known: Sequence[str], columns: list[str]) -> None:
    for name in columns:
        if name not in known:
            there = ", ".join(map(repr, known[:NAMES_TOLD])) + (", ..." if len(known) > NAMES_TOLD else "")
            raise ValueError(f"no column {name!r}; there are {there}")


def _complain_of_types(frame: polars.LazyFrame, columns: list[str]) -> None:
    schema = frame.collect_schema()
    if any(sign in name for name in schema.names() for sign in ("\0", "\ufffd")):
        raise ValueError("cannot read the table: its names of columns are not UTF-8 text")
    _complain_of_names(schema.names(), columns)
    for name in columns:
        if schema[name].is_nested() or schema[name].is_object():
            raise ValueError(f"column {name!r} must hold plain values, got {schema[name]}")


def _complain_of_gaps(pl: ModuleType, rows: polars.DataFrame, column: str, name: str) -> None:
    """Find nulls and NaNs; a text that says so is one, too."""
    values = rows[column]
    missing = values.is_null()
    if values.dtype.is_float():
        missing |= values.is_nan().fill_null(False)
    elif values.dtype == pl.String:
        missing |= (values.str.to_lowercase() == "nan").fill_null(False)
    if missing.any():
        number = rows.filter(missing)[ROWS].sum()
        raise ValueError(f"column {name!r} has {number} missing values: fill them or leave these rows out")


def _codes(rows: polars.DataFrame, columns: list[str]) -> Codes:
    """Distinct values in sorted order, and the number of each row's."""
    if not columns:
        return rows.clear(), np.zeros(len(rows), np.int64)
    values = rows.select(columns).unique().sort(columns).with_row_index("code")
    joined = rows.join(values, on=columns, how="left", maintain_order="left")
    return values.drop("code"), joined["code"].to_numpy().astype(np.int64)


def _sums(cell: NDArray[np.int64], number: NDArray[np.float64], size: int) -> NDArray[np.int64]:
    return np.bincount(cell, number, minlength=size).astype(np.int64)


def _polars() -> ModuleType:
    try:
        return import_module("polars")
    except ImportError as error:
        raise ImportError('reading tables needs polars: pip install "longtail[audit]"') from error
