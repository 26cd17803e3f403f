"""Which chapters there are.

A chapter `model/sampling` is two files: the text that authors edit, `book/src/model/sampling.md`, and the
executed notebook that readers run, `book/model/sampling.ipynb`. Everything in this folder speaks of
chapters. Assignments have two files in the same places, but their notebooks are students' versions: other
tools make them (`assignments`) and run them (`grade`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

BOOK = Path(__file__).resolve().parents[1]
ASSIGNMENTS = "assignments"


@dataclass(frozen=True, order=True)
class Chapter:
    """One chapter of the book in the folder `book`, known by its `name` such as `model/sampling`."""

    book: Path
    name: str

    @property
    def part(self) -> str:
        """The part of the book, such as `model`; the introduction is in none."""
        return self.name.rpartition("/")[0]

    @property
    def source(self) -> Path:
        """The MyST text."""
        return self.book / "src" / f"{self.name}.md"

    @property
    def notebook(self) -> Path:
        """The executed notebook made from the text."""
        return self.book / f"{self.name}.ipynb"


def chapters(book: Path = BOOK, name: str = "") -> list[Chapter]:
    """Return all chapters, or the one whose full or last name is `name`."""
    return _named([text for text in _texts(book) if text.part != ASSIGNMENTS], name, "chapter")


def assignments(book: Path = BOOK, name: str = "") -> list[Chapter]:
    """Return all assignments, or the one whose full or last name is `name`."""
    return _named([text for text in _texts(book) if text.part == ASSIGNMENTS], name, "assignment")


def orphans(book: Path = BOOK) -> list[Path]:
    """Return the notebooks that no text stands behind."""
    known = {text.notebook for text in _texts(book)}
    return [path for path in sorted(book.rglob("*.ipynb")) if path not in known and not _hidden(path, book)]


def _texts(book: Path) -> list[Chapter]:
    sources = sorted((book / "src").rglob("*.md"))
    return [Chapter(book, path.relative_to(book / "src").with_suffix("").as_posix()) for path in sources]


def _named(found: list[Chapter], name: str, kind: str) -> list[Chapter]:
    if not name:
        return found
    chosen = [text for text in found if name in (text.name, Path(text.name).name)]
    if not chosen:
        raise SystemExit(f"no {kind} is called {name!r}; there are: {', '.join(c.name for c in found)}")
    return chosen


def _hidden(path: Path, book: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(book).parts)
