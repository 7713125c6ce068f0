"""Pages that are full of private strings, in the places where they are hardest to keep apart from the medicines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SECRETS = (
    "01711555123",  # telephone
    "02002555014",  # the hospital's
    "46 Kingfisher Terrace",  # address
    "73 years",  # age
    "NID 8823417706",  # identity number
    "MRN 5561990",
    "A 48213",  # the doctor's registration
    "Okonkwo",  # the doctor, and the signature
    "wanjiru@mailbox.test",
    "desk@lakeview.test",
    "widowed teacher",  # free text
)
MEDICINES = ("Amoxicillin", "Cetirizine", "Atenolol", "Omeprazole", "Ibuprofen", "Metformin", "Losartan", "Diclofenac",
             "Ramipril")  # fmt: skip

_HEAD = (
    (36, 34, "Lakeview Hospital"),
    (82, 18, "Dr. B. Okonkwo, MBBS    Reg. No. A 48213    desk@lakeview.test"),
    (110, 18, "46 Kingfisher Terrace    Tel 02002555014"),
    (160, 22, "Name: Grace Walker    Age: 73 years"),
    (194, 22, "Phone: 01711555123    NID 8823417706"),
    (228, 22, "E-mail: wanjiru@mailbox.test    MRN 5561990"),
)
_FOOT = ((720, 24, "Okonkwo"), (756, 16, "A 48213"))
_BODIES = (
    # A free line, a number on the medicine's own line, private lines right above and below.
    ((330, 26, "1. Tab. {0} 500 mg   1+0+1   7 days"), (420, 26, "2. Tab. {1} 10 mg  od  01711555123"),
     (452, 20, "MRN 5561990  46 Kingfisher Terrace"), (480, 26, "3. Tab. {2} 50 mg  bd  x 5 days")),
    # Private words to the right of and stuck under the names.
    ((330, 26, "Tab. {0} 20 mg  widowed teacher, 73 years"), (360, 18, "Phone 01711555123"),
     (430, 26, "Tab. {1} 400 mg tds  wanjiru@mailbox.test"), (520, 26, "Tab. {2} 500 mg bd 8823417706")),
    ((330, 26, "1. Tab. {0} 50 mg od"), (362, 26, "   46 Kingfisher Terrace"), (420, 26, "2. Tab. {1} 50 mg"),
     (452, 26, "   1+0+1  7 days  Okonkwo"), (520, 26, "3. Cap. {2} 5 mg  hs  A 48213")),
)  # fmt: skip


PRINTED = "printed"
HANDS = ("architects-daughter", "coming-soon", "handlee", "indie-flower", "kalam", "patrick-hand", "schoolbell")
FOOT = 0.85
"""From this share of a page's height on there is nothing but signature and registration."""
_FONTS = Path(__file__).parents[2] / "fonts" / "node_modules" / "@fontsource"
_HAND_SCALE = 1.4


def page_lines(body: int) -> list[tuple[int, int, str]]:
    """Top, height and text of every line of a page with one of the three bodies."""
    names = MEDICINES[3 * body : 3 * body + 3]
    lines = [(top, height, text.format(*names)) for top, height, text in _BODIES[body]]
    return [*_HEAD, *lines, *_FOOT]


def draw_pages(folder: Path, hands: Sequence[str] = (PRINTED,)) -> list[Path]:
    """Three pages of each hand as PNG files, each signed by a scribble beside the doctor's name."""
    paths = []
    for hand in hands:
        for body in range(len(_BODIES)):
            paths.append(folder / f"{hand}-{body}.png")
            _draw_page(hand, body).save(paths[-1])
    return paths


def _draw_page(hand: str, body: int) -> Image.Image:
    scale = 1.0 if hand == PRINTED else _HAND_SCALE
    page = Image.new("RGB", (round(700 * scale), round(820 * scale)), (244, 244, 240))
    pen = ImageDraw.Draw(page)
    for top, height, text in page_lines(body):
        pen.text((40, top * scale), text, font=_face(hand, round(height * scale)), fill=(20, 20, 60))
    strokes = np.random.default_rng(body).integers((360, 715), (640, 790), (14, 2)) * scale
    pen.line([tuple(point) for point in strokes.tolist()], fill=(20, 20, 60), width=3, joint="curve")
    return page


def _face(hand: str, height: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    if hand == PRINTED:
        return ImageFont.load_default(height)
    return ImageFont.truetype(str(_FONTS / hand / "files" / f"{hand}-latin-400-normal.woff2"), height)
