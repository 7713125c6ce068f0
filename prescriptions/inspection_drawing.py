"""Pens and colours of the inspection picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Colour = tuple[int, int, int]
INK: Colour = (28, 34, 48)
SOFT: Colour = (104, 114, 132)
FAINT: Colour = (216, 221, 230)
DESK: Colour = (241, 243, 247)
SHEET: Colour = (255, 255, 255)
LINE: Colour = (150, 190, 226)
WORD: Colour = (176, 184, 198)
MEDICINE: Colour = (214, 84, 20)
MODEL: Colour = (84, 70, 190)
WARNING: Colour = (176, 104, 0)
WARNING_PAPER: Colour = (255, 243, 214)
ENTITY: dict[str, Colour] = {
    "form": (24, 136, 84),
    "strength": (150, 54, 168),
    "frequency": (22, 104, 204),
    "duration": (190, 40, 92),
}
OTHER_ENTITY: Colour = (92, 100, 60)


@cache
def face(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font that Pillow carries."""
    return ImageFont.load_default(size)


def tint(colour: Colour, share: float) -> Colour:
    """The colour mixed with white; a share of 1 is the colour itself."""
    red, green, blue = (round(255 - (255 - part) * share) for part in colour)
    return red, green, blue


@dataclass(frozen=True, slots=True, eq=False)
class Pen:
    """Draws on one picture."""

    picture: Image.Image
    draw: ImageDraw.ImageDraw

    @classmethod
    def on(cls, picture: Image.Image) -> Pen:
        """A pen for a picture."""
        return cls(picture, ImageDraw.Draw(picture))

    def text(
        self, place: tuple[float, float], text: str, size: int, colour: Colour = INK, *, bold: bool = False
    ) -> int:
        """Writes from the upper left; returns the width in pixels."""
        self.draw.text(place, text, font=face(size), fill=colour, stroke_width=0.6 if bold else 0, stroke_fill=colour)
        return self.width(text, size)

    def text_to(self, right: float, top: float, text: str, size: int, colour: Colour = SOFT) -> None:
        """Writes so that it ends at ``right``."""
        self.text((right - self.width(text, size), top), text, size, colour)

    def width(self, text: str, size: int) -> int:
        """Of a text, in pixels."""
        return round(self.draw.textlength(text, font=face(size)))

    def fitted(self, text: str, size: int, width: float) -> str:
        """The text, cut with an ellipsis where it is wider."""
        if self.width(text, size) <= width:
            return text
        while text and self.width(text + "…", size) > width:
            text = text[:-1]
        return text + "…"

    def panel(self, box: tuple[float, float, float, float], colour: Colour = SHEET, edge: Colour = FAINT) -> None:
        """A sheet with round corners."""
        self.draw.rounded_rectangle(box, radius=10, fill=colour, outline=edge, width=1)

    def badge(self, place: tuple[float, float], text: str, colour: Colour = MEDICINE) -> None:
        """A number in a disc whose centre is given."""
        across, down = place
        self.draw.ellipse((across - 15, down - 15, across + 15, down + 15), fill=colour)
        self.text((across - self.width(text, 18) / 2, down - 11), text, 18, SHEET, bold=True)

    def chip(self, place: tuple[float, float], label: str, value: str, colour: Colour) -> int:
        """A label and a value on a tinted ground; returns the width."""
        left, top = place
        inner = self.width(label, 16) + 8 + self.width(value, 18)
        self.draw.rounded_rectangle((left, top, left + inner + 24, top + 32), radius=16, fill=tint(colour, 0.12))
        after = self.text((left + 12, top + 7), label, 16, colour)
        self.text((left + 12 + after + 8, top + 5), value, 18, INK)
        return inner + 24

    def bar(self, place: tuple[float, float], width: int, share: float, colour: Colour) -> None:
        """A horizontal bar, filled by a share of 0 to 1."""
        left, top = place
        self.draw.rounded_rectangle((left, top, left + width, top + 8), radius=4, fill=FAINT)
        if share > 0.02:
            self.draw.rounded_rectangle((left, top, left + width * min(1.0, share), top + 8), radius=4, fill=colour)

    def paste(self, pixels: NDArray[np.uint8], box: tuple[int, int, int, int]) -> tuple[int, int, float]:
        """A picture as large as fits into the box, in its middle; returns its left, top and scale."""
        picture = Image.fromarray(pixels).convert("RGB")
        left, top, right, bottom = box
        scale = min((right - left) / picture.width, (bottom - top) / picture.height)
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        across, down = left + (right - left - size[0]) // 2, top + (bottom - top - size[1]) // 2
        self.picture.paste(picture.resize(size, Image.Resampling.LANCZOS), (across, down))
        return across, down, scale
