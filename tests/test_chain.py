"""The authoring chain fails where it should: each way in which a chapter can be wrong, and the clean case."""

import base64
import io
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import lint
import nbformat
import notebooks
import numpy as np
import pytest
from chapters import Chapter, chapters, orphans
from matplotlib.figure import Figure
from tolerance import same_number, same_output, same_text

TEXT = """\
---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

# A tiny chapter

Some text.

```{code-cell} ipython3
x = 0.30
print(f"{x:.2f} of 7")
"not shown, because of the semicolon";
```

```{code-cell} ipython3
---
tags: [hide-input]
mystnb:
  figure: {name: fig-square, caption: A black square.}
  image: {alt: A black square on white}
---
from io import BytesIO

import PIL.Image
from IPython.display import Image

picture = PIL.Image.new("RGB", (64, 48), "white")
picture.paste("black", (8, 8, 24, 24))
picture.save(file := BytesIO(), format="png")
Image(file.getvalue())
```
"""
TOOLS = Path(notebooks.__file__).parent


def write(book: Path, text: str = TEXT, name: str = "tiny") -> Chapter:
    chapter = Chapter(book, name)
    chapter.source.parent.mkdir(parents=True, exist_ok=True)
    chapter.source.write_text(text)
    return chapter


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def change(chapter: Chapter, what) -> Chapter:
    """Apply a function to the notebook on disk."""
    notebook = nbformat.read(chapter.notebook, 4)
    what(notebook)
    nbformat.write(notebook, chapter.notebook)
    return chapter


@pytest.fixture(scope="module")
def executed(tmp_path_factory) -> str:
    """The tiny chapter, executed once for all tests of this file."""
    chapter = write(tmp_path_factory.mktemp("executed"))
    assert notebooks.sync(chapter).startswith("ran")
    return chapter.notebook.read_text()


@pytest.fixture
def tiny(tmp_path, executed) -> Chapter:
    chapter = write(tmp_path)
    chapter.notebook.write_text(executed)
    return chapter


# --- text and notebook in step


def test_clean_chapter_is_in_step_and_sync_leaves_it_alone(tiny):
    before = tiny.notebook.stat().st_mtime_ns
    assert notebooks.problems(tiny) == []
    assert notebooks.sync(tiny) == "in step"
    assert tiny.notebook.stat().st_mtime_ns == before


def test_changed_text_is_noticed_and_keeps_outputs(tiny):
    tiny.source.write_text(TEXT.replace("Some text.", "Other text."))
    old = [cell.outputs for cell in code(notebooks.read(tiny))]
    assert notebooks.problems(tiny) == ["the notebook is not what its text says"]
    assert notebooks.sync(tiny) == "text changed, outputs kept"
    assert [cell.outputs for cell in code(notebooks.read(tiny))] == old
    assert notebooks.problems(tiny) == []


def test_changed_code_is_noticed_and_runs_the_whole_notebook(tiny):
    tiny.source.write_text(TEXT.replace("x = 0.30", "x = 0.31"))
    assert notebooks.problems(tiny) == ["the notebook is not what its text says"]
    assert notebooks.sync(tiny).startswith("ran")
    assert "0.31" in code(notebooks.read(tiny))[0].outputs[0].text


