"""The choice of a page reader by name (docs/adr/0004-page-reading-engine.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prescriptions.easyocr_reader import EasyOCRReader
from prescriptions.rapidocr_reader import RapidOCRReader
from prescriptions.tesseract_reader import TesseractReader
from protocol.errors import ConfigError

if TYPE_CHECKING:
    from prescriptions.reading import PageReader

DEFAULT_READER = "rapidocr"
READERS = ("rapidocr", "easyocr", "tesseract")


def make_reader(name: str = DEFAULT_READER, *, threads: int = 1) -> PageReader:
    """A reader whose engine starts at its first page.

    Args:
        name: Of ``READERS``.
        threads: For the engine, at least 1.

    Raises:
        ConfigError: There is no such reader, or it is not installed.
    """
    if name == "rapidocr":
        return RapidOCRReader(threads=threads)
    if name == "easyocr":
        return EasyOCRReader(threads=threads)
    if name == "tesseract":
        return TesseractReader(threads=threads)
    raise ConfigError(f"there is no page reader {name!r}", hint=f"use one of {', '.join(READERS)}")
