"""Drawing for the synthetic pages: fonts, handwriting, paper and light. No file is written here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

PRINT_FONT = "open-sans"
TEST_FONTS = ("bad-script", "covered-by-your-grace", "gloria-hallelujah", "homemade-apple")
"""Only the test words are written in these: no site's page and no pre-training shows them."""
PRETRAINING_FONTS = ("coming-soon", "dancing-script", "kalam", "patrick-hand")
"""Kept free for rendered pre-training."""
SITE_FONTS = (
    ("caveat", "handlee", "la-belle-aurore"),
    ("architects-daughter", "indie-flower", "reenie-beanie"),
    ("cedarville-cursive", "schoolbell", "shadows-into-light"),
    ("just-another-hand", "nothing-you-could-do", "rock-salt"),
)
"""Three writers a site; with more than four sites the triples repeat."""
INKS = ((24, 28, 96), (20, 20, 24), (16, 44, 120), (44, 44, 58), (60, 20, 70))


@dataclass(frozen=True, slots=True)
class Box:
    """Pixels, left and top inside, right and bottom outside."""

    left: float
    top: float
    right: float
    bottom: float

    def corners(self) -> NDArray[np.float64]:
        """Shape [4, 2], x and y."""
        left, top, right, bottom = self.left, self.top, self.right, self.bottom
        return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


@lru_cache(maxsize=512)
def load_font(fonts: Path, family: str, size: int, weight: int = 400) -> ImageFont.FreeTypeFont:
    """A font of an installed ``@fontsource`` package, at a size in pixels."""
    file = fonts / "@fontsource" / family / "files" / f"{family}-latin-{weight}-normal.woff2"
    return ImageFont.truetype(str(file), size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=512)
def load_hand(fonts: Path, family: str, x_height: int) -> ImageFont.FreeTypeFont:
    """A handwriting font at the size that makes its small letters ``x_height`` pixels high."""
    probe = load_font(fonts, family, 100).getbbox("xzn")
    return load_font(fonts, family, max(8, round(100 * x_height / (probe[3] - probe[1]))))


def write(draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, font: ImageFont.FreeTypeFont,
          ink: tuple[int, int, int]) -> Box:  # fmt: skip
    """Writes with the baseline at ``at``; returns the box of the ink."""
    draw.text(at, text, font=font, fill=ink, anchor="ls")
    return Box(*(float(value) for value in draw.textbbox(at, text, font=font, anchor="ls")))


@dataclass(frozen=True, slots=True)
class Hand:
    """How one writer bends a font on one page; the same font never looks the same twice."""

    slant: float
    """Sideways shift for every pixel upwards."""
    squeeze: float
    """Width against the font's own."""
    wobble: float
    """Displacement of strokes against the height of small letters."""
    thickness: int
    """Of the strokes: -1 thinner, 0 as the font is, 1 thicker."""


def take_pen(rng: np.random.Generator) -> Hand:
    """A writer's habits for one page."""
    return Hand(
        slant=float(rng.uniform(-0.2, 0.45)),
        squeeze=float(rng.uniform(0.62, 1.0)),
        wobble=float(rng.uniform(0.1, 0.24)),
        thickness=int(rng.choice([-1, 0, 0, 1])),
    )


def write_by_hand(
    canvas: Image.Image,
    at: tuple[float, float],
    text: str,
    font: ImageFont.FreeTypeFont,
    ink: tuple[int, int, int],
    hand: Hand,
    rng: np.random.Generator,
    *,
    care: float = 0.0,
) -> Box:
    """Writes with the baseline at ``at`` and bends what is written; returns the box of the ink.

    Args:
        canvas: RGB; drawn upon.
        at: Left end of the baseline.
        text: One word.
        font: From ``load_hand``.
        ink: RGB.
        hand: The writer.
        rng: Where every random number comes from.
        care: 0 for a hurried word, 1 for the font as it is; prescribers write doses with more care than names.
    """
    left, top, right, bottom = font.getbbox(text, anchor="ls")
    small = float(np.ptp(np.asarray(font.getbbox("x"))[[1, 3]]))
    edge = int(1.2 * small) + 6
    mask = Image.new("L", (int(right - left) + 2 * edge, int(bottom - top) + 2 * edge))
    ImageDraw.Draw(mask).text((edge - left, edge - top), text, font=font, fill=255, anchor="ls")
    bent = _bend(np.asarray(mask), edge - top, small, hand, rng, 1 - care)
    x, y = round(at[0] - edge + left), round(at[1] - (edge - top))
    canvas.paste(ink, (x, y), Image.fromarray(bent))
    rows, columns = np.flatnonzero((bent > 90).any(axis=1)), np.flatnonzero((bent > 90).any(axis=0))
    return Box(float(x + columns[0]), float(y + rows[0]), float(x + columns[-1] + 1), float(y + rows[-1] + 1))


