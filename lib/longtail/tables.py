"""Count the cells of a table, in one pass and in bounded memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    import polars

Table: TypeAlias = "str | Path | Mapping[str, ArrayLike] | polars.DataFrame | polars.LazyFrame"

MOST_GROUPS = 100


@dataclass(frozen=True)
class Cells:
    """Counts of rows.

    Attributes
    ----------
    counts
        Rows in each subpopulation, shape (k,).
    by_group
        Rows of each group in each subpopulation, shape (k,) each; empty without groups.
    labels
        Number of distinct labels, 0 without labels.
    agreement
        Chance that two rows of one subpopulation have the same label; None without labels or pairs.
    """

    counts: NDArray[np.int64]
    by_group: dict[str, NDArray[np.int64]]
    labels: int
    agreement: float | None


def count_cells(
    table: Table, subpopulation: Sequence[str], group: Sequence[str] = (), label: Sequence[str] = ()
) -> Cells:
    """Count rows by subpopulation, and within these by group and by label.

    Parameters
    ----------
    table
        A CSV or Parquet file (by the end of its name), a mapping of names to columns, or a polars frame.
    subpopulation, group, label
        Columns whose values together make one.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file or column is missing, empty or damaged, or values are missing.
    """
    pl = _polars()
    if not subpopulation:
        raise ValueError("subpopulation must name at least one column")
    columns = list(dict.fromkeys([*subpopulation, *group, *label]))
    rows = _distinct(pl, table, columns)
    for name in subpopulation:
        if rows[name].n_unique() == 1:
            raise ValueError(f"column {name!r} has one value only: it makes no subpopulations")
    cell, number = _codes(rows, subpopulation)[1], rows["rows"].to_numpy().astype(np.float64)
    counts = _sums(cell, number, cell.max() + 1)
    groups = _split(rows, group, cell, number) if group else {}
    if not label:
        return Cells(counts, groups, 0, None)
    values, code = _codes(rows, label)
    return Cells(counts, groups, len(values), _agreement(cell * len(values) + code, counts, number))


def _distinct(pl: ModuleType, table: Table, columns: list[str]) -> polars.DataFrame:
    """Distinct rows of these columns with the number of times they occur."""
    try:
        frame = _scan(pl, table)
        known = frame.collect_schema().names()
        for name in columns:
            if name not in known:
                raise ValueError(f"no column {name!r}; there are {', '.join(map(repr, known))}")
        rows: polars.DataFrame = (
            frame.select(columns).group_by(columns).len("rows").collect(engine="streaming")
        )
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"cannot read the table: {str(error).splitlines()[0]}") from error
    if rows.is_empty():
        raise ValueError("the table has no rows")
    for name in columns:
        missing = rows[name].is_null() | (rows[name].cast(pl.String).str.to_lowercase() == "nan")
        if missing.any():
            number = rows.filter(missing)["rows"].sum()
            raise ValueError(
                f"column {name!r} has {number} missing values: fill them or leave these rows out"
            )
    return rows


def _scan(pl: ModuleType, table: Table) -> polars.LazyFrame:
    """Open lazily; values of a CSV stay text, since a postcode is no number."""
    if isinstance(table, pl.DataFrame | pl.LazyFrame):
        return cast("polars.LazyFrame", table.lazy())
    if isinstance(table, Mapping):
        columns = {name: np.asarray(column) for name, column in table.items()}
        return cast("polars.LazyFrame", pl.LazyFrame(columns))
    path = Path(cast("str | Path", table))
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    if path.suffix in (".parquet", ".pq"):
        return cast("polars.LazyFrame", pl.scan_parquet(path))
    separator = "\t" if path.suffix == ".tsv" else ","
    return cast("polars.LazyFrame", pl.scan_csv(path, infer_schema=False, separator=separator))


def _codes(rows: polars.DataFrame, columns: Sequence[str]) -> tuple[polars.DataFrame, NDArray[np.int64]]:
    """Distinct values in sorted order, and the number of each row's."""
    values = rows.select(columns).unique().sort(columns).with_row_index("code")
    joined = rows.join(values, on=list(columns), how="left", maintain_order="left")
    return values.drop("code"), joined["code"].to_numpy().astype(np.int64)


def _split(
    rows: polars.DataFrame, columns: Sequence[str], cell: NDArray[np.int64], number: NDArray[np.float64]
) -> dict[str, NDArray[np.int64]]:
    """Rows in each cell by the value of other columns."""
    values, code = _codes(rows, columns)
    if len(values) > MOST_GROUPS:
        raise ValueError(f"group must have at most {MOST_GROUPS} values, got {len(values)}")
    names = [", ".join(map(str, row)) for row in values.iter_rows()]
    size = cell.max() + 1
    return {name: _sums(cell[code == k], number[code == k], size) for k, name in enumerate(names)}


def _sums(cell: NDArray[np.int64], number: NDArray[np.float64], size: int) -> NDArray[np.int64]:
    return np.bincount(cell, number, minlength=size).astype(np.int64)


def _agreement(
    labelled: NDArray[np.int64], counts: NDArray[np.int64], number: NDArray[np.float64]
) -> float | None:
    """Chance that two rows of one cell have the same label."""
    pairs = float((counts * (counts - 1.0)).sum())
    same = np.bincount(np.unique(labelled, return_inverse=True)[1], number)
    return float((same * (same - 1)).sum()) / pairs if pairs else None


def _polars() -> ModuleType:
    try:
        return import_module("polars")
    except ImportError as error:
        raise ImportError('reading tables needs polars: pip install "longtail[audit]"') from error
