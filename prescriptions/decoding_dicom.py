"""DICOM secondary capture, by pydicom: the picture and nothing else.

Only the attributes that describe pixels are parsed (DICOM PS3.3, C.7.6.3); the patient's stay unread, so that they can
reach neither a result nor a log.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from pydicom import dcmread
from pydicom.errors import InvalidDicomError
from pydicom.pixels.utils import iter_pixels

from prescriptions import quarantine
from prescriptions.decoding import BAD_DATA, DecodedPage, bounded, check_pages, check_pixels, damaged
from protocol.errors import QuarantinedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from prescriptions.decoding import Limits

_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_PIXEL_KEYWORDS = (
    "SOPClassUID", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows",
    "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "RedPaletteColorLookupTableDescriptor",
    "GreenPaletteColorLookupTableDescriptor", "BluePaletteColorLookupTableDescriptor",
    "RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData", "BluePaletteColorLookupTableData",
    "ExtendedOffsetTable", "ExtendedOffsetTableLengths", "PixelData",
)  # fmt: skip
_KINDS = frozenset({"MONOCHROME1", "MONOCHROME2", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT"})
_NOT_DECODED = (*BAD_DATA, AttributeError, NotImplementedError, RuntimeError)


def decode_dicom(content: bytes, limits: Limits) -> Iterator[DecodedPage]:
    """The frames of a secondary capture image, one page each.

    Args:
        content: The whole file.
        limits: What it may cost.

    Raises:
        QuarantinedError: The content is refused.
    """
    try:
        header = dcmread(io.BytesIO(content), specific_tags=list(_PIXEL_KEYWORDS))
        _check_kind(header)
        width, height, frames = int(header.Columns), int(header.Rows), int(header.get("NumberOfFrames") or 1)
    except (InvalidDicomError, *_NOT_DECODED) as error:
        raise damaged("DICOM") from error
    check_pages(frames, "DICOM", limits)
    check_pixels(width, height, limits)
    try:
        for frame in iter_pixels(header, indices=range(frames)):
            grey_or_colour = _eight_bits(frame, header)
            yield DecodedPage(bounded(Image.fromarray(grey_or_colour), limits))
    except _NOT_DECODED as error:
        raise damaged("DICOM") from error


def _check_kind(header: Any) -> None:
    sop_class = str(header.get("SOPClassUID", ""))
    if sop_class != _SECONDARY_CAPTURE and not sop_class.startswith(_SECONDARY_CAPTURE + "."):
        raise QuarantinedError(
            quarantine.UNSUPPORTED_TYPE,
            "the DICOM object is no secondary capture",
            hint="export the page as a secondary capture image, PNG or PDF",
        )
    if header.get("PhotometricInterpretation") not in _KINDS:
        raise QuarantinedError(
            quarantine.UNSUPPORTED_TYPE,
            "the DICOM image has a colour model that is not read here",
            hint="export it as MONOCHROME2 or RGB",
        )


def _eight_bits(frame: NDArray[Any], header: Any) -> NDArray[np.uint8]:
    """uint8 [height, width] or [height, width, 3]: deeper levels are spread over what the frame holds."""
    levels = frame
    if header.BitsStored != 8 or levels.dtype != np.uint8:
        low, high = float(levels.min()), float(levels.max())
        spread = max(high - low, 1.0)
        levels = ((levels.astype(np.float32) - low) * (255.0 / spread)).round().astype(np.uint8)
    if header.PhotometricInterpretation == "MONOCHROME1":  # the lowest value is white
        levels = 255 - levels
    return np.ascontiguousarray(levels)
