"""What the book costs to run, kept in `book/reference/status.json` and shown on the status page.

    python book/tools/status.py update COSTS   take over what `make chapters` measured
    python book/tools/status.py fresh-clone    time what a new user does, in a clone of the last commit

`make status` does the first and writes the page again. The page only reads the file, so that it is the
same for all.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
from chapters import BOOK, chapters

FILE = BOOK / "reference" / "status.json"
PACKAGES = ("numpy", "scipy", "torch", "sympy", "matplotlib", "jupyter-book", "sphinx")
EDITED = "book/src/model/sampling.md"  # a chapter of middling length


def hardware() -> dict[str, str]:
    """Return what can be said about this machine without naming it."""
    memory = psutil.virtual_memory().total / 2**30
    return {
        "processor": processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
    }


def processor() -> str:
    """Return the name of the processor, as the system gives it."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def versions() -> dict[str, str]:
    """Return the versions that decide what readers see, without local labels such as +cpu."""
    found = {name: version(name).partition("+")[0] for name in PACKAGES}
    return {"Python": platform.python_version(), **found}


def read() -> dict[str, Any]:
    """Return what is known."""
    known: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {}
    return known


def write(**news: Any) -> None:
    """Change some of what is known."""
    FILE.write_text(json.dumps(read() | news, indent=1) + "\n")


def update(costs: Path) -> None:
    """Take over the measured costs of all chapters there are, this machine and its versions."""
    measured = json.loads(costs.read_text())
    present = {chapter.name: measured[chapter.name] for chapter in chapters() if chapter.name in measured}
    write(chapters=present, hardware=hardware(), versions=versions())
    print(f"status: {len(present)} chapters")


def fresh_clone() -> None:
    """Time what a new user does, in clones of the last commit that are thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        _clone(folder)
        seconds = {f"make {command}": _timed(["make", command], folder) for command in ("install", "book")}
        with Path(folder, EDITED).open("a", encoding="utf-8") as text:
            text.write("\nOne more sentence.\n")
        seconds["make draft, one sentence added"] = _timed(["make", "draft"], folder)
    with tempfile.TemporaryDirectory() as folder:
        _clone(folder)
        seconds["make test, which installs first"] = _timed(["make", "test"], folder)
    write(fresh_clone=seconds)
    print(f"status: {seconds}")


def _clone(folder: str) -> None:
    subprocess.run(["git", "clone", "--quiet", str(BOOK.parent), folder], check=True)


def _timed(command: list[str], folder: str) -> int:
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True)
    return round(time.perf_counter() - start)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("update").add_argument("costs", type=Path)
    commands.add_parser("fresh-clone")
    options = parser.parse_args()
    if options.command == "update":
        update(options.costs)
    else:
        fresh_clone()


if __name__ == "__main__":
    main()
