"""What the decoders share. They run in the decoder's own process only (``worker``)."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from PIL import Image

from prescriptions import quarantine
from protocol.errors import QuarantinedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    Limits: TypeAlias = Mapping[str, Any]
    """The fields of ``load.LoadLimits``."""

BAD_DATA = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error, zlib.error)
"""What libraries raise about damaged bytes."""
UPRIGHT = 1
"""EXIF's value for a picture that is stored as it is looked at."""


@dataclass(frozen=True, slots=True, eq=False)
class DecodedPage:
    """One page out of a decoder."""

    image: Image.Image
    """Mode ``L`` or ``RGB``."""
    orientation: int = UPRIGHT
    """The EXIF orientation that was applied, 1 to 8."""
    layer: tuple[tuple[str, tuple[int, int, int, int]], ...] = ()
    """Words of a PDF's text layer with left, top, right, bottom in pixels of the image."""


def check_pixels(width: int, height: int, limits: Limits) -> None:
    """Refuses an image by what its header states, before anything is decoded.

    Raises:
        QuarantinedError: ``too-many-pixels``; or ``corrupt`` where a side is zero.
    """
    if width < 1 or height < 1:
        raise QuarantinedError(quarantine.CORRUPT, "the image has no size", hint="export it again")
    if width * height > limits["max_pixels"]:
        raise QuarantinedError(
            quarantine.TOO_MANY_PIXELS,
            f"the image has {width} x {height} pixels, more than {limits['max_pixels']}",
            hint="scan or export it at a lower resolution",
        )


def max_total_pixels(limits: Limits) -> int:
    """How many pixels all pages of a file may have together: 16 of A4 size at the longest side that is usual."""
    return 2 * int(limits["max_pixels"])


def check_pages(count: int, kind: str, limits: Limits) -> None:
    """Refuses a file with too many pages, or none.

    Raises:
        QuarantinedError: ``too-many-pages`` or ``corrupt``.
    """
    if count > limits["max_pages"]:
        raise QuarantinedError(
            quarantine.TOO_MANY_PAGES,
            f"the {kind} has {count} pages, more than {limits['max_pages']}",
            hint="split it, or raise max_pages in the settings",
        )
    if count < 1:
        raise QuarantinedError(quarantine.CORRUPT, f"the {kind} has no page", hint="export it again")


def damaged(kind: str) -> QuarantinedError:
    """The refusal of a file whose data cannot be decoded."""
    return QuarantinedError(
        quarantine.CORRUPT, f"the {kind} data are damaged or cut short", hint="export or photograph the page again"
    )


def plain(image: Image.Image) -> Image.Image:
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


def bounded(image: Image.Image, limits: Limits) -> Image.Image:
    """Scaled down to the longest side that is allowed."""
    longest = max(image.size)
    if longest <= limits["max_side"]:
        return image
    factor = limits["max_side"] / longest
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
