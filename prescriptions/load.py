"""A file becomes pages. The bytes are decoded in a process of their own: ``worker`` says what it may do.

Nothing decoded touches the disk: the file goes in on standard input, pixels come back on standard output.
"""

from __future__ import annotations

import json
import math
import os
import selectors
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import numpy as np

from prescriptions import quarantine
from prescriptions.box import Box
from prescriptions.decoding import max_total_pixels
from prescriptions.page import LayerWord, Page, page_of
from protocol.canonical_json import check_depth
from protocol.errors import MalformedError, PrescriptionError, QuarantinedError
from protocol.foreign_text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_HEADER_BYTES = 4096
_MAX_DEPTH = 4
_MAX_LAYER_BYTES = 4 * 2**20
"""Of a page's words, far more than a PDF's text layer of ``decoding_pdf.MAX_LAYER_CHARACTERS`` takes."""
_MAX_STRETCH = 100
"""How many times longer than wide a page may be: scaled down, a thinner one would have no pixel left."""
_PIECE_BYTES = 2**16
_PACKAGE_PARENT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class LoadLimits:
    """What a file may cost. The defaults suit phone photos and scans of a few pages."""

    max_bytes: int = 50 * 2**20
    """Of the file."""
    max_pixels: int = 60_000_000
    """Of an image as its header states it; read before anything is decoded. All pages of a file together may have twice
    as many once they are decoded."""
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
    position, number, pixels = 0, 0, 0
    while position < len(answer):
        end = answer.find(b"\n", position, position + _MAX_HEADER_BYTES)
        if end < 0:
            raise _decoder_failed()
        number += 1
        try:
            header = _json(answer[position:end])
            if "refused" in header:
                what, hint = one_line(str(header["what"])), one_line(str(header["hint"]))
                raise QuarantinedError(_reason(header["refused"]), what, hint=hint)
            page, position = _page(answer, end + 1, header, number, limits)
            pixels += math.prod(page.pixels.shape[:2])
            if pixels > max_total_pixels(asdict(limits)):
                raise ValueError("the pages are too large")
        except (
            ValueError,
            KeyError,
            TypeError,
            OverflowError,
            RecursionError,
            MalformedError,
        ) as error:  # a hostile file may have taken the decoder over
            raise _decoder_failed() from error
        yield page


def _page(
    answer: bytes | bytearray, start: int, header: dict[str, Any], number: int, limits: LoadLimits
) -> tuple[Page, int]:
    """The page whose words and pixels begin at ``start``, and where it ends."""
    shape = tuple(int(side) for side in header["shape"])
    layer_bytes, orientation = int(header["layer_bytes"]), int(header["orientation"])
    if not 2 <= len(shape) <= 3 or min(shape) < 1 or layer_bytes < 0:
        raise ValueError("this is no page")
    # PDFium rounds a part of a pixel up.
    if number > limits.max_pages or max(shape[:2]) > limits.max_side + 1 or layer_bytes > _MAX_LAYER_BYTES:
        raise ValueError("this is more than was asked for")
    if max(shape[:2]) > _MAX_STRETCH * min(shape[:2]):
        raise QuarantinedError(
            quarantine.NO_TEXT,
            f"page {number} is a strip of {shape[1]} x {shape[0]} pixels: no text fits on it",
            hint="export it again",
        )
    first = start + layer_bytes
    count = math.prod(shape)
    if first + count > len(answer):
        raise ValueError("the answer was cut short")
    layer = _json(answer[start:first]) if layer_bytes else []
    words = tuple(LayerWord(one_line(str(text)), _box(sides, shape)) for text, sides in layer)
    pixels = np.frombuffer(answer, np.uint8, count=count, offset=first).reshape(shape)
    return page_of(pixels, number=number, orientation=orientation, layer=words), first + count


