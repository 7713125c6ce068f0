"""The decoder's process: ``python -m prescriptions.worker LIMITS`` with the file on standard input.

It holds only what decoding needs (Pillow, PDFium), lowers its own memory, time and file limits before it reads the
first byte, and writes nothing but its answer: for every page one line of JSON ``{"shape": [height, width, 3]}``
(without the 3 for grey) and then the raw pixels; or one line ``{"refused": reason, "what": …, "hint": …}``.
A decoder that crashes or hangs takes this process with it and not the daemon's.
"""

from __future__ import annotations

import io
import json
import math
import resource
import struct
import sys
import zlib
from typing import IO, TYPE_CHECKING, Any

from PIL import Image, ImageOps

from prescriptions import quarantine
from protocol.errors import QuarantinedError

if TYPE_CHECKING:
    from collections.abc import Iterator

_POINTS_PER_INCH = 72
_BAD_IMAGE = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error, zlib.error)


def decode(content: bytes, limits: dict[str, Any]) -> Iterator[Image.Image]:
    """The pages of a file as images in mode ``L`` or ``RGB``.

    Args:
        content: The whole file.
        limits: The fields of ``load.LoadLimits``.

    Raises:
        QuarantinedError: The content is refused.
    """
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        yield _bounded(_decode_image(content, "PNG", limits), limits)
    elif content.startswith(b"\xff\xd8\xff"):
        yield _bounded(_decode_image(content, "JPEG", limits), limits)
    elif b"%PDF-" in content[:1024]:
        yield from _decode_pdf(content, limits)
    else:
        raise QuarantinedError(
            quarantine.UNSUPPORTED_TYPE, "the file is no PNG, JPEG or PDF", hint="export the page as one of these"
        )


def _decode_image(content: bytes, kind: str, limits: dict[str, Any]) -> Image.Image:
    # Pillow's own guard warns at a size of its choosing; ours below refuses from the header at the configured one.
    Image.MAX_IMAGE_PIXELS = None
    try:
        image = Image.open(io.BytesIO(content), formats=[kind])
        if image.width * image.height > limits["max_pixels"]:
            raise QuarantinedError(
                quarantine.TOO_MANY_PIXELS,
                f"the image has {image.width} x {image.height} pixels, more than {limits['max_pixels']}",
                hint="scan or export it at a lower resolution",
            )
        image.load()
        upright = ImageOps.exif_transpose(image)
    except _BAD_IMAGE as error:
        raise QuarantinedError(
            quarantine.CORRUPT, f"the {kind} data are damaged or cut short", hint="export or photograph the page again"
        ) from error
    return _plain(upright)


def _plain(image: Image.Image) -> Image.Image:
    """Any mode as ``L`` or ``RGB``, see-through parts on white."""
    if image.mode in {"L", "RGB"}:
        return image
    if image.mode.startswith("I"):  # 16 bits a sample; Pillow would clip it at 255
        return image.convert("I").point(lambda level: level / 257).convert("L")
    if image.mode in {"1", "F"}:
        return image.convert("L")
    if image.mode == "LA" or "A" in image.getbands() or "transparency" in image.info:
        layer = image.convert("RGBA")
        paper = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(paper, layer).convert("RGB")
    return image.convert("RGB")


def _bounded(image: Image.Image, limits: dict[str, Any]) -> Image.Image:
    longest = max(image.size)
    if longest <= limits["max_side"]:
        return image
    factor = limits["max_side"] / longest
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def _decode_pdf(content: bytes, limits: dict[str, Any]) -> Iterator[Image.Image]:
    import pypdfium2  # noqa: PLC0415 - images need no PDFium

    try:
        document = pypdfium2.PdfDocument(content)
        count = len(document)
        if count > limits["max_pages"]:
            raise QuarantinedError(
                quarantine.TOO_MANY_PAGES,
                f"the PDF has {count} pages, more than {limits['max_pages']}",
                hint="split it, or raise max_pages in the settings",
            )
        if count == 0:
            raise QuarantinedError(quarantine.CORRUPT, "the PDF has no page", hint="export it again")
        for index in range(count):
            page = document[index]
            width, height = page.get_size()
            if not (math.isfinite(width) and math.isfinite(height) and min(width, height) > 0):
                raise QuarantinedError(quarantine.CORRUPT, "a page of the PDF has no size", hint="export it again")
            scale = min(limits["dots_per_inch"] / _POINTS_PER_INCH, limits["max_side"] / max(width, height))
            yield page.render(scale=scale, rev_byteorder=True).to_pil().convert("RGB")
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise QuarantinedError(
                quarantine.PASSWORD_PROTECTED, "the PDF is protected by a password", hint="save it without one"
            ) from error
        raise QuarantinedError(quarantine.CORRUPT, "the PDF is damaged", hint="export it again") from error


def _lower_limits(limits: dict[str, Any]) -> None:
    memory = int(limits["max_memory_bytes"])
    seconds = math.ceil(limits["timeout_seconds"]) + 1
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run(source: IO[bytes], answer: IO[bytes], limits: dict[str, Any]) -> None:
    """Reads one file, writes one answer. A refusal after the first page still refuses the whole file."""
    content = source.read(limits["max_bytes"] + 1)
    try:
        for page in decode(content, limits):
            shape = [page.height, page.width, 3] if page.mode == "RGB" else [page.height, page.width]
            answer.write(json.dumps({"shape": shape}).encode() + b"\n")
            answer.write(page.tobytes())
    except QuarantinedError as refusal:
        answer.write(json.dumps({"refused": refusal.reason, "what": refusal.what, "hint": refusal.hint}).encode())
        answer.write(b"\n")
    answer.flush()


if __name__ == "__main__":
    _limits = json.loads(sys.argv[1])
    _lower_limits(_limits)
    run(sys.stdin.buffer, sys.stdout.buffer, _limits)
