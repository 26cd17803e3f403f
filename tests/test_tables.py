"""Reading tables: every kind of source gives the same counts, and what is wrong is said."""

import datetime
import math
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from longtail import audit
from longtail.tables import count_cells

TABLE = {
    "a": ["x", "x", "x", "y", "y", "z", "z", "z"],
    "b": [1, 1, 2, 1, 1, 1, 2, 3],
    "who": ["m", "f", "m", "m", "m", "f", "f", "f"],
    "label": [0, 1, 2, 1, 1, 0, 0, 0],
}  # cells: x1 twice, x2, y1 twice, z1, z2, z3


class Frame:
    """What matters of a frame of pandas: names, and columns by name."""

    def keys(self):
        return TABLE.keys()

    def __getitem__(self, name):
        return np.array(TABLE[name], dtype=object)


@pytest.fixture(
    params=["mapping", "pandas", "polars", "csv", "tsv", "TSV", "csv.gz", "parquet", "PARQUET", "pq", "dat"]
)
def table(request, tmp_path):
    frame, path = pl.DataFrame(TABLE), tmp_path / f"data[1].{request.param}"  # no pattern of names
    if request.param in ("mapping", "pandas", "polars"):
        return {"mapping": TABLE, "pandas": Frame(), "polars": frame}[request.param]
    if request.param in ("parquet", "PARQUET", "pq", "dat"):
        frame.write_parquet(path)
    elif request.param == "csv.gz":
        import gzip

        path.write_bytes(gzip.compress(frame.write_csv().encode()))
    else:
        frame.write_csv(path, separator="," if request.param == "csv" else "\t")
    return path


def test_counting_by_hand(table):
    cells = count_cells(table, ["a", "b"], ["who"], ["label"])
    assert sorted(cells.counts) == [1, 1, 1, 1, 2, 2]
    men, women = cells.by_group["m"], cells.by_group["f"]
    assert sorted(zip(*men, strict=True)) == [(1, 1), (2, 1), (2, 2)]
    assert sorted(zip(*women, strict=True)) == [(1, 1), (1, 1), (1, 1), (2, 1)]
    assert cells.labels.tolist() == [4, 3, 1]
    assert cells.agreement == 0.5  # of the two pairs x1 disagrees


@pytest.mark.parametrize("names", [("code", "rows"), ("^a$", "*"), ("0", "1"), ("1", "0"), ("", "len")])
def test_names_that_might_clash(tmp_path, names):
    path = tmp_path / "data.csv"
    columns = {names[0]: TABLE["a"], names[1]: TABLE["b"], "who": TABLE["who"]}
    pl.DataFrame(columns).write_csv(path)
    assert sorted(count_cells(path, names, ["who"]).counts) == [1, 1, 1, 1, 2, 2]
    assert sorted(count_cells(columns, names[:1]).counts) == [2, 3, 3]


def test_a_column_twice_and_in_two_roles():
    once = count_cells(TABLE, ["a", "a"], ["a"], ["who"])
    assert sorted(once.counts) == [2, 3, 3]
    assert once.by_group.keys() == {"x", "y", "z"}


def test_groups_whose_names_would_agree():
    table = {"cell": [1, 2, 3, 4], "g": ["a, b", "a", "a", "c"], "h": ["c", "b, c", "d", "c"]}
    groups = count_cells(table, ["cell"], ["g", "h"]).by_group
    assert len(groups) == 4
    assert "('a', 'b, c')" in groups


def test_values_of_many_types():
    days = [datetime.date(2020, 1, 1 + k % 2) for k in range(8)]
    for column in (
        days,
        pl.Series(TABLE["a"], dtype=pl.Categorical),
        [b"\xff", b"b"] * 4,
        [True, False] * 4,
        [0.5, 1] * 4,
    ):
        assert count_cells(pl.DataFrame({"a": column}), ["a"]).counts.sum() == 8
    assert count_cells({"a": np.array([1, "x", 1], dtype=object)}, ["a"]).counts.tolist() == [2, 1]


nan = math.nan
UNUSABLE = {
    "two dimensions": (
        np.zeros((5, 2)),
        "column 'a' must be a list of values, none masked, got shape (5, 2)",
    ),
    "no dimension": (3, "column 'a' must be a list of values, none masked, got shape ()"),
    "masked": (np.ma.array([1, 2, 3], mask=[0, 1, 0]), "none masked"),
    "sets": (np.array([{1}, {2}], dtype=object), "column 'a' must hold plain values, got Object"),
    "complex": (np.array([1j, 2j]), "column 'a' must hold plain values, got Object"),
    "nothing": ([], "the table has no rows"),
    "NaN": ([1.0, nan, 2.0], "column 'a' has 1 missing values"),
    "NaN in text": (np.array(["x", nan, "y"], dtype=object), "column 'a' has 1 missing values"),
    "None in text": (["x", None, "y"], "column 'a' has 1 missing values"),
    "no time": (np.array(["2020-01-01", "NaT"], dtype="datetime64[D]"), "column 'a' has 1 missing values"),
    "one value": ([1, 1], "column 'a' has one value only"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_columns_that_cannot_be_used(name):
    column, message = UNUSABLE[name]
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the message is compared below
        count_cells({"a": column}, ["a"])
    assert message in str(error.value)


def test_nested_parquet(tmp_path):
    path = tmp_path / "nested.parquet"
    pl.DataFrame({"a": [[1], [2]], "s": [{"x": 1}, {"x": 2}]}).write_parquet(path)
    for name, kind in (("a", "List"), ("s", "Struct")):
        with pytest.raises(ValueError, match=f"column '{name}' must hold plain values, got {kind}"):
            count_cells(path, [name])


def test_unequal_columns_unknown_names_and_no_table():
    with pytest.raises(ValueError, match=r"cannot read the table: .*height"):
        count_cells({"a": [1, 2], "b": [1, 2, 3]}, ["a", "b"])
    with pytest.raises(ValueError, match=r"no column 'x'; there are 'c0', .*'c19', \.\.\.$"):
        count_cells({f"c{k}": [1, 2] for k in range(1000)}, ["x"])
    with pytest.raises(ValueError, match="subpopulation must name at least one column"):
        count_cells(TABLE, [])
    with pytest.raises(ValueError, match="group must have at most 100 values, got 200"):
        count_cells({"x": np.arange(200), "who": np.arange(200)}, ["x"], ["who"])
    with pytest.raises(TypeError, match="table must be a file, a mapping of columns or a frame, got list"):
        count_cells([1, 2], ["a"])


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_million_rows_in_bounded_memory(tmp_path, suffix):
    """In a process of its own: seconds, and a peak that rows do not multiply (the result file has both)."""
    rng, path = np.random.default_rng(0), tmp_path / f"big{suffix}"
    table = pl.DataFrame({"a": rng.zipf(1.5, 10**6).clip(max=5000), "b": rng.integers(5, size=10**6)})
    (table.write_csv if suffix == ".csv" else table.write_parquet)(path)
    code = (
        "import sys, re, time; from longtail import audit;"
        "report = audit(sys.argv[1], ['a', 'b']);"
        "peak = re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1];"
        "print(report.lines[0].rows, int(peak) / 1024, time.process_time())"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    rows, peak, seconds = done.stdout.split()
    assert int(rows) == 10**6
    assert float(peak) < 400  # MiB; measured 190, of which 80 before the table is opened
    assert float(seconds) < 10  # measured 1, imports included


def test_without_polars(monkeypatch):
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(ImportError, match=r"pip install \"longtail\[audit\]\""):
        audit(TABLE, "a")