def _json(data: bytes | bytearray) -> Any:
    """Deep nesting is refused before the parser sees it: a library may have lifted the recursion limit."""
    check_depth(bytes(data), _MAX_DEPTH)
    return json.loads(data)


def _box(sides: list[Any], shape: tuple[int, ...]) -> Box:
    left, top, right, bottom = (int(side) for side in sides)
    if not (0 <= left < right <= shape[1] and 0 <= top < bottom <= shape[0]):
        raise ValueError("a word lies outside of its page")
    return Box(left, top, right, bottom)


def _reason(value: object) -> str:
    if value not in quarantine.REASONS:
        raise ValueError("this is no reason")
    return str(value)


def _run_worker(source: IO[bytes] | bytes, limits: LoadLimits, folder: str) -> bytes | bytearray:
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and module; the file is on standard input
        [sys.executable, "-s", "-P", "-m", "prescriptions.worker", json.dumps(asdict(limits))],
        stdin=subprocess.PIPE if isinstance(source, bytes) else source,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # a decoder's complaint may quote the file, and logs hold no patient data
        bufsize=0,
        cwd=folder,
        env={"PYTHONPATH": str(_PACKAGE_PARENT), "OPENBLAS_NUM_THREADS": "1", "PATH": os.defpath},
    )
    deadline = time.monotonic() + limits.timeout_seconds
    with process:
        try:
            answer = _exchange(process, source if isinstance(source, bytes) else b"", deadline, _max_answer(limits))
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            raise QuarantinedError(
                quarantine.DECODER_TIMEOUT,
                f"decoding took longer than {limits.timeout_seconds:.0f} s",
                hint="export the page as a plain PNG or JPEG",
            ) from error
        finally:
            process.kill()
    if process.returncode != 0 or not answer:
        raise _decoder_failed()
    return answer


def _max_answer(limits: LoadLimits) -> int:
    """Bytes, of all pages in colour."""
    return 3 * max_total_pixels(asdict(limits)) + (limits.max_pages + 1) * (_MAX_HEADER_BYTES + _MAX_LAYER_BYTES)


def _exchange(process: subprocess.Popen[bytes], content: bytes, deadline: float, max_bytes: int) -> bytearray:
    """Feeds the decoder and takes its answer piece by piece.

    Raises:
        QuarantinedError: The answer is longer than ``max_bytes``.
        subprocess.TimeoutExpired: The deadline passed, whatever was said until then.
    """
    answer, left = bytearray(), memoryview(content)
    given, taken = process.stdin, cast("IO[bytes]", process.stdout)
    with selectors.DefaultSelector() as ready:
        ready.register(taken, selectors.EVENT_READ)
        if given is not None:
            os.set_blocking(given.fileno(), False)
            ready.register(given, selectors.EVENT_WRITE)
        while ready.get_map():
            for key, _ in ready.select(_remaining(process, deadline)):
                if key.fileobj is taken:
                    piece = os.read(key.fd, _PIECE_BYTES)
                    answer += piece
                    if len(answer) > max_bytes:
                        raise _decoder_failed()
                    if not piece:
                        ready.unregister(taken)
                elif given is not None:
                    left = _fed(key.fd, left)
                    if not left:
                        ready.unregister(given)
                        given.close()
    return answer


def _remaining(process: subprocess.Popen[bytes], deadline: float) -> float:
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise subprocess.TimeoutExpired(process.args, seconds)
    return seconds


def _fed(descriptor: int, left: memoryview) -> memoryview:
    """What is left of the file after the decoder took a piece; nothing when it takes no more."""
    try:
        return left[os.write(descriptor, left[:_PIECE_BYTES]) :]
    except BlockingIOError:
        return left
    except BrokenPipeError:
        return left[:0]


def _decoder_failed() -> QuarantinedError:
    return QuarantinedError(
        quarantine.DECODER_FAILED,
        "the decoder crashed or ran out of memory on this file",
        hint="export the page as a plain PNG or JPEG",
    )
