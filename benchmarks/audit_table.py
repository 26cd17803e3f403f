"""What it costs to audit a large table: seconds of processor and peak memory, for CSV and Parquet.

    python benchmarks/audit_table.py

Tables of one and of four million rows with a long tail (subpopulations of two columns, four groups, a label
and a column of text that is not asked for), and one of a million rows that are all different.  Each is
audited in a process of its own; what the imports take is measured beside.  About a minute, Linux only.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from _provenance import MEASURED, save

SEED, MILLION = 0, 1_000_000
AUDIT = """
import json, re, sys, time
import longtail, polars, scipy.special
def spent():  # ru_maxrss would be that of the process that started this one
    status = open("/proc/self/status").read()
    return time.process_time(), int(re.search(r"VmHWM:\\s*(\\d+)", status)[1]) / 1024
before = spent()
line = longtail.audit(sys.argv[1], sys.argv[2:], "group", "label", gamma=0.25, epsilon=1.0).lines[0]
after = spent()
print(json.dumps({
    "rows": line.rows, "subpopulations": line.subpopulations, "seconds": round(after[0] - before[0], 2),
    "peak MiB": round(after[1]), "MiB before": round(before[1]),
}))
"""


def long_tail(rows: int) -> pl.DataFrame:
    """Return a table with a long tail."""
    rng = np.random.default_rng(SEED)
    kind = rng.zipf(1.5, rows).clip(max=5000)
    return pl.DataFrame({
        "kind": kind, "place": rng.integers(5, size=rows), "group": rng.choice(list("abcd"), rows),
        "label": kind % 10, "text": rng.integers(10**12, size=rows).astype(str),
    })  # fmt: skip


def all_different(rows: int) -> pl.DataFrame:
    """Return a table in which each row has a name of its own."""
    return long_tail(rows).with_columns(kind=pl.int_range(rows).cast(pl.String) + "-name")


def measured(table: pl.DataFrame, suffix: str) -> dict[str, object]:
    """Write the table, audit it in another process, and return what that took."""
    with TemporaryDirectory() as folder:
        path = Path(folder, f"table{suffix}")
        (table.write_csv if suffix == ".csv" else table.write_parquet)(path)
        command = [sys.executable, "-c", AUDIT, str(path), "kind", "place"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return {"file": suffix, "MB": round(path.stat().st_size / 1e6, 1), **json.loads(done.stdout)}


def main() -> None:
    """Measure and write."""
    tables = {"long tail": (long_tail, (MILLION, 4 * MILLION)), "all different": (all_different, (MILLION,))}
    results = [
        {"table": name, **measured(make(rows), suffix)}
        for name, (make, sizes) in tables.items()
        for rows in sizes
        for suffix in (".csv", ".parquet")
    ]
    save(__file__, SEED, {"runs": results}, "polars", folder=MEASURED)


if __name__ == "__main__":
    main()
