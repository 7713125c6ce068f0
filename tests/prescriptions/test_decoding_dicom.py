import io

import numpy as np
import pytest
from paper import encoded
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

from prescriptions import quarantine
from prescriptions.load import LoadLimits, load_bytes
from protocol.errors import QuarantinedError

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
GREY = np.add.outer(np.arange(40), np.arange(60)).astype(np.uint8)
COLOUR = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=2)


def dicom(pixels, *, frames=1, kind=SECONDARY_CAPTURE, syntax=ExplicitVRLittleEndian, encoded_frames=(), **fields):
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = kind
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = "1.2.3"
    data.file_meta.TransferSyntaxUID = syntax
    data.PatientName, data.PatientID, data.PatientBirthDate = "Walker^Grace", "SECRET-7", "19640101"
    first = pixels[0] if frames > 1 else pixels
    data.Rows, data.Columns = first.shape[:2]
    data.SamplesPerPixel = 3 if first.ndim == 3 else 1
    data.PhotometricInterpretation = "RGB" if first.ndim == 3 else "MONOCHROME2"
    data.PlanarConfiguration = 0
    data.BitsAllocated = data.BitsStored = 8 * pixels.dtype.itemsize
    data.HighBit, data.PixelRepresentation = data.BitsStored - 1, 0
    if frames > 1:
        data.NumberOfFrames = frames
    for name, value in fields.items():
        setattr(data, name, value)
    data.PixelData = encapsulate(list(encoded_frames)) if encoded_frames else pixels.tobytes()
    data["PixelData"].VR = "OB" if encoded_frames or data.BitsAllocated == 8 else "OW"
    buffer = io.BytesIO()
    data.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def reason_of(content, limits=None):
    with pytest.raises(QuarantinedError) as caught:
        load_bytes(content, limits)
    return caught.value.reason


def test_a_grey_secondary_capture_is_a_page():
    (page,) = load_bytes(dicom(GREY))
    assert np.array_equal(page.pixels, GREY)


def test_monochrome1_is_turned_over():
    (page,) = load_bytes(dicom(GREY, PhotometricInterpretation="MONOCHROME1"))
    assert np.array_equal(page.pixels, 255 - GREY)


def test_a_colour_capture_is_read_in_both_planar_configurations():
    (page,) = load_bytes(dicom(COLOUR))
    planar = dicom(np.ascontiguousarray(COLOUR.transpose(2, 0, 1)), PlanarConfiguration=1, Rows=40, Columns=60,
                   SamplesPerPixel=3, PhotometricInterpretation="RGB")  # fmt: skip
    (other,) = load_bytes(planar)
    assert np.array_equal(page.pixels, COLOUR)
    assert np.array_equal(other.pixels, COLOUR)


@pytest.mark.parametrize(("stored", "top"), [(12, 4095), (16, 65535)])
def test_deep_levels_are_spread_over_eight_bits(stored, top):
    deep = (GREY.astype(np.float64) / GREY.max() * top).astype(np.uint16)
    (page,) = load_bytes(dicom(deep, BitsStored=stored, HighBit=stored - 1))
    assert (page.pixels.min(), page.pixels.max()) == (0, 255)
    assert np.corrcoef(page.pixels.ravel(), GREY.ravel())[0, 1] > 0.999


def test_every_frame_is_a_page():
    pages = load_bytes(dicom(np.stack([GREY, GREY[::-1]]), frames=2, kind=SECONDARY_CAPTURE + ".2"))
    assert [page.number for page in pages] == [1, 2]
    assert np.array_equal(pages[1].pixels, GREY[::-1])


@pytest.mark.parametrize(
    ("syntax", "kind", "tolerance"), [(JPEGBaseline8Bit, "JPEG", 8), (JPEG2000Lossless, "JPEG2000", 0)]
)
def test_encapsulated_pictures_are_decoded(syntax, kind, tolerance):
    frame = encoded(Image.fromarray(GREY), kind)
    (page,) = load_bytes(dicom(GREY, syntax=syntax, encoded_frames=[frame]))
    assert np.abs(page.pixels.astype(int) - GREY).max() <= tolerance


def test_a_ybr_jpeg_comes_out_in_rgb():
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 220
    frame = encoded(Image.fromarray(red), "JPEG", quality=95)
    content = dicom(red, syntax=JPEGBaseline8Bit, encoded_frames=[frame], PhotometricInterpretation="YBR_FULL_422")
    (page,) = load_bytes(content)
    assert np.abs(page.pixels.astype(int) - red).max() < 12


def test_what_is_no_secondary_capture_is_refused():
    assert reason_of(dicom(GREY, kind="1.2.840.10008.5.1.4.1.1.2")) == quarantine.UNSUPPORTED_TYPE
    assert reason_of(dicom(GREY, PhotometricInterpretation="ARGB")) == quarantine.UNSUPPORTED_TYPE


def test_the_limits_are_held_by_the_header():
    assert reason_of(dicom(GREY, Rows=20_000, Columns=20_000)) == quarantine.TOO_MANY_PIXELS
    many = dicom(np.stack([GREY] * 4), frames=4)
    assert reason_of(many, LoadLimits(max_pages=3)) == quarantine.TOO_MANY_PAGES


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEG2000Lossless, RLELossless])
def test_damaged_pixels_are_corrupt(syntax):
    content = dicom(GREY, syntax=syntax, encoded_frames=[b"\xff\xd8 this is no picture at all"])
    assert reason_of(content) == quarantine.CORRUPT


@pytest.mark.parametrize("length", [132, 150, 400, 900])
def test_a_file_that_is_cut_short_is_refused(length):
    assert reason_of(dicom(GREY)[:length]) in {quarantine.CORRUPT, quarantine.UNSUPPORTED_TYPE}


def test_the_patients_tags_reach_no_result_and_no_message(capfd):
    (page,) = load_bytes(dicom(GREY))
    with pytest.raises(QuarantinedError) as caught:
        load_bytes(dicom(GREY)[:-500])
    shown = repr(page) + str(caught.value) + "".join(capfd.readouterr())
    assert not any(secret in shown for secret in ("Walker", "SECRET", "1964"))
