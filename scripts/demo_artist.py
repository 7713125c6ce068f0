"""The layout of a synthetic prescription page, and what is true about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from demo_content import ADVICE, FORMS, HOSPITALS, LAST, Line, Patient
from demo_ink import (
    INKS,
    PRINT_FONT,
    SITE_FONTS,
    Box,
    Hand,
    load_font,
    load_hand,
    photograph,
    scribble,
    take_pen,
    turn,
    write,
    write_by_hand,
)
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

PAGE = (800, 1040)
"""Width and height, pixels."""
_PRINT_INK = (40, 40, 48)
_CAREFUL = 0.75


@dataclass(frozen=True, slots=True)
class Drawn:
    """A finished page and what is on it."""

    image: Image.Image
    truth: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A page while it is written: the paper, the writer and the dice."""

    canvas: Image.Image
    pen: ImageDraw.ImageDraw
    fonts: Path
    family: str
    ink: tuple[int, int, int]
    hand: Hand
    rng: np.random.Generator

    def write_print(self, at: tuple[float, float], text: str, size: int, weight: int = 400) -> Box:
        return write(self.pen, at, text, load_font(self.fonts, PRINT_FONT, size, weight), _PRINT_INK)

    def write_hand(self, at: tuple[float, float], text: str, x_height: int, *, care: float = _CAREFUL) -> Box:
        font = load_hand(self.fonts, self.family, x_height)
        return write_by_hand(self.canvas, at, text, font, self.ink, self.hand, self.rng, care=care)

    def write_words(self, at: tuple[float, float], text: str, x_height: int) -> None:
        left = at[0]
        for word in text.split():
            left = self.write_hand((left, at[1]), word, x_height).right + 0.9 * x_height

    def width_of(self, text: str, x_height: int) -> float:
        return self.pen.textlength(text, font=load_hand(self.fonts, self.family, x_height))


class PageArtist:
    """Draws the pages of one site, all in its stationery and its writers' hands."""

    def __init__(self, fonts: Path, site: int) -> None:
        self._fonts = fonts
        self._families = SITE_FONTS[site % len(SITE_FONTS)]
        self._site = site
        self.hospital = HOSPITALS[site % len(HOSPITALS)]

    def draw(self, patient: Patient, lines: list[Line], rng: np.random.Generator) -> Drawn:
        """One page; the boxes in its truth are those of the finished image."""
        paper = tuple(int(level) for level in 250 - rng.integers(0, 10, 3))
        canvas = Image.new("RGB", PAGE, paper)
        family = self._families[rng.integers(len(self._families))]
        ink = INKS[rng.integers(len(INKS))]
        sheet = _Sheet(canvas, ImageDraw.Draw(canvas), self._fonts, family, ink, take_pen(rng), rng)
        self._draw_head(sheet, patient)
        boxes = _draw_body(sheet, lines)
        _draw_foot(sheet)
        canvas, boxes = turn(canvas, float(rng.uniform(-2.5, 2.5)), boxes, paper)
        image = photograph(canvas, rng, light=float(rng.uniform(0.05, 0.35)), grain=float(rng.uniform(1.5, 5)))
        medicines = [
            {
                "name": line.name, "form": line.form, "strength": line.strength, "frequency": line.frequency,
                "days": line.days, "box": [box.left, box.top, box.right, box.bottom],
            }
            for line, box in zip(lines, boxes, strict=True)
        ]  # fmt: skip
        return Drawn(image, {"patient": patient.patient_id, "patient_name": patient.name, "hospital": self.hospital,
                             "font": family, "medicines": medicines})  # fmt: skip

    def _draw_head(self, sheet: _Sheet, patient: Patient) -> None:
        sheet.write_print((50, 66), self.hospital, 32, 700)
        sheet.write_print((50, 96), f"{12 + self._site} Hospital Road   Tel 0{2000 + self._site} 555 0100", 17)
        sheet.write_print((50, 124), f"Dr. {LAST[-1 - self._site % len(LAST)]}, General Medicine", 19)
        sheet.pen.line([(50, 142), (PAGE[0] - 50, 142)], fill=_PRINT_INK, width=2)
        date = f"{sheet.rng.integers(1, 29)}/{sheet.rng.integers(1, 13)}/2024"
        rows = ((182, (("Name:", patient.name, 50), ("Age:", str(patient.age), 440), ("Date:", date, 570))),
                (224, (("Phone:", patient.phone, 50), ("Address:", patient.street, 370))))  # fmt: skip
        for baseline, fields in rows:
            for label, value, left in fields:
                end = sheet.write_print((left, baseline), label, 19).right
                sheet.write_words((end + 14, baseline + sheet.rng.uniform(-2, 2)), value, 14)
        sheet.pen.line([(50, 246), (PAGE[0] - 50, 246)], fill=_PRINT_INK, width=1)
        sheet.write_print((52, 312), "Rx", 46, 700)


def _draw_body(sheet: _Sheet, lines: list[Line]) -> list[Box]:
    """The medicines, each on its line; returns the boxes of their names."""
    rng = sheet.rng
    boxes = []
    usual = int(rng.integers(15, 20))
    step = min(104, 560 // len(lines))
    for number, line in enumerate(lines, start=1):
        dose = f"{line.frequency} {'x' if number % 2 else ''} {line.days} days"
        words = [f"{number}.", FORMS[line.form], line.name, *line.strength.split()]
        size = usual
        while size > 11 and sheet.width_of("nn".join([*words, "n", dose]), size) > PAGE[0] - 150:
            size -= 1
        space = max(sheet.width_of("n", size), 0.85 * size) * rng.uniform(1.1, 1.5)
        left, baseline = 70 + rng.uniform(0, 14), 366 + step * (number - 1) + rng.uniform(-5, 5)
        for position, word in enumerate(words):
            care = 0.0 if position == 2 else _CAREFUL
            box = sheet.write_hand((left, baseline + rng.uniform(-2, 2)), word, size, care=care)
            left = box.right + (space if position < 3 else 0.6 * space)
            if position == 2:
                boxes.append(box)
        sheet.write_words((max(left + space, 480 + rng.uniform(0, 20)), baseline), dose, size)
    return boxes


def _draw_foot(sheet: _Sheet) -> None:
    sheet.write_words((70, 950), ADVICE[sheet.rng.integers(len(ADVICE))], 13)
    scribble(sheet.pen, (560, 950), sheet.ink, sheet.rng)
    sheet.write_print((50, 1010), "Synthetic demonstration page. No such patient exists.", 14)
