"""Tesseract through its command line: quick and good on flat typed pages, poor on handwriting; a system package."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from prescriptions.box import Box, around
from prescriptions.word_split import ReadLine, ink_of, words_of
from protocol.errors import ConfigError, PrescriptionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from prescriptions.reading import ReadWord

_WORD_LEVEL = "5"
_TIMEOUT_SECONDS = 120.0
_DOTS_PER_INCH = "200"
"""What a prepared page roughly has; without it Tesseract guesses."""


class TesseractReader:
    """A ``PageReader``. Each page is one run of the program, which gets it on standard input.

    Args:
        threads: Of the program.
        min_confidence: Words below this are dropped, 0 to 1.

    Raises:
        ConfigError: The program is not installed.
    """

    def __init__(self, *, threads: int = 1, min_confidence: float = 0.1) -> None:
        found = shutil.which("tesseract")
        if found is None:
            raise ConfigError(
                "the page reader tesseract is not installed",
                hint="apt-get install tesseract-ocr, or set engine to rapidocr or easyocr",
            )
        self._program = Path(found)
        self._threads = threads
        self._min_confidence = min_confidence
        self._version = ""

    @property
    def name(self) -> str:
        """Engine and version."""
        if not self._version:
            first = self._run(["--version"], b"").decode("utf-8", "replace").splitlines()[:1]
            self._version = " ".join(first).strip() or "tesseract"
        return self._version

    @property
    def turned_below(self) -> float:
        """As ``PageReader.turned_below``; measured on drawn pages."""
        return 0.62

    def read(self, image: NDArray[np.uint8]) -> tuple[ReadWord, ...]:
        """As ``PageReader.read``."""
        height, width = image.shape
        picture = b"P5 %d %d 255\n" % (width, height) + np.ascontiguousarray(image).tobytes()
        answer = self._run(["stdin", "stdout", "-l", "eng", "--dpi", _DOTS_PER_INCH, "tsv"], picture)
        return words_of(_lines(answer.decode("utf-8", "replace"), image.shape, self._min_confidence), ink_of(image))

    def _run(self, arguments: Sequence[str], picture: bytes) -> bytes:
        environment = {"PATH": os.defpath, "OMP_THREAD_LIMIT": str(self._threads), "LC_ALL": "C.UTF-8"}
        try:
            done = subprocess.run(  # noqa: S603 - the program that the operator chose; the page is on standard input
                [self._program, *arguments],
                input=picture,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # complaints may quote the page, and logs hold no patient data
                env=environment,
                timeout=_TIMEOUT_SECONDS,
                check=True,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise PrescriptionError(
                f"tesseract failed on a page ({type(error).__name__})", hint="read it with rapidocr"
            ) from error
        return done.stdout


def _lines(table: str, shape: tuple[int, ...], min_confidence: float) -> list[ReadLine]:
    rows = csv.DictReader(table.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    words = [row for row in rows if row.get("level") == _WORD_LEVEL and (row.get("text") or "").strip()]
    try:
        sure = [row for row in words if float(row["conf"]) >= 100 * min_confidence]
        return [_line(list(line), shape) for _, line in groupby(sure, key=_line_of)]
    except (KeyError, ValueError, TypeError) as error:
        raise PrescriptionError("tesseract gave an answer that is no table", hint="read it with rapidocr") from error


def _line_of(row: dict[str, str]) -> tuple[str, str, str]:
    return row["block_num"], row["par_num"], row["line_num"]


def _line(words: list[dict[str, str]], shape: tuple[int, ...]) -> ReadLine:
    boxes = [_box(word, shape) for word in words]
    texts = ["".join(word["text"].split()) for word in words]
    centres = [
        box.left + (index + 0.5) * box.width / len(text)
        for text, box in zip(texts, boxes, strict=True)
        for index in range(len(text))
    ]
    sure = [float(word["conf"]) / 100 for word, text in zip(words, texts, strict=True) for _ in text]
    return ReadLine(" ".join(texts), around(boxes), tuple(centres), tuple(sure))


def _box(word: dict[str, str], shape: tuple[int, ...]) -> Box:
    left, top, width, height = (int(word[key]) for key in ("left", "top", "width", "height"))
    left, top = min(max(0, left), shape[1] - 1), min(max(0, top), shape[0] - 1)
    return Box(left, top, max(left + 1, min(left + width, shape[1])), max(top + 1, min(top + height, shape[0])))
