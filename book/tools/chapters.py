"""Which chapters there are.

A chapter `model/sampling` is two files: the text that authors edit, `book/src/model/sampling.md`, and the
executed notebook that readers run, `book/model/sampling.ipynb`. Everything in this folder speaks of
chapters.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

BOOK = Path(__file__).resolve().parents[1]


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
    sources = sorted((book / "src").rglob("*.md"))
    found = [Chapter(book, path.relative_to(book / "src").with_suffix("").as_posix()) for path in sources]
    if not name:
        return found
    chosen = [chapter for chapter in found if name in (chapter.name, Path(chapter.name).name)]
    if not chosen:
        raise SystemExit(f"no chapter is called {name!r}; there are: {', '.join(c.name for c in found)}")
    return chosen


def orphans(book: Path = BOOK) -> list[Path]:
    """Return the notebooks that no text stands behind."""
    known = {chapter.notebook for chapter in chapters(book)}
    return [path for path in sorted(book.rglob("*.ipynb")) if path not in known and not _hidden(path, book)]


def _hidden(path: Path, book: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(book).parts)
