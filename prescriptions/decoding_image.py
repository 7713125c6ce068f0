"""PNG, JPEG, WEBP and TIFF, by Pillow."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import ExifTags, Image, ImageOps

from prescriptions import quarantine
from prescriptions.decoding import (
    BAD_DATA,
    UPRIGHT,
    DecodedPage,
    bounded,
    check_pages,
    check_pixels,
    damaged,
    plain,
)
from protocol.errors import QuarantinedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prescriptions.decoding import Limits

_ORIENTATIONS = range(1, 9)
_BACK = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""What undoes an EXIF orientation that was applied."""


def kind_of(content: bytes) -> str | None:
    """Pillow's name of the format that the first bytes announce; None when it is none of ours."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if content.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "WEBP"
    if content.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "TIFF"
    return None


def decode_image(content: bytes, kind: str, limits: Limits) -> Iterator[DecodedPage]:
    """The pages of a picture file: one, or all of a TIFF.

    Args:
        content: The whole file.
        kind: As ``kind_of`` says.
        limits: What it may cost.

    Raises:
        QuarantinedError: The content is refused.
    """
    # Pillow's own guard warns at a size of its choosing; ours refuses from the header at the configured one.
    Image.MAX_IMAGE_PIXELS = None
    try:
        image = Image.open(io.BytesIO(content), formats=[kind])
        count = int(getattr(image, "n_frames", 1))
    except BAD_DATA as error:
        raise damaged(kind) from error
    if kind == "WEBP" and count > 1:
        raise QuarantinedError(
            quarantine.UNSUPPORTED_TYPE, "the WEBP moves: its frames are no pages", hint="export each page by itself"
        )
    if kind != "TIFF":
        yield _frame(image, kind, limits)
        return
    check_pages(count, kind, limits)
    for number in range(count):
        try:
            image.seek(number)
        except BAD_DATA as error:
            raise damaged(kind) from error
        yield _frame(image, kind, limits)


def _frame(image: Image.Image, kind: str, limits: Limits) -> DecodedPage:
    check_pixels(*image.size, limits)
    try:
        orientation = _orientation(image)
        image.load()
        applied = orientation != UPRIGHT and _orientation(image) == UPRIGHT  # Pillow turns a TIFF by itself
        wanted = orientation != UPRIGHT and limits["apply_orientation"]
        shown: Image.Image = image
        if wanted and not applied:
            shown = ImageOps.exif_transpose(image)
        elif applied and not wanted:
            shown = image.transpose(_BACK[orientation])
        return DecodedPage(bounded(plain(shown), limits), orientation if wanted else UPRIGHT)
    except BAD_DATA as error:
        raise damaged(kind) from error


def _orientation(image: Image.Image) -> int:
    found = image.getexif().get(ExifTags.Base.Orientation, UPRIGHT)
    return found if isinstance(found, int) and found in _ORIENTATIONS else UPRIGHT
