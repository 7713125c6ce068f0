"""Draws the pages of the reading benchmark: synthetic, five looks, each page with its truth beside it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from demo_ink import INKS, load_font, load_hand, photograph, scribble, take_pen, write, write_by_hand
from PIL import Image, ImageDraw
from reading_content import STYLES, Sheet, Split, Writer
from reading_entries import Row

from prescriptions.lexicon import bundled_lexicon

LOOKS = ("typed, clean", "typed, degraded", "hand, clean", "hand, degraded", "hand, hurried")
LEXICON = "drugsfda"
PAGE = (1000, 1400)
"""Width and height, pixels: A5 at 170 dots per inch."""
_LEFT, _RIGHT = 70, 930
_INDENT = 60
_PRINT_INK = (30, 30, 36)
_TABLES = ((62, 48, 40), (40, 60, 72), (90, 84, 80))


@dataclass
class Canvas:
    """A page while it is written, and what is on it in flat pixels."""

    image: Image.Image
    fonts: Path
    print_font: str
    hand: str | None
    """Family of the handwriting; None for a typed page."""
    care: float
    rng: np.random.Generator
    rows: list[dict] = field(default_factory=list)

    def __post_init__(self):
        self.pen = ImageDraw.Draw(self.image)
        self.ink = INKS[self.rng.integers(len(INKS))]
        habits = take_pen(self.rng)
        self.habits = replace(habits, thickness=max(0, habits.thickness))
        self.x_height = int(self.rng.integers(15, 19))
        self.print_size = int(self.rng.integers(23, 28))

    def print_row(self, at, text, size, weight=400, *, kept=True):
        box = write(self.pen, at, text, load_font(self.fonts, self.print_font, size, weight), _PRINT_INK)
        if kept:
            self.keep(text, [box])
        return box

    def word(self, at, text, *, care=None):
        """One word as the page's medicines are written; returns its box."""
        if self.hand is None:
            return write(self.pen, at, text, load_font(self.fonts, self.print_font, self.print_size), _PRINT_INK)
        font = load_hand(self.fonts, self.hand, self.x_height)
        place = (at[0], at[1] + self.rng.uniform(-2, 2))
        if len(text) < 2 or not any(character.isalnum() for character in text):  # a stroke is too thin to be bent
            return write(self.pen, place, text, font, self.ink)
        return write_by_hand(
            self.image, place, text, font, self.ink, self.habits, self.rng, care=self.care if care is None else care
        )

    def width(self, text):
        if self.hand is None:
            return self.pen.textlength(text, font=load_font(self.fonts, self.print_font, self.print_size))
        return self.pen.textlength(text, font=load_hand(self.fonts, self.hand, self.x_height))

    def words(self, at, texts, *, care=None):
        left, boxes = at[0], []
        for text in texts:
            boxes.append(self.word((left, at[1]), text, care=care))
            left = boxes[-1].right + (self.width(" ") + 1 if self.hand is None else max(0.9 * self.width("n"), 9))
        return boxes

    def row(self, at, texts):
        boxes = self.words(at, texts)
        self.keep(" ".join(texts), boxes)
        return boxes

    def keep(self, text, boxes):
        self.rows.append({"text": text, "box": _around(boxes)})


def _around(boxes):
    return [min(b.left for b in boxes), min(b.top for b in boxes), max(b.right for b in boxes),
            max(b.bottom for b in boxes)]  # fmt: skip


def draw_page(sheet: Sheet, split: Split, look: str, fonts: Path, rng: np.random.Generator):
    """A finished RGB image, its JPEG quality (None for PNG) and its truth."""
    typed = look.startswith("typed")
    paper = tuple(int(level) for level in 252 - rng.integers(0, 8, 3))
    print_font = split.typed[rng.integers(len(split.typed))]
    hand = None if typed else split.hands[rng.integers(len(split.hands))]
    canvas = Canvas(Image.new("RGB", PAGE, paper), fonts, print_font, hand, 0.85 if "hurried" not in look else 0.5, rng)
    bottom = _head(canvas, sheet)
    lines = _body(canvas, sheet, bottom, hurried="hurried" in look)
    image, quality, matrix = canvas.image, None, np.eye(3)
    if not look.endswith("clean"):
        image, quality, matrix = _degrade(image, paper, rng)
    truth = {
        "look": look, "style": sheet.style, "font": hand or print_font, "to_image": matrix.tolist(),
        "rows": canvas.rows, "lines": lines,
    }  # fmt: skip
    return image, quality, truth


def _head(canvas: Canvas, sheet: Sheet) -> float:
    centred = canvas.rng.random() < 0.4

    def place(text, size, weight):
        width = canvas.pen.textlength(text, font=load_font(canvas.fonts, canvas.print_font, size, weight))
        return (PAGE[0] - width) / 2 if centred else _LEFT

    canvas.print_row((place(sheet.hospital, 36, 700), 80), sheet.hospital, 36, 700)
    for number, text in enumerate(sheet.doctor):
        canvas.print_row((place(text, 19, 400), 114 + 27 * number), text, 19)
    canvas.pen.line([(_LEFT - 20, 186), (_RIGHT + 20, 186)], fill=_PRINT_INK, width=2)
    baseline = 228
    for pairs in sheet.patient_rows:
        boxes, texts, left = [], [], _LEFT
        for label, value in pairs:
            boxes.append(canvas.print_row((left, baseline), label, 20, kept=False))
            boxes += canvas.words((boxes[-1].right + 12, baseline), value.split())
            texts += [label, value]
            left = boxes[-1].right + 40
        canvas.rows.append({"text": " ".join(texts), "box": _around(boxes)})
        baseline += 46
    canvas.pen.line([(_LEFT - 20, baseline - 18), (_RIGHT + 20, baseline - 18)], fill=_PRINT_INK, width=1)
    baseline += 26
    for text in sheet.findings:
        canvas.row((_LEFT, baseline), text.split())
        baseline += 42
    canvas.print_row((_LEFT, baseline + 38), "Rx", 44, 700)
    return baseline + 38


