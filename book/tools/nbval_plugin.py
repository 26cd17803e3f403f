"""Run every chapter again and compare what it gives with what readers see.

    PYTHONPATH=book/tools pytest -p nbval_plugin --chapters book

Built on nbval, with four differences: numbers and figures are compared with the tolerances of `tolerance`
(nbval alone never looks at figures), kernels start as `kernels` says, a cell that was never executed
fails, and each notebook ends with a check of what it cost: more than 60 s of the processor or 1 GiB fails,
because Binder would fail its readers. (The clock would blame a chapter for what runs beside it.) With
`--measurements FILE` the costs are written to a JSON file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import psutil
import pytest
from chapters import ASSIGNMENTS, BOOK
from kernels import FIXED, PERSONAL, ChapterKernelManager
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell, IPyNbFile
from tolerance import same_output

COSTS = pytest.StashKey[dict[str, dict[str, float]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add our options."""
    group = parser.getgroup("chapters", "notebooks of the book")
    group.addoption("--chapters", action="store_true", help="run the notebooks and compare their outputs")
    group.addoption("--measurements", type=Path, help="write run time and peak memory of each notebook here")
    group.addoption("--budget-seconds", type=float, default=60.0, help="most time that a notebook may take")
    group.addoption("--budget-mib", type=float, default=1024.0, help="most memory that a notebook may take")


def pytest_configure(config: pytest.Config) -> None:
    """Give this process, whose environment the kernels inherit, the settings that chapters run under."""
    config.stash[COSTS] = {}
    if config.option.chapters:
        os.environ.update(FIXED)
        for name in PERSONAL:
            os.environ.pop(name, None)
        config.option.nbval_current_env = True
        config.option.nbval_cell_timeout = 5 * config.option.budget_seconds  # the clock of a busy machine


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Take notebooks, when asked to; students' versions of assignments have nothing to compare with."""
    if file_path.parent == BOOK / ASSIGNMENTS:
        return None
    if parent.config.option.chapters and file_path.suffix == ".ipynb":
        return ChapterFile.from_parent(parent, path=file_path)  # type: ignore[no-any-return]
    return None


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write down what the notebooks cost, beside what is known of others; workers leave it to their head."""
    target: Path | None = session.config.option.measurements
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["costs"] = session.config.stash[COSTS]
    elif target is not None:
        known = json.loads(target.read_text()) if target.exists() else {}
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(known | session.config.stash[COSTS], indent=1, sort_keys=True) + "\n")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Collect what the notebooks of a worker cost; the hook is pytest-xdist's."""
    node.config.stash[COSTS].update(getattr(node, "workeroutput", {}).get("costs", {}))


class Tolerant(str):
    """A text that equals another when they say the same."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        """Compare with tolerance."""
        return isinstance(other, str) and same_output(str(self), str(other))

    def __ne__(self, other: object) -> bool:
        """Be the opposite of equal."""
        return not self == other


class ChapterCell(IPyNbCell):  # type: ignore[misc]
    """A code cell, compared with tolerance, that must have been run."""

    def runtest(self) -> None:
        """Run the cell and compare; nbval would compare a cell that was never run with nothing."""
        if self.cell.execution_count is None:
            self.raise_cell_error("the cell has never been run: `make sync`")
        super().runtest()

    def sanitize(self, s: object) -> object:
        """Wrap every text that is going to be compared."""
        return Tolerant(s) if isinstance(s, str) else s


class ChapterKernel(RunningKernel):  # type: ignore[misc]
    """A kernel with a history, as in a notebook; without one, IPython overlooks the `;` that ends a cell."""

    def execute_cell_input(self, cell_input: str, allow_stdin: bool | None = None) -> str:
        """Send a cell to the kernel and return the identity of its reply."""
        message: str = self.kc.execute(cell_input, allow_stdin=allow_stdin, stop_on_error=False)
        return message


class ChapterFile(IPyNbFile):  # type: ignore[misc]
    """A notebook whose figures are compared too, and whose cost is checked at the end."""

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)
        skipped: tuple[str, ...] = self.skip_compare  # type: ignore[has-type]
        self.skip_compare = tuple(kind for kind in skipped if not kind.startswith("image/"))

    def collect(self) -> Iterator[pytest.Item]:
        """Yield the code cells, then the check of the cost."""
        for cell in super().collect():
            yield ChapterCell.from_parent(
                self, name=cell.name, cell_num=cell.cell_num, cell=cell.cell, options=cell.options
            )
        yield Cost.from_parent(self, name="Cost")

    def setup(self) -> None:
        """Start the kernel."""
        with (
            mock.patch("nbval.kernel.KernelManager", ChapterKernelManager),
            mock.patch("nbval.plugin.RunningKernel", ChapterKernel),
        ):
            super().setup()


class Cost(pytest.Item):
    """What a whole notebook took: seconds of the processor, MiB of its kernel at the peak."""

    parent: ChapterFile

    def runtest(self) -> None:
        """Measure, note and compare with the budget."""
        pid = self.parent.kernel.km.provisioner.pid
        seconds, mib = processor_seconds(pid), peak_mib(pid)
        self.config.stash[COSTS][self.chapter] = {"seconds": round(seconds, 1), "mib": round(mib)}
        budget = (
            ("s", seconds, self.config.option.budget_seconds),
            ("MiB", mib, self.config.option.budget_mib),
        )
        over = [
            f"took {value:.1f} {unit}, at most {limit:g}" for unit, value, limit in budget if value > limit
        ]
        assert not over, f"{self.chapter} {' and '.join(over)}"

    @property
    def chapter(self) -> str:
        """The name of the chapter, such as model/sampling."""
        path: Path = self.parent.path.with_suffix("")
        return path.relative_to(BOOK).as_posix() if path.is_relative_to(BOOK) else path.name

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str:
        """Say it in one line."""
        return str(excinfo.value).splitlines()[0]

    def reportinfo(self) -> tuple[Path, None, str]:
        """Name the item as nbval names its cells."""
        return self.parent.path, None, f"{self.chapter}::Cost"


def processor_seconds(pid: int) -> float:
    """Return the processor time of a process and of its children that have ended."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def peak_mib(pid: int) -> float:
    """Return the most memory that a process has held; else what it holds now."""
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    return float(psutil.Process(pid).memory_info().rss) / 2**20
