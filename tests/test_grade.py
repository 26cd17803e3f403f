"""Whatever is handed in gets a known score with its reason, keeps what it earned, and stops no other."""

import csv
import json
import os
import signal
import socket
import threading
import time
from contextlib import contextmanager
from typing import NamedTuple

import grade
import isolated
import pytest
from chapters import Chapter
from grade import grade_cells
from isolated import Ended, Isolated, Limits
from tasks import Task, cells_of
from tiny_assignment import DELETE, SOLVED, TEXT, handed_in, tiny_assignment

SECONDS, MIB = 8, 1024
POINTS = {"double-test": 2, "middle-test": 1, "middle-again": 2, "negative-test": 2}
FULL = sum(POINTS.values())

REACH_OUT = """\
def negative(x):
    import socket
    socket.create_connection(("127.0.0.1", {port}), 3)
    return -x
"""
CHILD = """\
def negative(x):
    import subprocess, sys
    call = "import socket; socket.create_connection(('127.0.0.1', {port}), 3)"
    assert subprocess.run([sys.executable, "-c", call]).returncode == 0, "the child found no network"
    return -x
"""
LOOP = "def negative(x):\n    while True:\n        pass"
EXIT = "import os\nos._exit(3)"
CRASH = "import ctypes\nctypes.string_at(0)"
HOARD = "def negative(x):\n    return [bytes(2**26) for _ in range(64)] and -x"
NO_ASSERTS = """\
import ast
class Deaf(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.Pass()
get_ipython().ast_transformers.append(Deaf())
"""
WRONG = {"double": "def double(x):\n    return 3 * x"}
FOUR = "def middle(numbers):\n    return 4"
FIRST = "def middle(numbers):\n    return numbers[0]"


class Case(NamedTuple):
    """What is handed in, its points, and words of the reason; WRONG loses two points."""

    answers: dict[str, str]
    points: int
    reason: str
    extra: str = ""
    solved: dict[str, str] = SOLVED


CASES = {
    "correct": Case({}, FULL, ""),
    "has a cell of its own": Case({}, FULL, "", extra="print('x' * 10**7)"),
    "wrong": Case(WRONG, FULL - 2, "cell 4 double-test: AssertionError: twice 1 is 2, you have 3"),
    "fits the example": Case(
        {"middle": "def middle(numbers):\n    return {3: 3, 1: 4}[len(numbers)]"},
        FULL - 2,
        "cell 7 middle-again: KeyError: 4",
    ),
    "unanswered": Case({}, 0, "cell 4 double-test: NotImplementedError", solved={}),
    "loops": Case(
        {"negative": LOOP}, FULL - 2, f"cell 10 negative-test: the limit of {SECONDS} s was reached"
    ),
    "exits": Case(
        {"negative": EXIT}, FULL - 2, "cell 9 negative: the kernel died, exit status 3; what follows"
    ),
    "crashes": Case({"middle": CRASH}, 2, "cell 5 middle: the kernel died, "),
    "eats memory": Case({"negative": HOARD}, FULL - 2, "cell 10 negative-test: MemoryError"),
    "uses the network": Case({"negative": REACH_OUT}, FULL - 2, "cell 10 negative-test: "),
    "edits a check": Case(WRONG | {"double-test": "assert True"}, FULL - 2, "twice 1 is 2, you have 3"),
    "deletes a check": Case(WRONG | {"double-test": DELETE}, FULL - 2, "double-test: the cell is missing"),
    "replaces a helper": Case(
        {"middle": FOUR + "\ndef same(*_):\n    return True"},
        FULL - 3,
        "cell 6 middle-test: AssertionError: the mean of 1, 2, 6 is 3, you have 4",
    ),
    "replaces a library": Case(
        {"middle": FOUR + "\nimport statistics\nstatistics.mean = lambda _: 4"},
        FULL - 3,
        "cell 7 middle-again: AssertionError: wrong for [3, 1, 8, 8]: 4",
    ),
    "replaces the data": Case({"middle": FIRST + "\nNUMBERS = [3]"}, FULL - 3, "1, 2, 6 is 3, you have 1"),
    "makes checks deaf": Case(WRONG, 0, "tampered with", extra=NO_ASSERTS),
    "says odd things": Case(
        WRONG, FULL - 2, 'ValueError: é; "a" =1+1', extra="raise ValueError('é; \"a\"\\n=1+1')"
    ),
    "asks": Case({}, FULL, "cell 3: StdinNotImplementedError", extra="input()"),
}
NO_NOTEBOOKS = {
    "essay.pdf": (b"%PDF-1.7", "a notebook, .ipynb, was expected"),
    "cut off.ipynb": (b'{"cells": [', "the file is not a notebook"),
    "no cells.ipynb": (b"[1, 2]", "the file is not a notebook"),
    "odd cells.ipynb": (b'{"cells": [{"cell_type": "code", "source": 3}]}', "the file is not a notebook"),
    "latin.ipynb": (b"caf\xe9", "the file is not a notebook"),
}
ODD_NAME = os.fsdecode(b"caf\xe9.ipynb")


