"""A file becomes pages. The bytes are decoded in a process of their own: ``worker`` says what it may do.

Nothing decoded touches the disk: the file goes in on standard input, pixels come back on standard output.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from prescriptions import quarantine
from prescriptions.box import Box
from prescriptions.page import LayerWord, Page, page_of
from protocol.errors import PrescriptionError, QuarantinedError

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_HEADER_BYTES = 4096
_PACKAGE_PARENT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class LoadLimits:
    """What a file may cost. The defaults suit phone photos and scans of a few pages."""

    max_bytes: int = 50 * 2**20
    """Of the file."""
    max_pixels: int = 60_000_000
    """Of an image as its header states it; read before anything is decoded."""
    max_pages: int = 16
    """Of a PDF, a TIFF or a DICOM object."""
    max_side: int = 3000
    """Pixels; larger pages are scaled down after decoding, PDF pages are rendered no larger."""
    dots_per_inch: int = 200
    """At which a PDF is rendered."""
    max_memory_bytes: int = 2 * 2**30
    """Address space of the decoder's process."""
    timeout_seconds: float = 30.0
    """For the whole file, wall clock."""
    apply_orientation: bool = True
    """Whether a picture is turned upright as its EXIF data say."""


def load_pages(path: Path, limits: LoadLimits | None = None) -> tuple[Page, ...]:
    """The pages of a PNG, JPEG, TIFF, WEBP, PDF or DICOM file, recognised by content and not by suffix.

    Args:
        path: The file.
        limits: What it may cost.

    Returns:
        At least one page, in the file's order, turned upright as EXIF says.

    Raises:
        QuarantinedError: The file is refused; ``reason`` is one of ``quarantine.REASONS``.
        PrescriptionError: The file cannot be opened.
    """
    limits = limits or LoadLimits()
    try:
        with path.open("rb") as file:
            return _load(file, os.fstat(file.fileno()).st_size, limits)
    except OSError as error:
        raise PrescriptionError(
            f"a page file cannot be opened ({type(error).__name__})", hint="check that it is there and readable"
        ) from error


def load_bytes(content: bytes, limits: LoadLimits | None = None) -> tuple[Page, ...]:
    """As ``load_pages``, for bytes that are in memory (an upload, a decrypted original)."""
    return _load(content, len(content), limits or LoadLimits())


def _load(source: IO[bytes] | bytes, size: int, limits: LoadLimits) -> tuple[Page, ...]:
    if size == 0:
        raise QuarantinedError(quarantine.EMPTY_FILE, "the file is empty", hint="export or photograph the page again")
    if size > limits.max_bytes:
        raise QuarantinedError(
            quarantine.TOO_LARGE_FILE,
            f"the file has {size} bytes, more than {limits.max_bytes}",
            hint="split it, or raise max_bytes in the settings",
        )
    return tuple(_decode(source, limits))


def _decode(source: IO[bytes] | bytes, limits: LoadLimits) -> Iterator[Page]:
    with tempfile.TemporaryDirectory(prefix="fedrx-decode-") as folder:
        answer = _run_worker(source, limits, folder)
    position, number = 0, 0
    while position < len(answer):
        end = answer.find(b"\n", position, position + _MAX_HEADER_BYTES)
        if end < 0:
            raise _decoder_failed()
        number += 1
        try:
            header = json.loads(answer[position:end])
            if "refused" in header:
                raise QuarantinedError(_reason(header["refused"]), str(header["what"]), hint=str(header["hint"]))
            page, position = _page(answer, end + 1, header, number)
        except (ValueError, KeyError, TypeError) as error:  # a hostile file may have taken the decoder over
            raise _decoder_failed() from error
        yield page


def _page(answer: bytes, start: int, header: dict[str, Any], number: int) -> tuple[Page, int]:
    """The page whose words and pixels begin at ``start``, and where it ends."""
    shape = tuple(int(side) for side in header["shape"])
    layer_bytes, orientation = int(header["layer_bytes"]), int(header["orientation"])
    if not 2 <= len(shape) <= 3 or min(shape) < 1 or layer_bytes < 0:
        raise ValueError("this is no page")
    first = start + layer_bytes
    count = math.prod(shape)
    if first + count > len(answer):
        raise ValueError("the answer was cut short")
    layer = json.loads(answer[start:first]) if layer_bytes else []
    words = tuple(LayerWord(str(text), _box(sides, shape)) for text, sides in layer)
    pixels = np.frombuffer(answer, np.uint8, count=count, offset=first).reshape(shape)
    return page_of(pixels, number=number, orientation=orientation, layer=words), first + count


def _box(sides: list[Any], shape: tuple[int, ...]) -> Box:
    left, top, right, bottom = (int(side) for side in sides)
    if not (0 <= left < right <= shape[1] and 0 <= top < bottom <= shape[0]):
        raise ValueError("a word lies outside of its page")
    return Box(left, top, right, bottom)


def _reason(value: object) -> str:
    if value not in quarantine.REASONS:
        raise ValueError("this is no reason")
    return str(value)


def _run_worker(source: IO[bytes] | bytes, limits: LoadLimits, folder: str) -> bytes:
    given: dict[str, Any] = {"input": source} if isinstance(source, bytes) else {"stdin": source}
    environment = {"PYTHONPATH": str(_PACKAGE_PARENT), "OPENBLAS_NUM_THREADS": "1", "PATH": os.defpath}
    try:
        done: subprocess.CompletedProcess[bytes] = subprocess.run(  # noqa: S603 - our own interpreter and module; the file is on standard input
            [sys.executable, "-s", "-P", "-m", "prescriptions.worker", json.dumps(asdict(limits))],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a decoder's complaint may quote the file, and logs hold no patient data
            cwd=folder,
            env=environment,
            timeout=limits.timeout_seconds,
            check=False,
            **given,
        )
    except subprocess.TimeoutExpired as error:
        raise QuarantinedError(
            quarantine.DECODER_TIMEOUT,
            f"decoding took longer than {limits.timeout_seconds:.0f} s",
            hint="export the page as a plain PNG or JPEG",
        ) from error
    if done.returncode != 0 or not done.stdout:
        raise _decoder_failed()
    return done.stdout


def _decoder_failed() -> QuarantinedError:
    return QuarantinedError(
        quarantine.DECODER_FAILED,
        "the decoder crashed or ran out of memory on this file",
        hint="export the page as a plain PNG or JPEG",
    )
