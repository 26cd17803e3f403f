"""What it takes to begin: `import longtail` in a fresh process, and what it loads.

    python benchmarks/start.py

The goal is 0.3 s without torch.  NumPy alone is timed beside it, in turns; processor time, so that a busy
machine does not count.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

from _provenance import save

ROUNDS, SEED = 15, 0
WHAT = {"python": "pass", "numpy": "import numpy", "longtail": "import longtail", "torch": "import torch"}


def seconds(code: str) -> float:
    """Processor time of a process that runs this."""
    start = os.times()
    subprocess.run([sys.executable, "-c", code], check=True)
    end = os.times()
    return end.children_user + end.children_system - start.children_user - start.children_system


def main() -> None:
    """Measure in turns."""
    for code in WHAT.values():
        seconds(code)  # files into the memory of the system
    times = [{name: seconds(code) for name, code in WHAT.items()} for _ in range(ROUNDS)]
    results = {name: round(statistics.median(t[name] for t in times), 3) for name in WHAT}
    save(__file__, SEED, {"seconds of the processor": results}, "torch")


if __name__ == "__main__":
    main()
