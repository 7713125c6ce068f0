"""What a page reader promises. Its engines are in ``rapidocr_reader``, ``easyocr_reader`` and ``tesseract_reader``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from prescriptions.box import Box


@dataclass(frozen=True, slots=True)
class ReadWord:
    """One word as the engine read it."""

    text: str
    """Without spaces at the ends; never empty."""
    confidence: float
    """0 to 1, the engine's own."""
    box: Box
    """Tight around the ink, in pixels of the picture that was read."""
    line: int
    """0-based, from top to bottom; words of one line are ordered from left to right."""


class PageReader(Protocol):
    """Finds and reads the words of a page. Not safe for use by several threads at once."""

    @property
    def name(self) -> str:
        """The engine and its version, such as ``rapidocr 3.10.0``."""
        ...

    @property
    def turned_below(self) -> float:
        """Mean confidence of a page, 0 to 1, below which it probably lies on its side or upside down."""
        ...

    def read(self, image: NDArray[np.uint8]) -> tuple[ReadWord, ...]:
        """The words of a grey picture, uint8 [height, width], by line and then from left to right.

        Raises:
            PrescriptionError: The engine cannot be started or failed on this picture.
        """
        ...
