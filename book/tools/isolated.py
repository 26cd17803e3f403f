"""A kernel for programs written by others: a process, a folder and limits of its own.

What holds on Linux where unprivileged users may make namespaces (`namespaces()` is not empty): the kernel
has no network, not even that of the own machine, can stop no other process, and dies with all its children.
Elsewhere an audit hook refuses Python's own sockets only, a child process may reach the network, and a
child that leaves the process group survives; `main` of `grade` says so. In both cases the time, the size of
files and (on Linux) the memory of each process are limited, and the environment has none of your variables.

What does not hold anywhere: the kernel may read and write the files that you may, those of this repository
too, and may start any number of processes. Against malice, as opposed to accidents, grade in a container
that holds nothing else of value.
"""

from __future__ import annotations

import functools
import os
import queue
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import guard
import zmq
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.connect import write_connection_file
from kernels import FIXED

UNSHARE = ["unshare", "--map-root-user", "--net", "--pid", "--fork", "--kill-child"]
STRICTER = [*UNSHARE, "--mount-proc"]  # hides other processes too; containers often do not allow it
START_SECONDS = 120  # for the kernel and the imports of the assignment
PATIENCE = 0.1  # seconds between two looks at a kernel that does not answer
MOST_REPLY = 10 * 2**20  # bytes; a kernel that says more at once is cut off, and its time runs out


@dataclass(frozen=True)
class Limits:
    """What one submission may take: seconds on the clock for all its cells, and MiB for each process."""

    seconds: float = 300.0
    mib: int = 4096


class Ended(Exception):
    """The kernel is no more; says why."""


@functools.cache
def namespaces() -> list[str]:
    """Return the command that puts a process into namespaces of its own, empty where that is not allowed."""
    return next((command for command in (STRICTER, UNSHARE) if _works(command)), [])


def _works(command: list[str]) -> bool:
    try:
        return subprocess.run([*command, "true"], capture_output=True, timeout=10).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


class Isolated:
    """A running kernel, to be used in a `with` block; whatever it started is gone afterwards."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.deadline = time.monotonic() + START_SECONDS
        self.folder = tempfile.TemporaryDirectory(prefix="g", ignore_cleanup_errors=True)
        home, sockets = Path(self.folder.name, "home"), str(Path(self.folder.name, "k"))
        home.mkdir()
        path, _ = write_connection_file(f"{self.folder.name}/c.json", transport="ipc", ip=sockets)
        self.process = _start(path, home)
        self.client = BlockingKernelClient(connection_file=path)
        self.client.load_connection_file()
        self.client.context.setsockopt(zmq.MAXMSGSIZE, MOST_REPLY)
        self.client.start_channels(iopub=False, stdin=False, hb=False, control=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Kill the whole process group; in namespaces the kernel is process 1, and nothing survives it."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.client.stop_channels()
        self.folder.cleanup()

    def begin(self, setup: str) -> None:
        """Send the guard, before anything else runs; the time of the submission starts afterwards."""
        text = Path(guard.__file__).read_text()
        arguments = f"get_ipython().user_ns, {setup!r}, {self.limits.mib}, refuse_network={not namespaces()}"
        code = f"(lambda room: (exec({text!r}, room), room['begin']({arguments})))({{'__name__': 'guard'}})"
        problem = self.run(code, silent=True)
        if problem:
            raise Ended(f"the kernel could not be prepared: {problem}")
        self.deadline = time.monotonic() + self.limits.seconds

    def guard(self, call: str) -> str:
        """Call a method of the guard; return what went wrong, nothing if all is well."""
        return self.run(f"__import__('sys').modules[{guard.NAME!r}].{call}", silent=True)

    def run(self, code: str, *, silent: bool = False) -> str:
        """Run a cell and return its error, nothing if it has none.

        Raises
        ------
        Ended
            If the kernel died, or time is up.
        """
        sent = self.client.execute(code, silent=silent, allow_stdin=False, stop_on_error=False)
        while True:
            dead = self.process.poll()
            with suppress(queue.Empty):
                reply = self.client.get_shell_msg(timeout=PATIENCE)
                if reply["parent_header"].get("msg_id") == sent:
                    return _error(reply["content"])
            self._still_running(dead)

    def _still_running(self, dead: int | None) -> None:
        if dead is not None:
            raise Ended(f"the kernel died, {_status(dead)}")
        if time.monotonic() > self.deadline:
            raise Ended(f"the limit of {self.limits.seconds:g} s was reached")


def _status(code: int) -> str:
    return f"exit status {code}" if code >= 0 else signal.Signals(-code).name


def _start(connection: str, home: Path) -> subprocess.Popen[bytes]:
    kernel = [sys.executable, "-m", "ipykernel_launcher", "-f", connection]
    places = {name: str(home) for name in ("HOME", "TMPDIR", "IPYTHONDIR", "MPLCONFIGDIR")}
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", **FIXED, **places}
    return subprocess.Popen(
        [*namespaces(), *kernel],
        cwd=home,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _error(content: dict[str, Any]) -> str:
    """Return an error as Python says it in its last line."""
    if content.get("status") == "ok":
        return ""
    return f"{content.get('ename', 'error')}: {content.get('evalue', '')}".removesuffix(": ")
