"""What a result file must say about itself: script, hardware, versions, date."""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results")
MEASURED = Path(__file__).parents[1] / "lib" / "longtail" / "datasets" / "measured"  # what chapters load


def processor() -> str:
    """Name of the processor, as the system gives it."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def provenance(script: str, seed: int, *packages: str) -> dict[str, Any]:
    """Return everything one needs to judge or repeat a result."""
    return {
        "script": f"benchmarks/{Path(script).name}",
        "date": datetime.now(UTC).date().isoformat(),
        "hardware": f"{processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "versions": {
            "python": platform.python_version(),
            **{p: version(p) for p in ("numpy", "scipy", *packages)},
        },
        "seed": seed,
    }


def save(script: str, seed: int, results: dict[str, Any], *packages: str, folder: Path = RESULTS) -> None:
    """Write ``<folder>/<script>.json``: provenance and results."""
    document = {**provenance(script, seed, *packages), "results": results}
    folder.mkdir(exist_ok=True)
    target = folder / f"{Path(script).stem}.json"
    target.write_text(json.dumps(document, indent=1) + "\n")
    json.dump(results, sys.stdout, indent=1)
    print(f"\nwritten: {target.relative_to(Path(__file__).parents[1])}")