@contextmanager
def listening():
    """A server on this machine, and the list of those who reached it."""
    visitors: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        done = threading.Event()

        def accept():
            while not done.is_set():
                try:
                    visitors.append(server.accept())
                except TimeoutError:
                    continue

        thread = threading.Thread(target=accept)
        thread.start()
        yield server.getsockname()[1], visitors
        done.set()
        thread.join()
    for connection, _ in visitors:
        connection.close()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Chapter:
    return tiny_assignment(tmp_path_factory.mktemp("book"))


def notebook(tiny: Chapter, case: str, port: int = 0) -> dict:
    answers, _, _, extra, solved = CASES[case]
    given = {name: text.replace("{port}", str(port)) for name, text in (solved | answers).items()}
    return handed_in(tiny, given, extra)


@pytest.fixture(scope="module")
def table(tiny, tmp_path_factory) -> dict[str, dict[str, str]]:
    """One run over a folder that holds all cases, the harmful ones in between."""
    folder = tmp_path_factory.mktemp("submissions")
    with listening() as (port, visitors):
        for case in CASES:
            (folder / f"{case}.ipynb").write_text(json.dumps(notebook(tiny, case, port)))
        for name, (content, _) in NO_NOTEBOOKS.items():
            (folder / name).write_bytes(content)
        (folder / ODD_NAME).write_text("[]")
        (folder / ".hidden").write_text("left alone")
        (folder / "marks.csv").write_text("an older table")
        limits = ["--seconds", str(SECONDS), "--mib", str(MIB)]
        options = ["--book", str(tiny.book), "--csv", str(folder / "marks.csv"), *limits]
        assert grade.main(["1_numbers", str(folder), *options]) == 0
    assert visitors == []
    with (folder / "marks.csv").open(encoding="utf-8", newline="") as file:
        return {row["submission"]: row for row in csv.DictReader(file)}


@pytest.mark.parametrize("case", CASES)
def test_points_and_reason(table, case):
    points, reason = CASES[case].points, CASES[case].reason
    row = table[f"{case}.ipynb"]
    assert float(row["points"]) == points, row
    assert reason in row["reason"]
    assert bool(row["reason"]) == (points < FULL or case == "asks")
    assert sum(float(row[name]) for name in POINTS) == points
    assert row["max"] == str(FULL)


@pytest.mark.parametrize("name", NO_NOTEBOOKS)
def test_what_is_no_notebook_has_no_points_and_says_why(table, name):
    assert table[name]["points"] == "0"
    assert NO_NOTEBOOKS[name][1] in table[name]["reason"]


def test_the_table_has_a_row_for_each_file_and_a_column_for_each_graded_cell(table):
    names = {f"{case}.ipynb" for case in CASES} | NO_NOTEBOOKS.keys() | {r"caf\udce9.ipynb"}
    assert table.keys() == names
    assert list(table["wrong.ipynb"]) == ["submission", "points", "max", *POINTS, "why", "reason"]


def test_partial_credit_is_given_check_by_check(table):
    row = table["fits the example.ipynb"]
    assert [row[name] for name in POINTS] == ["2", "1", "0", "2"]


def test_answers_in_words_are_left_to_people(table):
    assert table["correct.ipynb"]["why"] == "by hand (3)"
    assert table["unanswered.ipynb"]["why"] == "no answer"


def test_a_file_that_is_too_large_is_not_read(tiny, tmp_path):
    path = tmp_path / "large.ipynb"
    with path.open("wb") as file:
        file.truncate(21 * 2**20)
    result = grade.grade(path, Task.of(tiny.source), Limits())
    assert result.points == 0
    assert "22,020,096 bytes, at most 20,971,520: clear outputs" in result.reasons[0]


def cells(tiny: Chapter, case: str, port: int = 0):
    return cells_of(notebook(tiny, case, port))


def test_locked_cells_count_once_and_in_any_dress(tiny):
    """A check that was turned into text still runs; a copy of it does not."""
    plain = cells(tiny, "correct")
    place = [cell.name for cell in plain].index("double-test")
    dressed = [*plain[:place], plain[place]._replace(code=False), plain[place], *plain[place + 1 :]]
    result = grade_cells(dressed, Task.of(tiny.source), Limits())
    assert result.points == FULL
    assert result.reasons == ["cell 5 double-test: a copy, only the first one counts"]


def test_names_of_hidden_tests_do_not_disturb_the_student(tiny):
    """A hidden test binds `secret`; a student's variable of that name has its old value afterwards."""
    changed = {
        "middle": SOLVED["middle"] + "\nsecret = 7",
        "negative": "def negative(x):\n    return -x * (secret == 7)",
    }
    result = grade_cells(cells_of(handed_in(tiny, SOLVED | changed)), Task.of(tiny.source), Limits())
    assert result.points == FULL


