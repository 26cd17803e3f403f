"""The book's colours hold for everybody: on white paper, and for those who see fewer of them."""

from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from longtail.figures import COLOURS, MARKERS, new_figure
from matplotlib.colors import to_rgb

# What dichromats see, in linear RGB: Machado, Oliveira and Fernandes (2009), severity 1.
SIGHT = {
    "all": np.eye(3),
    "no red": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no green": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "no blue": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(colour: str) -> np.ndarray:
    rgb = np.array(to_rgb(colour))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIELAB, in which a distance of 2.3 is just noticeable."""
    x, y, z = np.cbrt(np.clip(XYZ @ np.clip(rgb, 0, 1) / XYZ.sum(axis=1), 0.008856, None))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("sight", SIGHT)
def test_colours_differ_for_everybody(sight):
    seen = {name: lab(np.array(SIGHT[sight]) @ linear(colour)) for name, colour in COLOURS.items()}
    distance = {pair: np.linalg.norm(seen[pair[0]] - seen[pair[1]]) for pair in combinations(seen, 2)}
    assert min(distance.values()) > 5 * 2.3, sorted(distance, key=distance.__getitem__)[:2]


@pytest.mark.parametrize("name", COLOURS)
def test_colours_stand_out_from_paper(name):
    luminance = XYZ[1] @ linear(COLOURS[name])
    assert 1.05 / (luminance + 0.05) >= 3  # what WCAG 2.1 asks of graphics


def test_nothing_hangs_on_colour_alone():
    assert len(set(MARKERS)) == len(MARKERS) >= len(COLOURS)


def test_a_new_figure_has_the_book_s_colours_and_leaves_settings_alone():
    before = dict(plt.rcParams)
    figure, (ax,) = new_figure()
    shown = [ax.plot([0, 1])[0].get_color() for _ in COLOURS]
    plt.close(figure)
    assert shown == list(COLOURS.values())
    assert dict(plt.rcParams) == before
