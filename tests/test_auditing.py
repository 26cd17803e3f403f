"""The audit: by hand, its coverage by simulation, its reading of files, its command line."""

import json
import math
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from longtail import FrequencyPrior, audit
from longtail.learners import limited, private
from longtail.tables import count_cells

TABLE = {
    "a": ["x", "x", "x", "y", "y", "z", "z", "z"],
    "b": [1, 1, 2, 1, 1, 1, 2, 3],
    "who": ["m", "f", "m", "m", "m", "f", "f", "f"],
    "label": [0, 1, 2, 1, 1, 0, 0, 0],
}  # cells: x1 twice, x2, y1 twice, z1, z2, z3


@pytest.fixture(params=["mapping", "frame", "csv", "tsv", "parquet"])
def table(request, tmp_path):
    frame, path = pl.DataFrame(TABLE), tmp_path / f"data.{request.param}"
    if request.param == "mapping":
        return TABLE
    if request.param == "frame":
        return frame
    if request.param == "parquet":
        frame.write_parquet(path)
    else:
        frame.write_csv(path, separator="," if request.param == "csv" else "\t")
    return path


def test_counting_by_hand(table):
    cells = count_cells(table, ["a", "b"], ["who"], ["label"])
    assert sorted(cells.counts) == [1, 1, 1, 1, 2, 2]
    assert cells.counts.tolist() == (cells.by_group["m"] + cells.by_group["f"]).tolist()
    assert (cells.by_group["m"].sum(), cells.by_group["f"].sum()) == (4, 4)
    assert cells.labels == 3
    assert cells.agreement == 0.5  # of the two pairs x1 disagrees


def test_prices_by_hand(table):
    report = audit(table, ["a", "b"], "who", "label", gamma=0.5, epsilon=1.0)
    everyone, women, men = report.lines
    assert (report.classes, everyone.group, women.group, men.group) == (3, "all", "f", "m")
    assert (everyone.rows, everyone.subpopulations, everyone.alone) == (8, 6, 4)
    assert (men.rows, men.subpopulations, men.alone) == (4, 3, 1)
    assert everyone.prices["unseen"].value == 4 / 8
    assert everyone.prices["seen once"].value == 4 / 8
    assert everyone.prices["not fitting"].value == pytest.approx(4 / 8 * 2 / 3)
    assert everyone.prices["gamma"].value == pytest.approx(4 / 8 * (1 - limited(0.5).fit(1, 3)))
    assert everyone.prices["epsilon"].value == pytest.approx(4 / 8 * (1 - private(1.0).fit(1, 3)))
    assert men.prices["seen once"].value == 3 / 4  # three of the four men share a cell of two


def test_groups_share_the_price_of_all():
    rng = np.random.default_rng(0)
    table = {"cell": rng.zipf(1.7, 3000), "who": rng.choice(list("abc"), 3000)}
    everyone, *groups = audit(table, "cell", "who", gamma=0.3, epsilon=0.5).lines
    for name, amount in everyone.prices.items():
        mean = sum(g.rows * g.prices[name].value for g in groups) / everyone.rows
        assert mean == pytest.approx(amount.value)


@pytest.mark.parametrize("N", [300, 3000])
def test_intervals_cover_what_happens(N):
    """800 Zipf worlds of 1,000 rows in two groups: the true prices of the sample lie in 95 % intervals."""
    prior, n, m, learner = FrequencyPrior.zipf(N), 1000, 5, limited(0.3)
    rng, covered = np.random.default_rng(N), []
    for _ in range(800):
        D = prior.sample(rng)
        cell = rng.choice(N, n, p=D)
        counts = np.bincount(cell, minlength=N)
        who = np.where(cell < N // 2, "a", "b")
        lines = audit({"cell": cell, "who": who}, "cell", "who", classes=m, gamma=0.3).lines
        charge = np.array([0, *(1 - learner.fit(l, m) for l in range(1, counts.max() + 1))])[counts]
        half = np.arange(N) < N // 2
        truths = [D @ charge, D[half] @ charge[half] / D[half].sum()]
        once = [D @ (counts == 1), D[half] @ (counts == 1)[half] / D[half].sum()]
        for line, price, mass in zip(lines, truths, once, strict=False):
            gamma, seen = line.prices["gamma"], line.prices["seen once"]
            covered.append([gamma.low <= price <= gamma.high, seen.low <= mass <= seen.high])
    least = 0.95 - 4 * math.sqrt(0.95 * 0.05 / 800)
    assert (np.mean(np.array(covered).reshape(-1, 2, 2), axis=0) > least).all()


def test_warnings():
    def said(**columns):
        return " ".join(audit(columns, "cell", label="label" if "label" in columns else None).warnings)

    rng = np.random.default_rng(1)
    assert "rows are few" in said(cell=["a", "a", "b"])
    assert "too fine" in said(cell=np.arange(1000))
    assert "no tail" in said(cell=np.arange(1000) % 10)
    assert "same label with chance 0.5" in said(cell=rng.zipf(1.7, 1000), label=rng.integers(2, size=1000))
    zipf = rng.zipf(1.7, 1000)
    assert said(cell=zipf, label=zipf % 3) == ""


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "longtail", "audit", *map(str, arguments)], capture_output=True, text=True
    )