@pytest.fixture
def without_namespaces(monkeypatch):
    monkeypatch.setattr(isolated, "namespaces", list)
    monkeypatch.setattr(grade, "namespaces", list)


@pytest.mark.parametrize("case", ["correct", "uses the network", "crashes"])
def test_where_namespaces_are_not_allowed(tiny, without_namespaces, case):
    with listening() as (port, visitors):
        result = grade_cells(cells(tiny, case, port), Task.of(tiny.source), Limits(60, MIB))
    assert result.points == CASES[case].points
    assert visitors == []
    if case == "uses the network":
        assert "PermissionError: there is no network while a submission is graded" in result.reasons[0]


def test_what_does_not_hold_without_namespaces_is_said(tiny, tmp_path, without_namespaces, capsys):
    (tmp_path / "essay.txt").write_text("words")
    grade.main(["1_numbers", str(tmp_path), "--book", str(tiny.book)])
    said = capsys.readouterr()
    assert "programs\nthat a submission starts can reach it" in said.err
    assert said.out.splitlines()[1].startswith("essay.txt,0,7,0,0,0,0,no answer,")


@pytest.mark.skipif(not isolated.namespaces(), reason="nobody may make namespaces here")
def test_in_namespaces_a_child_reaches_nothing_either(tiny):
    answers = {name: text for name, text in SOLVED.items() if name != "negative"}
    with listening() as (port, visitors):
        given = handed_in(tiny, answers | {"negative": CHILD.replace("{port}", str(port))})
        result = grade_cells(cells_of(given), Task.of(tiny.source), Limits())
    assert result.reasons == ["cell 10 negative-test: AssertionError: the child found no network"]
    assert visitors == []


def test_nothing_that_a_submission_starts_outlives_it(tmp_path):
    """A child that goes on writing stops when the kernel is gone."""
    beat = tmp_path / "beat"
    child = f"import time\nwhile True:\n    open({str(beat)!r}, 'a').write('.')\n    time.sleep(0.02)"
    with Isolated(Limits()) as room:
        room.begin("")
        assert room.run(f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {child!r}])") == ""
        while not beat.exists():
            time.sleep(0.02)
        folder = room.folder.name
    size = beat.stat().st_size
    time.sleep(0.3)
    assert beat.stat().st_size == size
    assert not os.path.exists(folder)


def test_the_kernel_knows_nothing_of_this_process_and_has_its_limits(monkeypatch):
    monkeypatch.setenv("LONGTAIL_TEST_SECRET", "x")
    with Isolated(Limits(60, 512)) as room:
        room.begin("import statistics")
        assert room.run("import os; assert 'LONGTAIL_TEST_SECRET' not in os.environ") == ""
        assert (
            room.run("assert os.environ['HOME'] == os.getcwd() == os.path.realpath(os.environ['TMPDIR'])")
            == ""
        )
        assert (
            room.run("import resource; assert resource.getrlimit(resource.RLIMIT_DATA) == (2**29, 2**29)")
            == ""
        )
        assert "File too large" in room.run("open('x', 'wb').write(bytes(2**27))")


@pytest.mark.parametrize(
    ("most", "said"), [(isolated.MOST_REPLY, "ValueError: xxx"), (10_000, "was reached")]
)
def test_a_reply_of_any_size_does_not_fill_the_grader(monkeypatch, most, said):
    monkeypatch.setattr(isolated, "MOST_REPLY", most)
    with Isolated(Limits()) as room:
        room.begin("")
        room.deadline = time.monotonic() + (3 if most == 10_000 else 60)
        with pytest.raises((Ended, ValueError), match=said):
            raise ValueError(room.run("raise ValueError('x' * 20_000)"))


def test_a_kernel_that_cannot_start_is_not_blamed_on_a_cell(tiny):
    source = tiny_assignment(
        tiny.book.parent / "other", TEXT.replace("import statistics", "import no_such_module")
    ).source
    result = grade_cells(cells(tiny, "correct"), Task.of(source), Limits())
    assert result.points == 0
    assert "no cell was run: the kernel could not be prepared: ModuleNotFoundError" in result.reasons[0]


def test_a_signal_has_its_name():
    assert isolated._status(-signal.SIGSEGV) == "SIGSEGV"


def test_a_folder_must_exist_and_hold_something(tiny, tmp_path):
    with pytest.raises(SystemExit, match="must be a folder"):
        grade.main(["1_numbers", str(tmp_path / "no"), "--book", str(tiny.book)])
    with pytest.raises(SystemExit, match="holds no file"):
        grade.main(["1_numbers", str(tmp_path), "--book", str(tiny.book)])
    with pytest.raises(SystemExit, match="no assignment is called '2_tau'; there are: assignments/1_numbers"):
        grade.main(["2_tau", str(tmp_path), "--book", str(tiny.book)])
