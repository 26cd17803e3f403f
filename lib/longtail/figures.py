"""The book's plotting style, as an explicit call, and the plots that several chapters share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

#: Colours that colour-blind readers can tell apart, after Okabe and Ito (2008), dark enough on white.
COLOURS = {
    "blue": "#0072B2",
    "orange": "#D55E00",
    "green": "#009E73",
    "purple": "#661177",
    "brown": "#6B4F00",
    "grey": "#666666",
}
#: Markers and line styles go with the colours, so that nothing hangs on colour alone.
MARKERS = ("o", "s", "^", "D", "v", "P")

_STYLE: Any = {
    "figure.figsize": (6.0, 4.0),
    "figure.dpi": 100,
    "savefig.dpi": 100,
    "figure.constrained_layout.use": True,
    "figure.facecolor": "white",
    "font.size": 12,
    "axes.titlesize": 12,
    "axes.prop_cycle": cycler(color=list(COLOURS.values())),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.25,
    "image.cmap": "cividis",
}


@contextmanager
def style() -> Iterator[None]:
    """Context in which new figures look like the book's.

    Examples
    --------
    >>> with style():
    ...     figure, axes = new_figure(2)
    >>> len(axes)
    2
    """
    with mpl.rc_context(_STYLE):
        yield


def new_figure(panels: int = 1, height: float = 4.0) -> tuple[Figure, list[Axes]]:
    """Return a figure in the book's style: 6 inches wide with one panel, 10 with several side by side.

    A phone shows six inches whole and legible.

    Parameters
    ----------
    panels
        Number of axes.
    height
        Of the figure, in inches.

    Returns
    -------
    figure, axes
        `axes` is a list even for one panel.
    """
    with style():
        figure, axes = plt.subplots(1, panels, figsize=(6 if panels == 1 else 10, height), squeeze=False)
        interactive = mpl.is_interactive()
    # The first figure of a notebook switches its display on, which leaving the context would undo.
    mpl.interactive(interactive)
    return figure, list(axes[0])


def rank_frequency(ax: Axes, frequencies: ArrayLike, label: str, **line: str | float) -> Line2D:
    """Draw frequencies against rank on log axes, largest first; zeros are left out.

    Parameters
    ----------
    ax
        Axes to draw on.
    frequencies
        Frequencies or counts in any order, shape (k,).
    label
        Name of the curve in the legend.
    line
        Passed on to `matplotlib.axes.Axes.plot`.
    """
    values = -np.sort(-np.asarray(frequencies, dtype=float))
    values = values[values > 0]
    if not values.size:
        raise ValueError("frequencies must not all be zero, on log axes there is nothing to draw")
    # A long list is drawn at about 400 ranks, evenly spaced on the log axis.
    ranks = np.unique(np.geomspace(1, values.size, 400).astype(int))
    (curve,) = ax.loglog(ranks, values[ranks - 1], label=label, **line)
    ax.set(xlabel="rank", ylabel="frequency")
    return curve