def test_failing_cell_leaves_the_notebook_and_fails(tiny, capsys):
    before = tiny.notebook.read_text()
    tiny.source.write_text(TEXT.replace("x = 0.30", "x = 1 / 0"))
    assert notebooks.main(["sync", "--book", str(tiny.book)]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().out
    assert tiny.notebook.read_text() == before


def test_unexecuted_cell_is_noticed(tiny):
    change(tiny, lambda notebook: code(notebook)[1].update(execution_count=None, outputs=[]))
    assert notebooks.problems(tiny) == ["a code cell has not been run, or not in order"]
    assert any("execution counts" in problem for problem in lint.problems(tiny))


def test_missing_notebook_and_orphan_are_noticed(tiny, capsys):
    tiny.notebook.rename(tiny.book / "other.ipynb")
    assert notebooks.problems(tiny) == ["there is no notebook yet"]
    assert [path.name for path in orphans(tiny.book)] == ["other.ipynb"]
    assert notebooks.main(["check", "--book", str(tiny.book)]) == 1
    assert "2 out of step" in capsys.readouterr().out


def test_equal_texts_give_equal_notebooks(tiny):
    first, second = (nbformat.writes(notebooks.from_source(tiny.source)) for _ in range(2))
    assert first == second


def test_unknown_chapter_is_named(tmp_path):
    write(tmp_path)
    assert [chapter.name for chapter in chapters(tmp_path, "tiny")] == ["tiny"]
    with pytest.raises(SystemExit, match="no chapter is called 'tny'; there are: tiny"):
        chapters(tmp_path, "tny")


# --- house rules


def stream(name: str, text: str):
    return nbformat.v4.new_output("stream", name=name, text=text)


def add_output(output):
    return lambda notebook: code(notebook)[0].outputs.append(output)


def big_picture(notebook):
    code(notebook)[1].outputs[0].data["image/png"] = "iVBORw0KGgo" + "A" * lint.IMAGE_BYTES


BREAKAGES = {
    "unknown tag 'nbval-ignore-ouput'": lambda nb: code(nb)[0].metadata.update(tags=["nbval-ignore-ouput"]),
    "execution counts must be 1..2": lambda nb: code(nb)[0].update(execution_count=7),
    "cell 0 is empty": lambda nb: code(nb)[0].update(source=" \n"),
    "writes to stderr: 'UserWarning: odd'": add_output(stream("stderr", "UserWarning: odd")),
    "ends in an error: ValueError": add_output(nbformat.v4.new_output("error", ename="ValueError")),
    "names a path of a machine: '/home/m": add_output(stream("stdout", "read /home/me/data.csv")),
    "the kernel must be python3": lambda nb: nb.metadata.kernelspec.update(name="my-env"),
    "an image of": big_picture,
    "without `mystnb: figure: name": lambda nb: code(nb)[1].metadata.mystnb.figure.pop("name"),
    "without `mystnb: figure: caption": lambda nb: code(nb)[1].metadata.mystnb.figure.pop("caption"),
    "without `mystnb: image: alt": lambda nb: code(nb)[1].metadata.mystnb.pop("image"),
    "shows 2 pictures": lambda nb: code(nb)[1].outputs.append(code(nb)[1].outputs[0]),
    "shows 0 pictures": lambda nb: code(nb)[1].update(outputs=[]),
    "has 21 lines, at most 20": lambda nb: code(nb)[0].update(source="x = 1\n" * 21),
    "the notebook has": lambda nb: nb.cells[0].update(source="a" * lint.NOTEBOOK_BYTES),
}


def test_clean_chapter_passes_the_lint(tiny):
    assert lint.problems(tiny) == []
    assert lint.main(["--book", str(tiny.book)]) == 0


@pytest.mark.parametrize("message", BREAKAGES)
def test_lint_finds(tiny, message):
    problems = lint.problems(change(tiny, BREAKAGES[message]))
    assert any(message in problem for problem in problems), problems
    assert lint.main(["--book", str(tiny.book)]) == 1


@pytest.mark.parametrize("path", ["/tmp/x", "/work/main", "see /root/.cache", r"C:\Users\me"])
def test_machine_paths_are_seen(path):
    assert lint.MACHINE_PATH.search(path)


@pytest.mark.parametrize("text", ["https://example.org/home/x", "n/root/2", "a / b", "../tmp/x", "1/2"])
def test_other_slashes_are_left_alone(text):
    assert not lint.MACHINE_PATH.search(text)


# --- what a chapter contains

CHAPTER = """\
# Title

:::{admonition} What you will learn
**Learn:** this. **Need:** that. **Time:** 5 minutes.
:::

## In action

## The statement

:::{prf:theorem} Sum
:label: thm-sum

One and one are two.
:::

```{code-cell} ipython3
# check: thm-sum
assert 1 + 1 == 2
```

## What breaks

## Exercises

{EXERCISES}
## Summary
"""
EXERCISE = """\
:::{exercise}
:label: ex-NAME

*KIND.* Why? *Check:* it is so.
:::

:::{solution} ex-NAME
:class: dropdown

Because.
:::
"""
KINDS = {"sum": "Compute", "proof": "Prove", "limit": "Break it"}
EXERCISES = "\n".join(EXERCISE.replace("NAME", name).replace("KIND", KINDS[name]) for name in KINDS)
CHAPTER = CHAPTER.replace("{EXERCISES}", EXERCISES)
HEADER = TEXT[: TEXT.index("# A tiny chapter")]
OMISSIONS = {
    "must begin with the title": ("# Title", "Title"),
    "must hold the box": ("What you will learn", "Welcome"),
    "must say **Need**": ("**Need:**", "Need:"),
    "names nothing that a reader needs": ("that. **Time", "**Time"),
    "must tell the time in minutes": ("5 minutes", "not long"),
    "the head `## In action` is missing": ("## In action", "## Action"),
    "the head `## Summary` is missing": ("## Summary", "### Summary"),
    "must come in the order": ("## What breaks\n\n## Exercises", "## Exercises\n\n## What breaks"),
    "the theorem Sum has no `:label:`": (":label: thm-sum", ":class: sum"),
    "the theorem thm-sum has no check": ("# check: thm-sum", "# thm-sum"),
    "no statement box": ("{prf:theorem} Sum", "{note} Sum"),
    "the exercise ex-sum has no solution": ("{solution} ex-sum", "{note}"),
    "there must be 3 to 6 exercises": ("{exercise}", "{note}"),
    "there is no exercise to *Break*": ("Break it", "Compute"),
    "the exercise ex-sum has no public check": (" *Check:* it is so.", "", 1),
}


def structure_problems(tmp_path: Path, text: str) -> list[str]:
    chapter = write(tmp_path, HEADER + text, "model/tiny")
    chapter.notebook.parent.mkdir(parents=True)
    notebook = notebooks.from_source(chapter.source)
    code(notebook)[0].execution_count = 1
    nbformat.write(notebook, chapter.notebook)
    return lint.problems(chapter)


def test_complete_chapter_has_all_it_needs(tmp_path):
    assert structure_problems(tmp_path, CHAPTER) == []


@pytest.mark.parametrize("message", OMISSIONS)
def test_omission_is_found(tmp_path, message):
    problems = structure_problems(tmp_path, CHAPTER.replace(*OMISSIONS[message]))
    assert any(message in problem for problem in problems), problems


# --- tolerance


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("0.30", "0.31", False),
        ("0.30", "0.30000001", True),
        ("1.23456e-9", "1.23457e-9", True),
        ("1.2e-9", "1.3e-9", False),
        ("1.5e-17", "-2.5e-17", True),
        ("7", "8", False),
        ("100000", "100001", False),
        ("7", "7.0", True),
        ("-0.5", "0.5", False),
    ],
)
def test_numbers(left, right, same):
    assert same_number(left, right) is same


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("mean 0.123456 of 10", "mean  0.123457 of 10\n", True),
        ("mean 0.123456 of 10", "mean 0.123456 of 11", False),
        ("mean 0.5", "median 0.5", False),
        ("[0.1 0.2]", "[0.1 0.2 0.3]", False),
        ("nan", "0.5", False),
        ("v1.2.3", "v1.2.4", False),
    ],
)
def test_texts(left, right, same):
    assert same_text(left, right) is same


