"""Copy the first figure of the introduction to where the README shows it.

python book/tools/readme_figure.py
"""

from __future__ import annotations

import base64
from pathlib import Path

import nbformat
from chapters import BOOK

TARGET = BOOK / "readme.png"


def first_figure(notebook: Path) -> bytes:
    """Return the first png among a notebook's outputs."""
    cells = nbformat.read(notebook, as_version=4).cells
    outputs = [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]
    return next(base64.b64decode(o.data["image/png"]) for o in outputs if "image/png" in o.get("data", {}))


if __name__ == "__main__":
    TARGET.write_bytes(first_figure(BOOK / "intro.ipynb"))
