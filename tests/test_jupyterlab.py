"""The notebooks in JupyterLab, as on Binder: they run top to bottom, and their boxes are boxes."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from browser import DESKTOP, chromium, launched, stay_home
from chapters import BOOK, chapters
from kernels import environment
from structure import prose

pytestmark = pytest.mark.browser

if chromium() is None and not os.environ.get("LONGTAIL_REQUIRE_BROWSER"):
    pytest.skip("tests in JupyterLab are skipped: no Chromium", allow_module_level=True)

# The lightest notebook of each part.
NOTEBOOKS = (
    "intro", "model/sampling", "cost/from_tails_to_bounds", "mixtures/linear_classifiers",
    "memorization/usual_bounds", "experiments/private_training", "practice/audit_your_data",
    "reference/numerics",
)  # fmt: skip
KINDS = "theorem|lemma|proposition|corollary|definition|remark|example|proof"
BOX = re.compile(rf"^:{{3,}}\{{prf:(?:{KINDS})\}}", re.MULTILINE)
RAW = re.compile(r":::|\{(?:prf:)?(?:term|ref|numref|eq|cite)[:\w]*\}")
FOLDERS = (
    "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR",
    "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR",
)  # fmt: skip
OPTIONS = (
    "--no-browser", "--allow-root", "--expose-app-in-browser",
    "--ServerApp.port=0", "--IdentityProvider.token=", "--LabApp.news_url=",
)  # fmt: skip
OPEN = "window.jupyterapp?.shell.currentWidget?.content?.widgets?.length"
RUN_ALL = """async () => {
    const panel = jupyterapp.shell.currentWidget;
    await Promise.all([panel.context.ready, panel.sessionContext.ready, panel.revealed]);
    await jupyterapp.commands.execute('notebook:run-all-cells');
    const cells = panel.content.model.toJSON().cells;
    await panel.sessionContext.shutdown();
    return cells.filter(cell => cell.cell_type === 'code');
}"""
SHOWN = "[...document.querySelectorAll('.jp-MarkdownCell .myst')].map(cell => cell.innerText).join('\\n')"


def whole_notebooks(settings: Path) -> None:
    """Ask for all cells of a notebook on the page, not only those in the window."""
    folder = settings / "@jupyterlab" / "notebook-extension"
    folder.mkdir(parents=True)
    (folder / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}')


def copy_of_the_book(folder: Path) -> None:
    shutil.copytree(BOOK.parent / "benchmarks", folder / "benchmarks")
    for name in NOTEBOOKS:
        target = folder / "book" / f"{name}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(BOOK / f"{name}.ipynb", target)


def address(server: subprocess.Popen, folder: Path) -> str:
    """Where the server listens, as soon as it does."""
    until = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < until:
        for file in (folder / "JUPYTER_RUNTIME_DIR").glob("jpserver-*.json"):
            return json.loads(file.read_text())["url"]
        time.sleep(0.1)
    raise AssertionError(f"JupyterLab did not start:\n{(folder / 'log').read_text()[-2000:]}")


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A server on a copy of the book, with settings of its own."""
    folder = tmp_path_factory.mktemp("lab")
    copy_of_the_book(folder / "files")
    whole_notebooks(folder / "JUPYTERLAB_SETTINGS_DIR")
    own = {name: str(folder / name) for name in FOLDERS}
    command = [sys.executable, "-m", "jupyterlab", *OPTIONS, f"--ServerApp.root_dir={folder / 'files'}"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, env={**environment(), **own}, stdout=log, stderr=log)
    try:
        yield address(server, folder)
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture(scope="module")
def page(lab):
    with launched() as browser:
        page = browser.new_page(viewport={"width": DESKTOP[0], "height": DESKTOP[1]})
        page.set_default_timeout(60_000)
        outside = stay_home(page, lab)
        yield page
        assert outside == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_runs_and_is_typeset(lab, page, name):
    page.goto(f"{lab}lab/tree/book/{name}.ipynb?reset")
    page.wait_for_function(OPEN)
    cells = page.evaluate(RUN_ALL)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert [out for cell in cells for out in cell["outputs"] if out["output_type"] == "error"] == []
    boxes = len(BOX.findall(prose(nbformat.read(BOOK / f"{name}.ipynb", as_version=4))))
    assert page.locator(".myst .myst-proof-title").count() == boxes
    assert page.locator(".myst .katex-error").count() == 0
    shown = page.evaluate(SHOWN)
    assert shown
    assert not RAW.search(shown)


def test_every_part_is_tried():
    parts = {chapter.part for chapter in chapters()}
    assert {name.rpartition("/")[0] for name in NOTEBOOKS} == parts