def drawing(scale: float = 1.0, label: str = "0.30", width: float = 4.0) -> str:
    """A real figure of the kind that chapters show."""
    figure = Figure(figsize=(width, 3), dpi=100, layout="constrained")
    axes = figure.subplots()
    axes.plot(np.linspace(0, 1, 50), scale * np.linspace(0, 1, 50) ** 2)
    axes.set(ylim=(0, 2), title=f"limit {label}")
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return base64.b64encode(stream.getvalue()).decode()


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ({}, True),
        ({"scale": 1 + 1e-6}, True),
        ({"scale": 1.03}, False),
        ({"label": "0.31"}, False),
        ({"width": 4.2}, False),
    ],
    ids=str,
)
def test_pictures(other, same):
    assert same_output(drawing(), drawing(**other)) is same


# --- nbval: what readers see against what the code gives


def in_words(old: str, new: str):
    def edit(notebook):
        code(notebook)[0].outputs[0].text = code(notebook)[0].outputs[0].text.replace(old, new)

    return edit


def other_picture(notebook):
    from PIL import Image

    stream = io.BytesIO()
    Image.new("RGB", (64, 48), "white").save(stream, format="png")
    code(notebook)[1].outputs[0].data["image/png"] = base64.b64encode(stream.getvalue()).decode()