def test_command_line(tmp_path):
    path = tmp_path / "data.csv"
    pl.DataFrame(TABLE).write_csv(path)
    out, picture = tmp_path / "out.json", tmp_path / "out.png"
    options = [
        "--group",
        "who",
        "--label",
        "label",
        "--gamma",
        0.5,
        "--epsilon",
        1,
        "--json",
        out,
        "--figure",
        picture,
    ]
    done = run(path, "--subpopulation", "a", "b", *options)
    assert (done.returncode, done.stderr) == (0, "")
    expected = audit(path, ["a", "b"], "who", "label", gamma=0.5, epsilon=1.0)
    assert done.stdout == f"{expected}\n"
    assert "Warning: 8 rows are few" in done.stdout
    assert json.loads(out.read_text()) == expected.as_dict()
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_command_line_says_what_is_wrong(tmp_path):
    def write(name, content):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    good = write("good.csv", b"a,b\n1,2\n1,3\n")
    cases = [
        ((tmp_path / "none.csv", "--subpopulation", "a"), "no such file"),
        ((good, "--subpopulation", "c"), "no column 'c'; there are 'a', 'b'"),
        ((good, "--subpopulation", "a"), "column 'a' has one value only"),
        ((good, "--subpopulation", "b", "--gamma", "2"), "gamma must lie in [0, 1], got 2"),
        ((good, "--subpopulation", "b", "--json", tmp_path / "no" / "x.json"), "no such folder"),
        ((write("empty.csv", b""), "--subpopulation", "a"), "cannot read the table: empty CSV"),
        ((write("head.csv", b"a,b\n"), "--subpopulation", "a"), "the table has no rows"),
        ((write("latin.csv", b"a,b\n\xff,1\n2,3\n"), "--subpopulation", "a"), "invalid utf-8"),
        ((write("gap.csv", b"a,b\n,1\n2,3\nnan,3\n"), "--subpopulation", "a"), "'a' has 2 missing values"),
        ((write("not.parquet", b"PAR0"), "--subpopulation", "a"), "cannot read the table"),
    ]
    for arguments, message in cases:
        done = run(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("longtail: ")
        assert message in done.stderr
        assert "Traceback" not in done.stderr


def test_floats_with_nan_and_too_many_groups():
    with pytest.raises(ValueError, match="column 'x' has 1 missing values"):
        audit({"x": [1.0, np.nan, 2.0]}, "x")
    with pytest.raises(ValueError, match="group must have at most 100 values, got 200"):
        audit({"x": np.arange(200), "who": np.arange(200)}, "x", "who")


def test_a_million_rows_in_bounded_memory(tmp_path):
    """In a process of its own: the peak is what polars needs, not a multiple of the rows."""
    rng, path = np.random.default_rng(0), tmp_path / "big.csv"
    pl.DataFrame({"a": rng.zipf(1.5, 10**6).clip(max=5000), "b": rng.integers(5, size=10**6)}).write_csv(path)
    code = (
        "import sys, resource; from longtail import audit;"
        "report = audit(sys.argv[1], ['a', 'b']);"
        "print(report.lines[0].rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    rows, peak = done.stdout.split()
    assert int(rows) == 10**6
    assert float(peak) < 600


def test_without_polars(monkeypatch):
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(ImportError, match=r"pip install \"longtail\[audit\]\""):
        audit(TABLE, "a")
