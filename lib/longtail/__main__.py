"""Command line: ``python -m longtail audit data.csv --subpopulation COLUMN ...``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from longtail.auditing import Audit, audit


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 0 if all went well, 2 if the data or the arguments cannot be used."""
    chosen = _parser().parse_args(arguments)
    try:
        for target in (chosen.json, chosen.figure):
            if target is not None and not target.parent.is_dir():
                raise FileNotFoundError(f"no such folder: {target.parent}")
        report = audit(
            chosen.data, chosen.subpopulation, chosen.group, chosen.label, chosen.classes, chosen.gamma,
            chosen.epsilon, chosen.level,
        )  # fmt: skip
    except (OSError, ValueError, ImportError) as error:
        print(f"longtail: {error}", file=sys.stderr)
        return 2
    print(report)
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(report.as_dict(), indent=1) + "\n")
    if chosen.figure is not None:
        draw(report, chosen.figure)
    return 0


def draw(report: Audit, target: Path) -> None:
    """Write a picture of the prices by group."""
    from longtail.figures import COLOURS, MARKERS, new_figure

    names = [name for name in report.lines[0].prices if name not in ("unseen", "seen once")]
    figure, [ax] = new_figure(height=1.5 + 0.5 * len(report.lines))
    for k, (name, colour, marker) in enumerate(zip(names, COLOURS.values(), MARKERS, strict=False)):
        amounts = [line.prices[name] for line in report.lines]
        middle = [100 * a.value for a in amounts]
        reach = [[100 * (a.value - a.low) for a in amounts], [100 * (a.high - a.value) for a in amounts]]
        rows = [i + 0.15 * (k - (len(names) - 1) / 2) for i in range(len(amounts))]
        ax.errorbar(middle, rows, xerr=reach, fmt=marker, color=colour, capsize=3, label=name)
    ax.set(yticks=range(len(report.lines)), yticklabels=[line.group for line in report.lines])
    ax.set(xlabel="percent of fresh rows that are wrong", xlim=(0, None))
    ax.invert_yaxis()
    ax.legend()
    figure.savefig(target, bbox_inches="tight")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m longtail", description="Tools of The Long Tail Book.")
    commands = parser.add_subparsers(required=True, metavar="command")
    one = commands.add_parser("audit", help="what limits on memorization would cost on your data")
    one.add_argument("data", type=Path, help="CSV or Parquet file, one row for each example")
    one.add_argument("--subpopulation", nargs="+", required=True, metavar="COL", help="what makes rows alike")
    one.add_argument("--group", nargs="+", default=[], metavar="COL", help="tell who pays")
    one.add_argument("--label", metavar="COL", help="counts classes, and how far cells decide the label")
    one.add_argument(
        "--classes", type=int, metavar="M", help="equally likely labels (default: from --label, or 2)"
    )
    one.add_argument("--gamma", type=float, metavar="G", help="price of memorization scores of at most G")
    one.add_argument("--epsilon", type=float, metavar="E", help="price of label privacy E")
    one.add_argument("--level", type=float, default=0.95, help="of the intervals (default %(default)s)")
    one.add_argument("--json", type=Path, metavar="OUT", help="write everything to this file")
    one.add_argument("--figure", type=Path, metavar="OUT", help="write a picture (png, svg, pdf)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
