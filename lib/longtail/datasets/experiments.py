"""Results of experiments that are too long for a chapter, with the provenance of each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent / "measured"


def experiment(name: str) -> dict[str, Any]:
    """Load the result of an experiment that was run beforehand.

    Parameters
    ----------
    name
        Name of the script in ``benchmarks/`` that made it.

    Returns
    -------
    Dictionary with script, date, hardware, versions, seed, and ``results``.

    Examples
    --------
    >>> experiment("nothing")
    Traceback (most recent call last):
    ...
    ValueError: name must be one of ..., got 'nothing'
    """
    known = sorted(path.stem for path in _FOLDER.glob("*.json"))
    if name not in known:
        raise ValueError(f"name must be one of {known}, got {name!r}")
    found: dict[str, Any] = json.loads((_FOLDER / f"{name}.json").read_text())
    return found
