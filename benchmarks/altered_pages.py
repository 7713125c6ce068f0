"""Pages for benchmarks/duplicates.py: drawn pages of a few clinics, and the ways in which one page comes twice.

The pages of a clinic share letterhead, form and handwriting fonts, and three follow each other for one patient: they
are the hard negatives of each other. One clinic in four prints its prescriptions.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from demo_artist import PageArtist  # noqa: E402 - the drawing scripts import each other as top-level modules
from demo_content import Line, Patient, make_line, make_patients  # noqa: E402
from demo_ink import PRINT_FONT  # noqa: E402

from prescriptions.lexicon import bundled_lexicon  # noqa: E402

FONTS = ROOT / "fonts" / "node_modules"
CLINICS = 4
PRINTING = 3
"""The clinic whose prescriptions come out of a printer."""
PAGES_A_PATIENT = 3
REPEAT = 3
"""The writing that is not the prescription once more but its repeat: the same medicines on another day."""
YEAR = 2024
RGB = np.ndarray
_STILL = {(-0.2, 0.45): 0.0, (0.62, 1.0): 1.0, (0.1, 0.24): 0.0, (-2, 2): 0.0}
"""A printer's slant, squeeze and wobble of the letters, and their height on the line."""
_BLACK = {(5, None): 1}
"""A printer's ink, of five."""


class Dice:
    """A random generator that rolls what is given where the artist rolls the day, or the habits of a hand."""

    def __init__(self, rng: np.random.Generator, day: date, *, printed: bool) -> None:
        self._rng = rng
        self._integers = {(1, 29): day.day, (1, 13): day.month} | (_BLACK if printed else {})
        self._uniform = _STILL if printed else {}
        self._printed = printed

    def integers(self, low, high=None, size=None):
        fixed = self._integers.get((low, high)) if size is None else None
        return self._rng.integers(low, high, size) if fixed is None else fixed

    def uniform(self, low, high, size=None):
        fixed = self._uniform.get((low, high)) if size is None else None
        return self._rng.uniform(low, high, size) if fixed is None else fixed

    def choice(self, options):
        return 0 if self._printed else self._rng.choice(options)

    def __getattr__(self, name):
        return getattr(self._rng, name)


class Printer(PageArtist):
    """Draws the pages of a clinic that fills its forms in by machine."""

    def __init__(self, fonts: Path, site: int) -> None:
        super().__init__(fonts, site)
        self._families = (PRINT_FONT,)


@cache
def medicines():
    return bundled_lexicon("demo").medicines


@cache
def patient(clinic: int, turn: int, seed: int) -> Patient:
    return make_patients(turn + 1, np.random.default_rng([seed, 1, clinic]))[-1]


def clinic_of(number: int) -> int:
    return number % CLINICS


def patient_of(number: int) -> tuple[int, int]:
    """Clinic, and the patient's turn there."""
    return clinic_of(number), number // CLINICS // PAGES_A_PATIENT


def prescription(number: int, seed: int) -> tuple[date, list[Line]]:
    """Day and medicines of page ``number``."""
    rng = np.random.default_rng([seed, 2, number])
    chosen = rng.choice(len(medicines()), size=int(rng.integers(1, 7)), replace=False)
    lines = [make_line(medicines()[index], rng) for index in chosen]
    return date(YEAR, int(rng.integers(1, 13)), int(rng.integers(1, 29))), lines


def repeat_day(day: date, rng: np.random.Generator) -> date:
    """A day of the same year on which the medicines are prescribed again: a month, or some weeks, later or earlier."""
    if rng.random() < 0.5:
        return day.replace(month=day.month % 12 + 1)
    gap = timedelta(days=int(rng.choice([7, 14, 28, 30])))
    return day + gap if (day + gap).year == YEAR else day - gap


def day_of(number: int, seed: int, writing: int = 0) -> date:
    """What stands on the page as its date."""
    day, _ = prescription(number, seed)
    return repeat_day(day, np.random.default_rng([seed, 6, number])) if writing == REPEAT else day


def draw(number: int, seed: int, writing: int = 0) -> RGB:
    """The page as it was written the first, second … time: another hand, pen and photograph each time."""
    clinic, turn = patient_of(number)
    _, lines = prescription(number, seed)
    printed = clinic == PRINTING
    artist = (Printer if printed else PageArtist)(FONTS, clinic)
    for attempt in range(8):
        rng = np.random.default_rng([seed, 3, number, writing, attempt])
        dice = Dice(rng, day_of(number, seed, writing), printed=printed)
        try:
            return np.asarray(artist.draw(patient(clinic, turn, seed), lines, dice).image)
        except IndexError:
            continue  # the pen left a word without ink, and the artist finds no box for it
    raise RuntimeError(f"page {number} cannot be drawn")


def altered(page: RGB, rng: np.random.Generator) -> Iterator[tuple[str, RGB]]:
    """The page once more, in each way in which it may come twice."""
    yield "JPEG, quality 30 to 90", _jpeg(page, rng, 30)
    yield "shrunk to 0.4 to 1", _resized(page, rng.uniform(0.4, 1))
    yield "enlarged to 1 to 2", _resized(page, rng.uniform(1, 2))
    yield "turned by up to 3 degrees", _turned(page, rng)
    yield "cropped by up to 4 % a side", _cropped(page, rng, 0.04)
    yield "cropped by up to 8 % a side", _cropped(page, rng, 0.08)
    yield "photographed on a table", _jpeg(_photographed(page, rng, 0.06, 0.04), rng, 60)
    yield "photographed to the edges", _jpeg(_photographed(page, rng, 0.0, 0.03), rng, 60)
    all_at_once = _resized(_cropped(_photographed(page, rng, 0.0, 0.02), rng, 0.04), rng.uniform(0.6, 1.5))
    yield "photographed, cropped, resized, compressed", _jpeg(all_at_once, rng, 30)


def _jpeg(page: RGB, rng: np.random.Generator, worst: int) -> RGB:
    quality = int(rng.integers(worst, 91))
    return cv2.imdecode(cv2.imencode(".jpg", page, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


def _resized(page: RGB, factor: float) -> RGB:
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(page, None, fx=factor, fy=factor, interpolation=how)


def _turned(page: RGB, rng: np.random.Generator) -> RGB:
    height, width = page.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.uniform(-3, 3)), 1)
    return cv2.warpAffine(page, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


def _cropped(page: RGB, rng: np.random.Generator, most: float) -> RGB:
    height, width = page.shape[:2]
    left, top, right, bottom = rng.uniform(0, most, 4)
    return page[int(top * height) : int((1 - bottom) * height), int(left * width) : int((1 - right) * width)].copy()


def _photographed(page: RGB, rng: np.random.Generator, around: float, slant: float) -> RGB:
    """Perspective, uneven light, blur and grain; ``around`` is the share of a table on each side."""
    height, width = page.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    seen = corners * (1 - 2 * around) + np.array([width, height]) * (around + rng.uniform(-slant, slant, (4, 2)))
    matrix = cv2.getPerspectiveTransform(corners, seen.astype(np.float32))
    edge = cv2.BORDER_CONSTANT if around else cv2.BORDER_REPLICATE
    table = tuple(int(level) for level in rng.integers(40, 110, 3))
    picture = cv2.warpPerspective(page, matrix, (width, height), borderMode=edge, borderValue=table).astype(np.float32)
    angle, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.4)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    picture *= (1 - depth * (0.5 + 0.35 * (np.cos(angle) * x + np.sin(angle) * y)) ** 2)[..., None]
    picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.4, 1.0))) + rng.normal(0, 4, picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)
