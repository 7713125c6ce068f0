"""One picture of how a page was read: the stages, the page with what was found on it, and a card for each medicine."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from prescriptions import inspection_drawing as ink
from prescriptions.inspection_drawing import Pen
from prescriptions.preprocess import DONE, IDLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from prescriptions.box import Box
    from prescriptions.inspection_evidence import LineView
    from prescriptions.page import Page
    from prescriptions.pipeline import ExaminedPage

_WIDTH, _MARGIN, _GAP = 2000, 40, 20
_TITLE_HEIGHT = 110
_STAGES_IN_ROW, _STAGE_HEIGHT, _CAPTION_HEIGHT = 5, 330, 62
_PANEL_WIDTH = 700
_LEGEND_HEIGHT = 50
_CARD_HEAD, _CANDIDATE_HEIGHT, _CHIP_HEIGHT, _FLAG_HEIGHT = 112, 30, 40, 38
_CANDIDATES = 4
_MAX_HEIGHT = 12_000
_EXIF = {1: "as stored", 2: "mirrored", 3: "turned by 180°", 4: "mirrored", 5: "mirrored and turned",
         6: "turned by 90°", 7: "mirrored and turned", 8: "turned by 90°"}  # fmt: skip


def contact_sheet(page: Page, examined: ExaminedPage, lines: Sequence[LineView]) -> bytes:
    """The picture as PNG. It shows a patient's page in clear.

    Args:
        page: As it was loaded.
        examined: With the views of the stages.
        lines: Of ``inspection_evidence.line_views``.
    """
    height, width = examined.prepared.grey.shape
    page_width = _WIDTH - 2 * _MARGIN - _GAP - _PANEL_WIDTH
    rows = math.ceil((len(examined.prepared.views) + 2) / _STAGES_IN_ROW)
    stages_bottom = _TITLE_HEIGHT + rows * (_STAGE_HEIGHT + _GAP)
    measure = Pen.on(Image.new("RGB", (1, 1)))
    cards = sum(_card_height(measure, line) + _GAP for line in lines)
    main_height = min(_MAX_HEIGHT, max(round(height * page_width / width), cards, 200))
    total = stages_bottom + _LEGEND_HEIGHT + main_height + _MARGIN
    picture = Image.new("RGB", (_WIDTH, total), ink.DESK)
    pen = Pen.on(picture)
    _title(pen, page, examined, len(lines))
    _stages(pen, page, examined)
    _legend(pen, stages_bottom + 10)
    top = stages_bottom + _LEGEND_HEIGHT
    _page(pen, examined, lines, (_MARGIN, top, _MARGIN + page_width, top + main_height))
    _cards(pen, lines, _MARGIN + page_width + _GAP, top)
    stream = io.BytesIO()
    picture.save(stream, "PNG", optimize=False)
    return stream.getvalue()


def _title(pen: Pen, page: Page, examined: ExaminedPage, medicines: int) -> None:
    pen.text((_MARGIN, 26), "How this page was read", 34, bold=True)
    height, width = page.pixels.shape[:2]
    facts = f"page {page.number}   ·   {width} x {height} pixels   ·   {examined.source}   ·   "
    facts += f"{examined.seconds:.1f} s in all   ·   {len(examined.words)} words   ·   {medicines} medicines"
    pen.text((_MARGIN, 70), facts, 20, ink.SOFT)
    pen.text_to(_WIDTH - _MARGIN, 32, "A patient's page in clear: delete it when you are done", 20, ink.WARNING)


def _stages(pen: Pen, page: Page, examined: ExaminedPage) -> None:
    shown: list[tuple[str, str, NDArray[np.uint8], str, str]] = [
        ("orientation", f"EXIF: {_EXIF[page.orientation]}", page.pixels, "", DONE if page.orientation != 1 else IDLE)
    ]
    shown += [
        (view.name, view.says, view.grey, f"{view.milliseconds:.0f} ms", view.state) for view in examined.prepared.views
    ]
    shown.append(("words", "lines and words in the ink", _blocks(examined), "", DONE))
    width = (_WIDTH - 2 * _MARGIN - (_STAGES_IN_ROW - 1) * _GAP) // _STAGES_IN_ROW
    for number, (name, says, pixels, took, state) in enumerate(shown):
        left = _MARGIN + (number % _STAGES_IN_ROW) * (width + _GAP)
        top = _TITLE_HEIGHT + (number // _STAGES_IN_ROW) * (_STAGE_HEIGHT + _GAP)
        pen.panel((left, top, left + width, top + _STAGE_HEIGHT))
        inner = (left + 10, top + 10, left + width - 10, top + _STAGE_HEIGHT - _CAPTION_HEIGHT)
        across, down, scale = pen.paste(pixels, inner)
        edge = (across, down, across + pixels.shape[1] * scale, down + pixels.shape[0] * scale)
        pen.draw.rectangle(edge, outline=ink.FAINT)
        caption = top + _STAGE_HEIGHT - _CAPTION_HEIGHT + 6
        pen.text(
            (left + 14, caption),
            f"{number + 1}  {name}",
            21,
            ink.INK if state == DONE else ink.SOFT,
            bold=state == DONE,
        )
        pen.text((left + 14, caption + 28), says if state == DONE else f"{says}: {state}", 17, ink.SOFT)
        pen.text_to(left + width - 14, caption + 3, took, 18)


def _blocks(examined: ExaminedPage) -> NDArray[np.uint8]:
    """The page with every line and word of the ink as a block of colour."""
    height, width = examined.prepared.grey.shape
    picture = Image.new("RGB", (width, height), ink.SHEET)
    draw = ImageDraw.Draw(picture)
    for line, words in zip(examined.segments.lines, examined.segments.words, strict=True):
        draw.rectangle((line.left, line.top, line.right, line.bottom), fill=ink.tint(ink.LINE, 0.35))
        for word in words:
            draw.rectangle((word.left, word.top, word.right, word.bottom), fill=ink.LINE)
    return np.asarray(picture, dtype=np.uint8)


def _legend(pen: Pen, top: int) -> None:
    entries = [("line", ink.LINE), ("word", ink.WORD), ("medicine", ink.MEDICINE), *ink.ENTITY.items()]
    left = float(_MARGIN)
    for label, colour in [*entries, ("other", ink.OTHER_ENTITY)]:
        pen.draw.rounded_rectangle((left, top + 6, left + 26, top + 22), radius=4, outline=colour, width=3)
        left += 34
        left += pen.text((left, top + 3), label, 19, ink.SOFT) + 26


def _page(pen: Pen, examined: ExaminedPage, lines: Sequence[LineView], box: tuple[int, int, int, int]) -> None:
    grey = examined.prepared.grey
    left, top, right, _ = box
    scale = (right - left) / grey.shape[1]
    bottom = min(box[3], top + round(grey.shape[0] * scale))
    across, down, scale = pen.paste(grey, (left, top, right, bottom))

    def frame(found: Box, colour: ink.Colour, width: int, grow: int) -> tuple[float, float, float, float]:
        sides = (
            across + found.left * scale - grow,
            down + found.top * scale - grow,
            across + found.right * scale + grow,
            down + found.bottom * scale + grow,
        )
        pen.draw.rounded_rectangle(sides, radius=5, outline=colour, width=width)
        return sides

    for line in examined.segments.lines:
        frame(line, ink.LINE, 2, 6)
    for word in examined.words:
        frame(word.box, ink.WORD, 1, 2)
    for number, view in enumerate(lines, start=1):
        for entity in view.entities:
            for found in entity.boxes:
                frame(found, ink.ENTITY.get(entity.kind, ink.OTHER_ENTITY), 2, 3)
        sides = frame(view.box, ink.MEDICINE, 3, 4)
        pen.badge((sides[0], sides[1]), str(number))


def _cards(pen: Pen, lines: Sequence[LineView], left: int, top: int) -> None:
    if not lines:
        pen.panel((left, top, left + _PANEL_WIDTH, top + 90))
        pen.text((left + 24, top + 32), "No medicine was found on this page.", 22, ink.SOFT)
    for number, line in enumerate(lines, start=1):
        height = _card_height(pen, line)
        if top + height > pen.picture.height:
            return
        _card(pen, number, line, left, top, height)
        top += height + _GAP


def _card_height(pen: Pen, line: LineView) -> int:
    names = max(1, len(line.candidates[:_CANDIDATES]))
    model = 0 if line.model_round is None else 34 + _CANDIDATE_HEIGHT * max(1, len(line.model_candidates))
    chips = len(_chip_rows(pen, line)) * _CHIP_HEIGHT
    return _CARD_HEAD + 34 + names * _CANDIDATE_HEIGHT + model + chips + (_FLAG_HEIGHT if line.flags else 0) + 20


def _card(pen: Pen, number: int, line: LineView, left: int, top: int, height: int) -> None:
    right = left + _PANEL_WIDTH
    pen.panel((left, top, right, top + height))
    pen.badge((left + 32, top + 52), str(number))
    pen.paste(line.crop, (left + 64, top + 16, left + 344, top + 92))
    pen.text((left + 372, top + 22), pen.fitted(line.text, 26, right - left - 392), 26, bold=True)
    pen.text((left + 372, top + 58), f"as read, {line.confidence:.0%} sure", 19, ink.SOFT)
    down = top + _CARD_HEAD
    down = _names(pen, "names near to it", line.candidates[:_CANDIDATES], ink.MEDICINE, (left, down))
    if line.model_round is not None:
        heading = f"global model of round {line.model_round} reads “{line.model_text}”"
        down = _names(pen, heading, line.model_candidates, ink.MODEL, (left, down))
    for row in _chip_rows(pen, line):
        across = left + 24
        for label, value, colour in row:
            across += pen.chip((across, down + 4), label, value, colour) + 8
        down += _CHIP_HEIGHT
    if line.flags:
        pen.draw.rounded_rectangle((left + 16, down + 4, right - 16, down + 34), radius=8, fill=ink.WARNING_PAPER)
        text = pen.fitted("look at: " + ", ".join(line.flags), 18, _PANEL_WIDTH - 60)
        pen.text((left + 28, down + 9), text, 18, ink.WARNING)


def _names(
    pen: Pen, heading: str, names: Sequence[tuple[str, float]], colour: ink.Colour, place: tuple[int, int]
) -> int:
    left, down = place
    pen.text((left + 24, down), pen.fitted(heading, 18, _PANEL_WIDTH - 48), 18, ink.SOFT)
    down += 30
    for rank, (name, share) in enumerate(names):
        pen.text((left + 24, down), pen.fitted(name, 20, 330), 20, ink.INK if rank == 0 else ink.SOFT, bold=rank == 0)
        pen.bar((left + 370, down + 8), 220, share, colour if rank == 0 else ink.tint(colour, 0.45))
        pen.text_to(left + _PANEL_WIDTH - 24, down, f"{share:.0%}", 20)
        down += _CANDIDATE_HEIGHT
    if not names:
        pen.text((left + 24, down), "none", 20, ink.SOFT)
        down += _CANDIDATE_HEIGHT
    return down + 4


def _chip_rows(pen: Pen, line: LineView) -> list[list[tuple[str, str, ink.Colour]]]:
    rows: list[list[tuple[str, str, ink.Colour]]] = []
    used = float(_PANEL_WIDTH)
    for entity in line.entities:
        value = pen.fitted(f"{entity.value}  {entity.confidence:.0%}", 18, _PANEL_WIDTH - 200)
        width = pen.width(entity.kind, 16) + pen.width(value, 18) + 40
        if used + width > _PANEL_WIDTH - 40:
            rows.append([])
            used = 0
        rows[-1].append((entity.kind, value, ink.ENTITY.get(entity.kind, ink.OTHER_ENTITY)))
        used += width
    return rows
