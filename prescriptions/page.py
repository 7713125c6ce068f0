"""The decoded page."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from protocol.identifiers import Digest, digest_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prescriptions.box import Box


@dataclass(frozen=True, slots=True)
class LayerWord:
    """A word of a PDF's text layer: what the file claims, not what the page shows."""

    text: str
    """Without spaces; never empty."""
    box: Box
    """In pixels of the page."""


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """One page as pixels. Make it with ``page_of``."""

    pixels: NDArray[np.uint8]
    """Shape [height, width] for grey or [height, width, 3] for RGB; read-only."""
    digest: Digest
    """Over shape and pixels: a file that decodes to the same pixels is an exact duplicate."""
    number: int
    """1-based within its file."""
    orientation: int = 1
    """The EXIF orientation that was applied, 1 (none) to 8."""
    layer: tuple[LayerWord, ...] = ()
    """Of a PDF with a text layer; not in the digest."""


def page_of(
    pixels: NDArray[np.uint8], *, number: int = 1, orientation: int = 1, layer: tuple[LayerWord, ...] = ()
) -> Page:
    """A page from pixels, which are copied only where they are not contiguous, and set read-only.

    Args:
        pixels: uint8, shape [height, width] or [height, width, 3], neither side zero.
        number: 1-based within the file.
        orientation: The EXIF orientation that was applied.
        layer: Words of the text layer.

    Raises:
        ValueError: Another dtype or shape; a caller's bug.
    """
    if pixels.dtype != np.uint8 or 0 in pixels.shape or not (pixels.ndim == 2 or pixels.shape[2:] == (3,)):
        raise ValueError(f"a page is uint8 [h, w] or [h, w, 3], not {pixels.dtype} {pixels.shape}")
    fixed = np.ascontiguousarray(pixels)
    fixed.flags.writeable = False
    height, width = fixed.shape[:2]
    channels = 1 if fixed.ndim == 2 else 3
    digest = digest_of("page-pixels", struct.pack("<III", height, width, channels), fixed.tobytes())
    return Page(fixed, digest, number, orientation, layer)
