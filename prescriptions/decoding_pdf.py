"""PDF, by PDFium: each page as pixels, and the words of its text layer with their places.

What the layer says is only what the file claims; ``text_layer`` decides whether it is believed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pypdfium2

from prescriptions import quarantine
from prescriptions.decoding import DecodedPage, check_pages
from protocol.errors import QuarantinedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prescriptions.decoding import Limits

MAX_LAYER_CHARACTERS = 20_000
"""Of one page; with more the layer is left out."""
_POINTS_PER_INCH = 72
_LINE_FEED = 0.5
"""Of a character's height: a step down by more begins a new word."""


def decode_pdf(content: bytes, limits: Limits) -> Iterator[DecodedPage]:
    """The pages of a PDF.

    Args:
        content: The whole file.
        limits: What it may cost.

    Raises:
        QuarantinedError: The content is refused.
    """
    try:
        document = pypdfium2.PdfDocument(content)
        check_pages(len(document), "PDF", limits)
        for index in range(len(document)):
            page = document[index]
            width, height = page.get_size()
            if not (math.isfinite(width) and math.isfinite(height) and min(width, height) > 0):
                raise QuarantinedError(quarantine.CORRUPT, "a page of the PDF has no size", hint="export it again")
            scale = min(limits["dots_per_inch"] / _POINTS_PER_INCH, limits["max_side"] / max(width, height))
            bitmap = page.render(scale=scale, rev_byteorder=True)
            image = bitmap.to_pil().convert("RGB")
            yield DecodedPage(image, layer=tuple(_words(page, bitmap.get_posconv(page), image.size)))
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise QuarantinedError(
                quarantine.PASSWORD_PROTECTED, "the PDF is protected by a password", hint="save it without one"
            ) from error
        raise QuarantinedError(quarantine.CORRUPT, "the PDF is damaged", hint="export it again") from error


def _words(page: Any, places: Any, size: tuple[int, int]) -> Iterator[tuple[str, tuple[int, int, int, int]]]:
    layer = page.get_textpage()
    count = layer.count_chars()
    if not 0 < count <= MAX_LAYER_CHARACTERS:
        return
    text, edges = "", (0, 0, 0, 0)
    for index in range(count):
        character = layer.get_text_range(index, 1)
        box = _box(layer.get_charbox(index, loose=True), places, size)
        if box is None or character.isspace() or not character.isprintable():
            if text:
                yield text, edges
            text = ""
        elif text and not _continues(edges, box):
            yield text, edges
            text, edges = character, box
        else:
            edges = box if not text else _around(edges, box)
            text += character
    if text:
        yield text, edges


def _box(points: tuple[float, ...], places: Any, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """The box of a character in pixels; None where it lies outside of the page or has no size."""
    if not all(map(math.isfinite, points)):
        return None
    corners = [places.to_bitmap(points[x], points[y]) for x, y in ((0, 1), (2, 3))]
    (left, right), (top, bottom) = (sorted(values) for values in zip(*corners, strict=True))
    left, top, right, bottom = max(0, left), max(0, top), min(size[0], right + 1), min(size[1], bottom + 1)
    return (left, top, right, bottom) if left < right and top < bottom else None


def _continues(word: tuple[int, int, int, int], box: tuple[int, int, int, int]) -> bool:
    """Whether a character stands beside the word so far, and not a line below or across a gap."""
    height = max(word[3] - word[1], box[3] - box[1])
    beside = max(word[1], box[1]) <= min(word[3], box[3]) + _LINE_FEED * height
    return beside and -height <= box[0] - word[2] <= height


def _around(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])
