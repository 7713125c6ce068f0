"""The decoder's process: ``python -m prescriptions.worker LIMITS`` with the file on standard input.

It holds only what decoding needs (Pillow, PDFium, pydicom), lowers its own memory, time and file limits before it
reads the first byte, and writes nothing but its answer: for every page one line of JSON ``{"shape": [height, width, 3],
"orientation": …, "layer_bytes": …}`` (without the 3 for grey), the words of a PDF's text layer as so many bytes of
JSON, and the raw pixels; or one line ``{"refused": reason, "what": …, "hint": …}``.
A decoder that crashes or hangs takes this process with it and not the daemon's.
"""

from __future__ import annotations

import json
import math
import resource
import sys
from typing import IO, TYPE_CHECKING, Any

from prescriptions import quarantine
from prescriptions.decoding import max_total_pixels
from prescriptions.decoding_image import decode_image, kind_of
from protocol.errors import QuarantinedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prescriptions.decoding import DecodedPage


def decode(content: bytes, limits: dict[str, Any]) -> Iterator[DecodedPage]:
    """The pages of a file, told by its content.

    Args:
        content: The whole file.
        limits: The fields of ``load.LoadLimits``.

    Raises:
        QuarantinedError: The content is refused.
    """
    kind = kind_of(content)
    if kind is not None:
        yield from decode_image(content, kind, limits)
    elif content[128:132] == b"DICM":
        from prescriptions.decoding_dicom import decode_dicom  # noqa: PLC0415 - other files need no pydicom

        yield from decode_dicom(content, limits)
    elif b"%PDF-" in content[:1024]:
        from prescriptions.decoding_pdf import decode_pdf  # noqa: PLC0415 - images need no PDFium

        yield from decode_pdf(content, limits)
    else:
        raise QuarantinedError(
            quarantine.UNSUPPORTED_TYPE,
            "the file is no PNG, JPEG, TIFF, WEBP, PDF or DICOM",
            hint="export the page as one of these",
        )


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
    pixels = 0
    try:
        for page in decode(content, limits):
            height, width = page.image.height, page.image.width
            pixels += height * width
            if pixels > max_total_pixels(limits):
                raise QuarantinedError(
                    quarantine.TOO_MANY_PIXELS,
                    f"the pages together have more than {max_total_pixels(limits)} pixels",
                    hint="split the file, or raise max_pixels in the settings",
                )
            shape = [height, width, 3] if page.image.mode == "RGB" else [height, width]
            layer = json.dumps(page.layer).encode() if page.layer else b""
            header = {"shape": shape, "orientation": page.orientation, "layer_bytes": len(layer)}
            answer.write(json.dumps(header).encode() + b"\n")
            answer.write(layer)
            answer.write(page.image.tobytes())
    except QuarantinedError as refusal:
        answer.write(json.dumps({"refused": refusal.reason, "what": refusal.what, "hint": refusal.hint}).encode())
        answer.write(b"\n")
    answer.flush()


if __name__ == "__main__":
    _limits = json.loads(sys.argv[1])
    _lower_limits(_limits)
    run(sys.stdin.buffer, sys.stdout.buffer, _limits)
