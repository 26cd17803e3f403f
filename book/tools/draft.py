"""While you write: bring notebooks in step with their texts, and build again only the pages that changed.

    python book/tools/draft.py build . [FLAGS OF JUPYTER-BOOK]

What counts is `make book`: a draft overlooks changes of the library. It is one process, and leaves out what
no text can change.
"""

from __future__ import annotations

from pathlib import Path

import notebooks
from jupyter_book.cli.main import main as jupyter_book
from sphinx.application import Sphinx
from sphinx.ext import viewcode


def not_yet_there(app: Sphinx, modname: str) -> bool:
    """Tell whether a page of source code is missing; Sphinx would import all modules, and torch, to know."""
    return not Path(app.outdir, viewcode.OUTPUT_DIRNAME, f"{modname.replace('.', '/')}.html").exists()


def main() -> None:
    """Run the command line."""
    viewcode.should_generate_module_page = not_yet_there
    if failed := notebooks.main(["sync"]):
        raise SystemExit(failed)
    jupyter_book()


if __name__ == "__main__":
    main()
