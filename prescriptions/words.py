"""Crops of single words: what a person reviews, and what trains once reviewed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from prescriptions.box import Box
from prescriptions.word_split import ink_of
from protocol.errors import PrescriptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prescriptions.preprocess import PreparedPage

MAX_CROP_SIDE = 4096
_PNG_HEADER_BYTES = 24


@dataclass(frozen=True, slots=True, eq=False)
class WordCrop:
    """One word of a page, straightened and evenly lit."""

    pixels: NDArray[np.uint8]
    """Grey, shape [height, width], dark ink on light paper, a narrow margin; read-only."""
    box: Box
    """The word's ink in pixels of the page as it was loaded."""


def crop_word(prepared: PreparedPage, box: Box, page_shape: tuple[int, ...]) -> WordCrop:
    """Cuts a word out of a prepared page; the margin around it holds paper and nothing of a neighbour.

    Args:
        prepared: Where the word was read.
        box: Tight around its ink, in prepared pixels.
        page_shape: Shape of the page as it was loaded; its box is given in these pixels.
    """
    height, width = prepared.grey.shape
    around = box.grown(max(3, box.height // 8), width, height)
    word = Box(box.left - around.left, box.top - around.top, box.right - around.left, box.bottom - around.top)
    pixels = _alone(prepared.grey[around.top : around.bottom, around.left : around.right], word)
    pixels.flags.writeable = False
    return WordCrop(pixels, box.moved(prepared.to_page, page_shape[1], page_shape[0]))


def _alone(pixels: NDArray[np.uint8], word: Box) -> NDArray[np.uint8]:
    """A copy in which strokes that lie mostly outside of the word's box are painted over with paper."""
    ink = ink_of(pixels)
    count, labels = cv2.connectedComponents(ink.astype(np.uint8), connectivity=8)
    inside = labels[word.top : word.bottom, word.left : word.right]
    total, own = (np.bincount(part.ravel(), minlength=count) for part in (labels, inside))
    foreign = 2 * own < total
    foreign[0] = False
    copy = pixels.copy()
    if foreign.any() and not ink.all():
        # A stroke's soft edge goes with it.
        touched = cv2.dilate(foreign[labels].astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.bool_)
        touched[word.top : word.bottom, word.left : word.right] &= foreign[inside]
        copy[touched] = np.uint8(np.median(pixels[~ink]))
    return copy


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """A grey crop as PNG, without metadata.

    Args:
        pixels: uint8, shape [height, width], neither side zero or over 4096.

    Raises:
        ValueError: Another dtype or shape; a caller's bug.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 2 or not 0 < min(pixels.shape) <= max(pixels.shape) <= MAX_CROP_SIDE:
        raise ValueError(f"a crop is grey uint8 of at most {MAX_CROP_SIDE} a side, not {pixels.dtype} {pixels.shape}")
    return cv2.imencode(".png", pixels)[1].tobytes()


def decode_png(content: bytes) -> NDArray[np.uint8]:
    """The pixels of a crop that ``encode_png`` wrote; grey uint8, read-only.

    Raises:
        PrescriptionError: Not the PNG of a crop, or damaged.
    """
    size = [int.from_bytes(content[start : start + 4], "big") for start in (16, 20)]  # IHDR: width, height
    plausible = content.startswith(b"\x89PNG\r\n\x1a\n") and len(content) > _PNG_HEADER_BYTES
    if not plausible or not 0 < min(size) <= max(size) <= MAX_CROP_SIDE:
        raise PrescriptionError("these bytes are no word crop", hint="the store is damaged: import the page again")
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
    if pixels is None:
        raise PrescriptionError("a word crop is damaged", hint="the store is damaged: import the page again")
    grey = np.asarray(pixels, dtype=np.uint8)
    grey.flags.writeable = False
    return grey
