"""Make the pictures that speak for the book elsewhere, from one figure of the introduction.

    python book/tools/readme_figure.py

`book/readme.png` is the figure itself, `book/static/preview.png` a card for those who share a link.
"""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

import nbformat
from chapters import BOOK
from PIL import Image, ImageDraw, ImageFont

INTRODUCTION, NAME = BOOK / "intro.ipynb", "fig-intro-price"
README, PREVIEW = BOOK / "readme.png", BOOK / "static" / "preview.png"
CARD = (1200, 630)  # what social networks show uncut
TITLE, QUESTION = (
    "The Long Tail Book",
    "Must a learner remember\nthe label of something\nthat it saw only once?",
)


def figure(notebook: Path = INTRODUCTION, name: str = NAME) -> bytes:
    """Return the png of the figure with that name."""
    cells = nbformat.read(notebook, as_version=4).cells
    [cell] = [c for c in cells if c.metadata.get("mystnb", {}).get("figure", {}).get("name") == name]
    return next(
        base64.b64decode(o.data["image/png"]) for o in cell.outputs if "image/png" in o.get("data", {})
    )


def card(png: bytes) -> Image.Image:
    """Put a figure beside title and question, in 64 colours."""
    image, picture = Image.new("RGB", CARD, "white"), Image.open(BytesIO(png)).convert("RGB")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 16, CARD[1]), fill="#0072B2")
    draw.text((60, 48), TITLE, "black", ImageFont.load_default(72))
    draw.multiline_text((60, 210), QUESTION, "#333333", ImageFont.load_default(34), spacing=14)
    image.paste(picture, (CARD[0] - picture.width - 30, CARD[1] - picture.height - 40))
    return image.quantize(64)


def main() -> None:
    """Write both pictures."""
    README.write_bytes(figure())
    card(figure()).save(PREVIEW, optimize=True)


if __name__ == "__main__":
    main()
