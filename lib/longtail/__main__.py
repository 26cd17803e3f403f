"""Command line: ``python -m longtail audit data.csv --subpopulation COLUMN ...``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from longtail.auditing import Audit, audit

PICTURES = (".png", ".svg", ".pdf")

EXAMPLE = """\
example:
  python -m longtail audit people.csv --subpopulation education occupation \\
      --group sex --label income --gamma 0.25 --epsilon 1 --json out.json --figure out.png

The table says, in percent of fresh rows: unseen, of a subpopulation that no row shows; seen once, of one
that exactly one row shows; and what is wrong because singletons are not fitted, because no row is memorized
by more than gamma, because labels are private at epsilon.  Exit code 2 if data or arguments cannot be used.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 0 if all went well, 2 if the data or the arguments cannot be used."""
    chosen = _parser().parse_args(arguments)
    try:
        _check_targets(chosen.data, chosen.json, chosen.figure)
        report = audit(
            chosen.data, chosen.subpopulation, chosen.group, chosen.label, chosen.classes, chosen.gamma,
            chosen.epsilon, chosen.level,
        )  # fmt: skip
        if chosen.json is not None:
            chosen.json.write_text(json.dumps(report.as_dict(), indent=1, allow_nan=False) + "\n")
        if chosen.figure is not None:
            draw(report, chosen.figure)
    except (OSError, ValueError, ImportError) as error:
        print(f"longtail: {error}", file=sys.stderr)
        return 2
    print(report)
    return 0


def _check_targets(data: Path, report: Path | None, figure: Path | None) -> None:
    """Find out before the work whether its results can be written."""
    if figure is not None and figure.suffix.lower() not in PICTURES:
        raise ValueError(f"figure must end in {', '.join(PICTURES)}, got {figure}")
    taken = {data.resolve()}
    for target in (report, figure):
        if target is None:
            continue
        if not target.parent.is_dir():
            raise FileNotFoundError(f"no such folder: {target.parent}")
        if target.is_dir() or not os.access(target if target.exists() else target.parent, os.W_OK):
            raise PermissionError(f"cannot write to {target}")
        if target.resolve() in taken:
            raise ValueError(f"{target} is needed for something else: choose another name")
        taken.add(target.resolve())


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
    ax.set_yticks(range(len(report.lines)), [line.group for line in report.lines], parse_math=False)
    ax.set(xlabel="percent of fresh rows that are wrong", xlim=(0, None))
    ax.invert_yaxis()
    ax.legend()
    figure.savefig(target, bbox_inches="tight")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m longtail", description="Tools of The Long Tail Book.")
    commands = parser.add_subparsers(required=True, metavar="command")
    what = "what limits on memorization would cost on your data"
    one = commands.add_parser(
        "audit", help=what, description=f"Estimate {what}: no model, no training, only counts of rows.",
        epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    one.add_argument("data", type=Path, help="CSV (.tsv: with tabs) or Parquet file, a row for each example")
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
