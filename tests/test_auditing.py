"""The audit: by hand, its coverage by simulation, its command line."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from longtail import FrequencyPrior, audit
from longtail.__main__ import main
from longtail.learners import limited, private

TABLE = {
    "a": ["x", "x", "x", "y", "y", "z", "z", "z"],
    "b": [1, 1, 2, 1, 1, 1, 2, 3],
    "who": ["m", "f", "m", "m", "m", "f", "f", "f"],
    "label": [0, 1, 2, 1, 1, 0, 0, 0],
}  # cells: x1 twice, x2, y1 twice, z1, z2, z3


def test_prices_by_hand():
    report = audit(TABLE, ["a", "b"], "who", "label", gamma=0.5, epsilon=1.0)
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


WORLDS = {
    "a long tail": FrequencyPrior.zipf(3000),
    "a short one": FrequencyPrior.zipf(300),
    "rows nearly all alone": FrequencyPrior.uniform(200_000),
}


@pytest.mark.parametrize("name", WORLDS)
def test_intervals_cover_what_happens(name):
    """400 worlds of 1,000 rows, three groups, one of them with ten: the truth lies in the 95 % intervals."""
    prior, n, m, runs = WORLDS[name], 1000, 5, 400
    rng, covered = np.random.default_rng(1), []
    for _ in range(runs):
        D = prior.sample(rng)
        cell, few = rng.choice(D.size, n, p=D), rng.random(n) < 0.01
        counts, first = np.bincount(cell, minlength=D.size), np.arange(D.size) < D.size // 2
        laws = {"all": D, "few": D, "first": D * first, "second": D * ~first}
        who = np.where(few, "few", np.where(first[cell], "first", "second"))
        lines = audit({"cell": cell, "who": who}, "cell", "who", classes=m, gamma=0.3, epsilon=1.0).lines
        charges = {"unseen": np.arange(counts.max() + 1) == 0, "seen once": np.arange(counts.max() + 1) == 1}
        for limit, learner in {"gamma": limited(0.3), "epsilon": private(1.0)}.items():
            charges[limit] = np.array([0, *(1 - learner.fit(l, m) for l in range(1, counts.max() + 1))])
        for line in lines:
            P = laws[line.group] / laws[line.group].sum()
            truths = {what: P @ charge[counts] for what, charge in charges.items()}
            inside = [
                line.prices[what].low <= truth <= line.prices[what].high for what, truth in truths.items()
            ]
            covered.append(inside)
    rates = np.array(covered).reshape(runs, len(laws), len(charges)).mean(axis=0)
    assert (rates > 0.95 - 4 * math.sqrt(0.95 * 0.05 / runs)).all(), rates


def test_arguments_are_checked_before_the_table_is_read(tmp_path):
    for wrong, message in [
        ({"classes": 0}, "classes must be at least 2, got 0"),
        ({"classes": 1}, "classes must be at least 2, got 1"),
        ({"gamma": 2}, "gamma must lie in"),
        ({"epsilon": -1}, "epsilon must lie in"),
        ({"level": 95}, "level must lie in"),
        ({"level": 1}, "level must lie strictly between 0 and 1, got 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            audit(tmp_path / "no such file", "a", **wrong)
    for columns in (3, None, ["a", 3]):
        with pytest.raises(TypeError, match="subpopulation must be names of columns"):
            audit(TABLE, columns)


def test_columns_named_twice_count_once():
    assert audit(TABLE, ["a", "b", "a"], ["who", "who"]).lines == audit(TABLE, ["a", "b"], "who").lines


def test_the_report_can_become_json():
    report = audit(TABLE, ["a", "b"], "who", "label", epsilon=math.inf, level=0.9)
    saved = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert (saved["subpopulation"], saved["group"], saved["label"]) == (["a", "b"], ["who"], "label")
    assert (saved["epsilon"], saved["level"]) == ("inf", 0.9)
    assert "90 % intervals" in str(report)


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "longtail", "audit", *map(str, arguments)], capture_output=True, text=True
    )


def test_command_line(tmp_path):
    path, out, picture = tmp_path / "data.csv", tmp_path / "out.json", tmp_path / "out.png"
    pl.DataFrame(TABLE).with_columns(who=pl.lit("$x^") + pl.col("who")).write_csv(path)  # no formula
    options = ["--group", "who", "--label", "label", "--gamma", "0.5", "--epsilon", "1"]
    done = run(path, "--subpopulation", "a", "b", *options, "--json", out, "--figure", picture)
    assert (done.returncode, done.stderr) == (0, "")
    expected = audit(path, ["a", "b"], "who", "label", gamma=0.5, epsilon=1.0)
    assert done.stdout == f"{expected}\n"
    assert "Warning: 8 rows are few" in done.stdout
    assert json.loads(out.read_text()) == expected.as_dict()
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_help_shows_an_example():
    done = run("--help")
    assert done.returncode == 0
    assert "example:\n  python -m longtail audit people.csv" in done.stdout


def complaint(capsys, *arguments):
    """Run in this process and return the one line on stderr."""
    assert main(["audit", *map(str, arguments)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("longtail: ")
    assert said.err.count("\n") == 1
    return said.err


FILES = {
    "empty.csv": (b"", "cannot read the table: empty CSV"),
    "head.csv": (b"a,b\n", "the table has no rows"),
    "one.csv": (b"a,b\n1,2\n1,3\n", "column 'a' has one value only: it makes no subpopulations"),
    "latin.csv": (b"a,b\n\xff,1\n2,3\n", "invalid utf-8"),
    "late.csv": (b"a,b\n" + b"1,2\n2,3\n" * 50_000 + b"\xe9,3\n", "invalid utf-8"),
    "utf16.csv": ("a,b\n1,2\n".encode("utf-16"), "names of columns are not UTF-8 text"),
    "gap.csv": (b"a,b\n,1\n2,3\nnan,3\n", "column 'a' has 2 missing values"),
    "short.csv": (b"b,a\n1,2\n2\n1,3\n", "column 'a' has 1 missing values"),
    "long.csv": (b"a,b\n1,2\n2,3,4\n", "cannot read the table: found more fields"),
    "quote.csv": (b'a,b\n"1,2\n2,3\n', "cannot read the table: could not parse"),
    "semicolons.csv": (b"a;b\n1;2\n2;3\n", "no column 'a'; there are 'a;b'"),
    "not.parquet": (b"PAR0", "cannot read the table: parquet"),
    "NOT.PARQUET": (b"PAR0", "cannot read the table: parquet"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_cannot_be_used(tmp_path, capsys, name):
    content, message = FILES[name]
    (tmp_path / name).write_bytes(content)
    assert message in complaint(capsys, tmp_path / name, "--subpopulation", "a")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("none.csv --subpopulation a", "no such file"),
        (". --subpopulation a", "no such file"),
        ("good.csv --subpopulation c", "no column 'c'; there are 'a', 'b', 'one'"),
        ("good.csv --subpopulation a --group one", "column 'one' has one value only: it makes no groups"),
        ("good.csv --subpopulation a --label one", "column 'one' has one value only: it makes no classes"),
        (
            "good.csv --subpopulation a b --label b",
            "label must not be part of the subpopulation, got 'b' in both",
        ),
        ("good.csv --subpopulation a --gamma 2", "gamma must lie in [0, 1], got 2"),
        ("good.csv --subpopulation a --classes 0", "classes must be at least 2, got 0"),
        ("good.csv --subpopulation a --json no/x.json", "no such folder: no"),
        ("good.csv --subpopulation a --json folder", "cannot write to folder"),
        ("good.csv --subpopulation a --json good.csv", "good.csv is needed for something else"),
        ("good.csv --subpopulation a --json x.svg --figure x.svg", "x.svg is needed for something else"),
        ("good.csv --subpopulation a --figure x.xyz", "figure must end in .png, .svg, .pdf, got x.xyz"),
    ],
)
def test_the_command_line_says_what_is_wrong(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.csv").write_text("a,b,one\n1,2,1\n2,3,1\n")
    (tmp_path / "folder").mkdir()
    assert message in complaint(capsys, *arguments.split())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "good.csv"]


def test_targets_are_checked_before_the_table_is_read(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("longtail.__main__.audit", lambda *_: pytest.fail("it has read the table"))
    for option in ("--json", "--figure"):
        target = tmp_path / "no" / "x.png"
        assert "no such folder" in complaint(
            capsys, tmp_path / "x.csv", "--subpopulation", "a", option, target
        )
    (tmp_path / "locked").mkdir()
    monkeypatch.setattr("os.access", lambda *_: False)
    locked = tmp_path / "locked" / "x.json"
    assert "cannot write to" in complaint(capsys, "x.csv", "--subpopulation", "a", "--json", locked)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device")
def test_a_full_disk(tmp_path, capsys):
    path = tmp_path / "data.csv"
    pl.DataFrame(TABLE).write_csv(path)
    assert "No space left" in complaint(capsys, path, "--subpopulation", "a", "--json", "/dev/full")


def test_wrong_input_leaves_no_traceback(tmp_path):
    done = run(tmp_path / "none.csv", "--subpopulation", "a")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