def _body(canvas: Canvas, sheet: Sheet, bottom: float, *, hurried: bool) -> list[dict]:
    count = sum(len(entry.rows) for entry in sheet.entries)
    step = min(58.0, (1230 - bottom - 14 * len(sheet.entries)) / count)
    _fit(canvas, [row for entry in sheet.entries for row in entry.rows])
    baseline, lines = bottom + 16, []
    numbered = canvas.rng.random() < 0.6
    for number, entry in enumerate(sheet.entries, start=1):
        baseline += 14
        for row in entry.rows:
            baseline += step
            left = _LEFT + 12 + _INDENT * row.indent
            lead = [f"{number}."] if numbered and row.name is not None else []
            boxes = _write_row(canvas, (left, baseline), lead, row, hurried=hurried)
            if row.name is not None:
                box = boxes[len(lead) + row.name]
                lines.append({"box": [box.left, box.top, box.right, box.bottom], "truth": entry.truth})
    canvas.row((_LEFT, 1300), sheet.advice.split())
    scribble(canvas.pen, (700, 1320), canvas.ink, canvas.rng)
    canvas.print_row((_LEFT, 1375), "Synthetic page for a benchmark. No such patient exists.", 15)
    return lines


def _write_row(canvas: Canvas, at, lead, row: Row, *, hurried: bool):
    texts = [*lead, *row.words]
    if not hurried or row.name is None:
        return canvas.row(at, texts)
    name = len(lead) + row.name
    boxes = canvas.words(at, texts[:name])
    left = boxes[-1].right + canvas.width("n") if boxes else at[0]
    boxes += canvas.words((left, at[1]), [texts[name]], care=0.0)
    boxes += canvas.words((boxes[-1].right + canvas.width("n"), at[1]), texts[name + 1 :])
    canvas.keep(" ".join(texts), boxes)
    return boxes


def _fit(canvas: Canvas, rows: list[Row]) -> None:
    """Writes smaller until the longest row fits."""
    while True:
        widest = max(_INDENT * row.indent + canvas.width("n".join(["99.", *row.words]) + "n" * 2) for row in rows)
        if widest < _RIGHT - _LEFT or min(canvas.x_height, canvas.print_size - 5) <= 11:
            return
        canvas.x_height, canvas.print_size = canvas.x_height - 1, canvas.print_size - 1


def _degrade(image: Image.Image, paper, rng: np.random.Generator):
    """A photograph or a poor scan: turned, seen from an angle, unevenly lit, blurred, noisy, compressed."""
    width, height = image.size
    table = rng.random() < 0.5
    edge = 60 if table else 0
    turned = np.vstack([cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.uniform(-4, 4)), 1.0), [0, 0, 1]])
    corners = np.float32([[0, 0], [width, 0], [width, height], [0, height]])
    bent = corners + rng.uniform(-0.02, 0.02, (4, 2)).astype(np.float32) * width
    moved = np.array([[1, 0, edge], [0, 1, edge], [0, 0, 1]], float)
    matrix = moved @ cv2.getPerspectiveTransform(corners, bent.astype(np.float32)) @ turned
    size = (width + 2 * edge, height + 2 * edge)
    ground = _TABLES[rng.integers(len(_TABLES))] if table else paper
    seen = cv2.warpPerspective(np.asarray(image), matrix, size, flags=cv2.INTER_LINEAR, borderValue=ground)
    seen = cv2.GaussianBlur(seen, (0, 0), float(rng.uniform(0.3, 1.0)))
    lit = photograph(Image.fromarray(seen), rng, light=float(rng.uniform(0.15, 0.45)), grain=float(rng.uniform(3, 9)))
    return lit, int(rng.integers(40, 75)), matrix


def draw_all(folder: Path, fonts: Path, split: Split, looks: tuple[str, ...], pages: int) -> None:
    """``pages`` pages of each look, countries in turn, and ``truth.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    lexicon, truths = bundled_lexicon(LEXICON), []
    for look in looks:
        rng = np.random.default_rng([split.seed, LOOKS.index(look)])
        writer = Writer(lexicon, split, rng)
        for number in range(pages):
            sheet = writer.sheet(STYLES[number % len(STYLES)])
            image, quality, truth = draw_page(sheet, split, look, fonts, rng)
            stem = f"{LOOKS.index(look)}-{number + 1:03}"
            file = f"{stem}.png" if quality is None else f"{stem}.jpg"
            image.save(folder / file, **({"compress_level": 1} if quality is None else {"quality": quality}))
            truths.append({"file": file, **truth})
    (folder / "truth.json").write_text(json.dumps(truths), encoding="utf-8")