NBVAL = {
    "clean": (lambda notebook: None, None),
    "close_number": (in_words("0.30", "0.300001"), None),
    "changed_number": (in_words("0.30", "0.31"), "mismatch 'stdout'"),
    "changed_integer": (in_words("of 7", "of 8"), "mismatch 'stdout'"),
    "changed_figure": (other_picture, "mismatch 'image/png'"),
    "missing_figure": (lambda nb: code(nb)[1].update(outputs=[]), "Unexpected output fields"),
    "unexecuted": (lambda nb: code(nb)[0].update(execution_count=None, outputs=[]), "never been run"),
    "new_warning": (
        lambda nb: code(nb)[0].update(
            source=code(nb)[0].source + "\nimport sys; print('w', file=sys.stderr)"
        ),
        "Unexpected output fields",
    ),
}


def run_nbval(folder: Path, *options: str) -> dict[str, str]:
    """Run the plugin on a folder of notebooks; return the failures of each."""
    report = folder / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "nbval_plugin", "--chapters", "--color=no"]
    settings = ["-p", "no:cacheprovider", "--rootdir", str(folder), "--junitxml", str(report)]
    environment = {**os.environ, "PYTHONPATH": str(TOOLS)}
    subprocess.run(
        [*command, *settings, *options, str(folder)], env=environment, capture_output=True, check=False
    )
    failures: dict[str, str] = {}
    for case in ET.parse(report).iter("testcase"):
        text = "".join(part.text or "" for part in case if part.tag in ("failure", "error"))
        name = case.attrib["classname"].removesuffix(".ipynb").rpartition(".")[2]
        failures[name] = failures.get(name, "") + text
    return failures


@pytest.fixture(scope="module")
def nbval_failures(tmp_path_factory, executed) -> dict[str, str]:
    book = tmp_path_factory.mktemp("nbval")
    for name, (edit, _) in NBVAL.items():
        chapter = Chapter(book, name)
        chapter.notebook.write_text(executed)
        change(chapter, edit)
    return run_nbval(book)


@pytest.mark.parametrize("case", NBVAL)
def test_nbval(nbval_failures, case):
    _, message = NBVAL[case]
    if message is None:
        assert nbval_failures[case] == ""
    else:
        assert message in nbval_failures[case]


def test_costly_chapter_fails(tiny):
    def keep_text_only(notebook):
        notebook.cells = [cell for cell in notebook.cells if cell.cell_type == "markdown"]

    failure = run_nbval(change(tiny, keep_text_only).book, "--budget-seconds=0.01", "--budget-mib=1")["tiny"]
    assert "s, at most 0.01" in failure
    assert "MiB, at most 1" in failure
