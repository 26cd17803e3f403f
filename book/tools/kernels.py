"""Kernels that run chapters the same way everywhere.

One thread per numeric library, so that sums are added in the same order and two cores are not fought
over; inline figures whatever the caller's back end; Unix sockets, because TCP ports picked by parallel
runs collide.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from jupyter_client.manager import AsyncKernelManager, KernelManager

FIXED = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # the debugger's start-up remark about frozen modules
}
PERSONAL = ("LONGTAIL_DATA", "PYTHONWARNINGS", "PYTHONSTARTUP")  # a reader may set these, the book does not


def environment() -> dict[str, str]:
    """Return the environment variables that a chapter runs under."""
    inherited = {key: value for key, value in os.environ.items() if key not in PERSONAL}
    return {**inherited, **FIXED}


def _private_socket() -> dict[str, str]:
    """Return settings for a socket in a folder of its own, which goes away with this process."""
    folder = tempfile.mkdtemp(prefix="nbk")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return {"transport": "ipc", "ip": str(Path(folder) / "k")}


class ChapterKernelManager(KernelManager):
    """Starts kernels for nbval, which checks chapters."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**_private_socket(), **options)


class AsyncChapterKernelManager(AsyncKernelManager):
    """Starts kernels for nbclient, which executes chapters."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**_private_socket(), **options)