def _bend(mask: NDArray[np.uint8], baseline: float, small: float, hand: Hand, rng: np.random.Generator,
          haste: float) -> NDArray[np.uint8]:  # fmt: skip
    """Slants, squeezes, wobbles and fades a word's ink."""
    height, width = mask.shape
    grid = (max(3, round(width / (0.9 * small))), max(3, round(height / (0.9 * small))))
    sway, fade = (
        cv2.resize(rng.standard_normal((grid[1], grid[0], 2), dtype=np.float32), (width, height),
                   interpolation=cv2.INTER_CUBIC)
        for _ in range(2)
    )  # fmt: skip
    reach = hand.wobble * small * haste
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    squeeze = 1 - (1 - hand.squeeze) * haste
    source_x = (x - width / 2 + hand.slant * haste * (y - baseline)) / squeeze + width / 2 + reach * sway[..., 0]
    source_y = y + reach * sway[..., 1]
    bent = cv2.remap(mask, source_x.astype(np.float32), source_y.astype(np.float32), cv2.INTER_LINEAR)
    if hand.thickness:
        change = cv2.erode if hand.thickness < 0 else cv2.dilate
        changed = change(bent, np.ones((2, 2), np.uint8))
        bent = cv2.addWeighted(bent, 0.45, changed, 0.55, 0)
    pressure = np.clip(0.86 + 0.16 * fade[..., 0] * haste, 0.45, 1)
    return (bent * pressure).astype(np.uint8)


def scribble(draw: ImageDraw.ImageDraw, at: tuple[float, float], ink: tuple[int, int, int],
             rng: np.random.Generator) -> None:  # fmt: skip
    """A signature: one wandering line."""
    steps = np.linspace(0, 1, 60)
    waves = rng.uniform(1.5, 4.5, 2)
    x = at[0] + 150 * steps + 16 * np.sin(2 * np.pi * waves[0] * steps)
    y = at[1] + 20 * np.sin(2 * np.pi * waves[1] * steps + rng.uniform(0, 3)) * (1 - 0.6 * steps)
    draw.line(list(zip(x.tolist(), y.tolist(), strict=True)), fill=ink, width=2, joint="curve")


def turn(image: Image.Image, degrees: float, boxes: list[Box], paper: tuple[int, int, int]
         ) -> tuple[Image.Image, list[Box]]:  # fmt: skip
    """Rotates a page about its centre and gives the upright boxes of the turned words."""
    centre = (image.width / 2, image.height / 2)
    matrix = cv2.getRotationMatrix2D(centre, degrees, 1.0)
    turned = cv2.warpAffine(np.asarray(image), matrix, image.size, flags=cv2.INTER_LINEAR, borderValue=paper)
    moved = []
    for box in boxes:
        points = box.corners() @ matrix[:, :2].T + matrix[:, 2]
        low, high = points.min(axis=0), points.max(axis=0)
        moved.append(Box(round(float(low[0]), 1), round(float(low[1]), 1), round(float(high[0]), 1),
                         round(float(high[1]), 1)))  # fmt: skip
    return Image.fromarray(turned), moved


def photograph(image: Image.Image, rng: np.random.Generator, *, light: float, grain: float) -> Image.Image:
    """Uneven light, slight blur and sensor grain, as a phone or a cheap scanner leaves them.

    Args:
        image: RGB.
        rng: Where every random number comes from.
        light: Depth of the shadow at the darkest corner, 0 to 1.
        grain: Standard deviation of the noise, in grey levels.
    """
    height, width = image.height, image.width
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-1:1:33j, -1:1:33j].astype(np.float32)
    slope = (np.cos(angle) * x + np.sin(angle) * y) / np.sqrt(2)
    shade = cv2.resize(1 - light * (0.5 + 0.5 * slope) ** 2, (width, height), interpolation=cv2.INTER_LINEAR)
    noise = rng.standard_normal((height, width), dtype=np.float32) * grain
    pixels = cv2.GaussianBlur(np.asarray(image), (0, 0), float(rng.uniform(0.35, 0.75))).astype(np.float32)
    pixels *= shade[..., None]
    pixels += noise[..., None]
    return Image.fromarray(np.clip(pixels, 0, 255, out=pixels).astype(np.uint8))


def draw_word(fonts: Path, family: str, text: str, rng: np.random.Generator) -> Image.Image:
    """One handwritten word as a grey crop with a narrow margin."""
    font = load_hand(fonts, family, int(rng.integers(13, 21)))
    left, top, right, bottom = font.getbbox(text, anchor="ls")
    margin = 60
    paper = int(rng.integers(225, 253))
    canvas = Image.new("RGB", (int(right - left) + 2 * margin, int(bottom - top) + 2 * margin), (paper,) * 3)
    ink = INKS[rng.integers(len(INKS))]
    box = write_by_hand(canvas, (margin - left, margin - top), text, font, ink, take_pen(rng), rng)
    canvas, (box,) = turn(canvas, float(rng.uniform(-2.5, 2.5)), [box], (paper,) * 3)
    canvas = photograph(canvas, rng, light=float(rng.uniform(0, 0.25)), grain=float(rng.uniform(1, 6)))
    edge = int(rng.integers(2, 8))
    return canvas.convert("L").crop(
        (int(box.left) - edge, int(box.top) - edge, int(box.right) + edge, int(box.bottom) + edge)
    )
