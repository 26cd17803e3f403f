"""What the grader does inside the kernel of a submission: limits, and checks that find what they expect.

`isolated` sends this text to the kernel before the first cell, so it imports nothing of this folder. It
undoes the tampering that is easy: functions of a library or builtins replaced; imports, helpers and data of
locked cells bound to something else. It cannot undo what is clever, for it lives in the same process.
"""

from __future__ import annotations

import resource
import sys
from typing import Any

NAME = "grading-guard"
FILE_BYTES = 100 * 2**20


def begin(namespace: dict[str, Any], setup: str, mib: int, *, refuse_network: bool) -> None:
    """Take the limits, which only root could raise again, and remember what libraries are like."""
    for kind, most in ((resource.RLIMIT_FSIZE, FILE_BYTES), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(kind, (most, most))
    exec(setup, {})  # every module that the checks name is loaded now
    resource.setrlimit(resource.RLIMIT_DATA, (mib * 2**20, mib * 2**20))
    if refuse_network:
        sys.addaudithook(no_network)
    sys.modules[NAME] = Guard(namespace)  # type: ignore[assignment]


def no_network(event: str, arguments: tuple[Any, ...]) -> None:
    """Refuse what Python's own sockets would reach; other programs and libraries in C are not seen."""
    if event in ("socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo"):
        raise PermissionError("there is no network while a submission is graded")


class Guard:
    """Remembers functions and classes of loaded modules and what locked cells made, and puts them back."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.namespace = namespace
        self.given: dict[str, Any] = {}
        self.saved: dict[str, Any] = {}
        self.hidden: list[str] = []
        self.library = [
            (vars(module), name, value)
            for path, module in list(sys.modules.items())
            if path.partition(".")[0] not in ("__main__", "IPython", "ipykernel", "zmq", "tornado", "asyncio")
            for name, value in list(getattr(module, "__dict__", {}).items())
            if callable(value) and (path, name) not in (("builtins", "input"), ("sys", "displayhook"))
        ]

    def keep(self, names: list[str]) -> None:
        """Remember the values that a locked cell has just given to names."""
        self.given |= {name: self.namespace[name] for name in names if name in self.namespace}

    def before(self, helpers: str, hidden: list[str]) -> None:
        """Put back libraries, helpers and what was given; remember the names that hidden tests will use."""
        for module, name, value in self.library:
            if module.get(name) is not value:
                module[name] = value
        exec(helpers, self.namespace)
        self.namespace.update(self.given)
        self.hidden = hidden
        self.saved = {name: self.namespace[name] for name in hidden if name in self.namespace}

    def after(self) -> None:
        """Give the student's variables the values that they had before a hidden test used their names."""
        for name in self.hidden:
            self.namespace.pop(name, None)
        self.namespace.update(self.saved)
