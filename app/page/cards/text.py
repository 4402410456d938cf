"""How wide a text is in the cards' font, and what of it fits."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

from fontTools.ttLib import TTFont

FONTS = Path(__file__).parent / "fonts"
REGULAR, BOLD = "Inter-Regular.ttf", "Inter-Bold.ttf"
ELLIPSIS = "…"


class Metrics(NamedTuple):
    """The widths of a font's characters, by code point, in parts of an em."""

    advances: dict[int, float]

    def width(self, text: str) -> float:
        """The width of a text in em; a character that the font lacks counts one."""
        return sum(self.advances.get(ord(character), 1) for character in text)


@cache
def metrics(font: str) -> Metrics:
    """The metrics of a font file."""
    with TTFont(FONTS / font, lazy=True) as file:
        units, widths = file["head"].unitsPerEm, file["hmtx"]
        return Metrics({code: widths[glyph][0] / units for code, glyph in file.getBestCmap().items()})


def fit(text: str, width: float, size: float, font: str = REGULAR) -> str:
    """As much of a text as has room in `width` at a size, both in px; where it is cut, it ends in an ellipsis.

    Without characters that are not printable, which may not stand in XML.
    """
    text = "".join(filter(str.isprintable, text))
    known = metrics(font)
    if known.width(text) * size <= width:
        return text
    room = width / size - known.width(ELLIPSIS)
    for end, character in enumerate(text):
        room -= known.width(character)
        if room < 0:
            return text[:end].rstrip() + ELLIPSIS
    return text
