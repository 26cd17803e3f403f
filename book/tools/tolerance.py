"""When two outputs of the same cell say the same.

Numbers. Whole numbers and all words must be equal. Numbers with a point or an exponent may differ by 1e-4
of their size: processors and BLAS versions order sums differently, which shows from the twelfth digit on
in what is computed and far earlier in what cancels, while 1e-4 is below what a reader could draw a
conclusion from. It is *not* one unit of the last digit printed: 0.30 -> 0.31 is a different result and
fails. Below 1e-14 only rounding residues of numbers of order one are left, and they count as zero.

Figures. The sizes must be equal; over the whole picture, and over every tile of 16 x 16 pixels, the root
mean square of the difference must be small. The first catches a shifted curve; the second a single
changed digit.
"""

from __future__ import annotations

import base64
import io
import math
import re

import numpy as np
import numpy.typing as npt
from PIL import Image

RELATIVE = 1e-4
ABSOLUTE = 1e-14
PICTURE_RMS = 2.0  # grey levels of 255
TILE_RMS = 40.0
TILE = 16
PNG_IN_BASE64 = "iVBORw0KGgo"

NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?(?!\w)")


def same_output(left: str, right: str) -> bool:
    """Tell whether two outputs, texts or pictures in base64, say the same."""
    if left == right:
        return True
    if left.startswith(PNG_IN_BASE64) and right.startswith(PNG_IN_BASE64):
        return same_picture(_pixels(left), _pixels(right))
    return same_text(left, right)


def same_text(left: str, right: str) -> bool:
    """Tell whether two texts have equal words and close numbers; white space does not matter."""
    if NUMBER.sub("#", left).split() != NUMBER.sub("#", right).split():
        return False
    pairs = zip(NUMBER.findall(left), NUMBER.findall(right), strict=True)
    return all(same_number(first, second) for first, second in pairs)


def same_number(left: str, right: str) -> bool:
    """Tell whether two printed numbers are equal, or close where at least one is not whole."""
    if left == right:
        return True
    whole = not any(mark in left + right for mark in ".eE")
    return not whole and math.isclose(float(left), float(right), rel_tol=RELATIVE, abs_tol=ABSOLUTE)


def same_picture(left: npt.NDArray[np.float64], right: npt.NDArray[np.float64]) -> bool:
    """Tell whether two pictures, arrays of height x width x channels, look the same."""
    if left.shape != right.shape:
        return False
    squares = ((left - right) ** 2).mean(axis=2)
    return bool(squares.mean() <= PICTURE_RMS**2 and _tile_means(squares).max() <= TILE_RMS**2)


def _tile_means(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Average over tiles; the ragged edge is filled with zeros."""
    height, width = (-(-size // TILE) for size in values.shape)
    padded = np.zeros((height * TILE, width * TILE))
    padded[: values.shape[0], : values.shape[1]] = values
    means: npt.NDArray[np.float64] = padded.reshape(height, TILE, width, TILE).mean(axis=(1, 3))
    return means


def _pixels(encoded: str) -> npt.NDArray[np.float64]:
    with Image.open(io.BytesIO(base64.b64decode(encoded))) as picture:
        return np.asarray(picture.convert("RGBA"), dtype=np.float64)
