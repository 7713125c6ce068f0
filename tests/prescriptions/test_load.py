import json
import struct
import time
import zlib

import numpy as np
import pytest
from paper import encoded, pdf
from PIL import Image

from prescriptions import quarantine
from prescriptions.load import LoadLimits, load_bytes, load_pages
from protocol.errors import PrescriptionError, QuarantinedError


def drawing(width=60, height=40):
    return Image.fromarray(np.add.outer(np.arange(height), np.arange(width)).astype(np.uint8))


def png_that_claims(width, height):
    """A well-formed header of 33 bytes in front of almost no data."""

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


def encrypted_pdf():
    """The standard security handler with a user key that the empty password does not open."""
    lock = b"<< /Filter /Standard /V 1 /R 2 /P -4 /O <%s> /U <%s> >>" % (b"4f" * 32, b"55" * 32)
    return pdf(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>",
        lock,
        trailer=b"/Encrypt 4 0 R /ID [<00112233445566778899aabbccddeeff> <00112233445566778899aabbccddeeff>]",
    )


PNG = encoded(drawing(), "PNG")
PDF = encoded(drawing().convert("RGB"), "PDF", resolution=200)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", quarantine.EMPTY_FILE, id="empty"),
        pytest.param(b"GIF89a" + bytes(40), quarantine.UNSUPPORTED_TYPE, id="gif"),
        pytest.param(b"<svg onload='x'/>", quarantine.UNSUPPORTED_TYPE, id="svg"),
        pytest.param(PNG[: len(PNG) // 2], quarantine.CORRUPT, id="png cut short"),
        pytest.param(PNG[:40] + b"\xff" * 40 + PNG[80:], quarantine.CORRUPT, id="png with wrong bytes"),
        pytest.param(encoded(drawing(), "JPEG")[:200], quarantine.CORRUPT, id="jpeg cut short"),
        pytest.param(b"%PDF-1.7\nnothing", quarantine.CORRUPT, id="pdf without objects"),
        pytest.param(encrypted_pdf(), quarantine.PASSWORD_PROTECTED, id="encrypted pdf"),
    ],
)
def test_a_bad_file_is_quarantined_with_its_reason(content, reason):
    with pytest.raises(QuarantinedError) as caught:
        load_bytes(content)
    assert caught.value.reason == reason


def test_an_image_of_200_megapixels_is_refused_from_its_header():
    # 128 MiB of address space could not hold a tenth of the 600 MB that decoding would take.
    with pytest.raises(QuarantinedError) as caught:
        load_bytes(png_that_claims(20_000, 10_000), LoadLimits(max_memory_bytes=128 * 2**20))
    assert caught.value.reason == quarantine.TOO_MANY_PIXELS
    assert "20000 x 10000" in str(caught.value)


def test_a_file_over_the_size_limit_is_refused_before_it_is_read():
    with pytest.raises(QuarantinedError) as caught:
        load_bytes(PNG, LoadLimits(max_bytes=len(PNG) - 1))
    assert caught.value.reason == quarantine.TOO_LARGE_FILE


def test_a_pdf_with_too_many_pages_is_refused():
    page = drawing().convert("RGB")
    four_pages = encoded(page, "PDF", save_all=True, append_images=[page] * 3)
    with pytest.raises(QuarantinedError) as caught:
        load_bytes(four_pages, LoadLimits(max_pages=3))
    assert caught.value.reason == quarantine.TOO_MANY_PAGES


def test_a_decoder_that_hangs_quarantines_the_file():
    with pytest.raises(QuarantinedError) as caught:
        load_bytes(PNG, LoadLimits(timeout_seconds=0.01))
    assert caught.value.reason == quarantine.DECODER_TIMEOUT


def test_a_decoder_that_runs_out_of_memory_quarantines_the_file():
    large = encoded(Image.new("RGB", (6000, 6000)), "PNG", compress_level=1)
    with pytest.raises(QuarantinedError) as caught:
        load_bytes(large, LoadLimits(max_memory_bytes=160 * 2**20))
    assert caught.value.reason == quarantine.DECODER_FAILED


def test_a_file_that_is_not_there_is_an_error_and_no_quarantine(tmp_path):
    with pytest.raises(PrescriptionError, match="cannot be opened") as caught:
        load_pages(tmp_path / "none.png")
    assert not isinstance(caught.value, QuarantinedError)


def test_the_type_is_told_by_content_and_not_by_suffix(tmp_path):
    (tmp_path / "page.pdf").write_bytes(PNG)
    (page,) = load_pages(tmp_path / "page.pdf")
    assert np.array_equal(page.pixels, np.asarray(drawing()))


def test_a_pdf_gives_its_pages_at_200_dots_per_inch_in_order():
    content = encoded(Image.new("RGB", (80, 50), "white"), "PDF", resolution=200, save_all=True,
                      append_images=[Image.new("RGB", (30, 90), "black")])  # fmt: skip
    pages = load_bytes(content)
    # PDFium rounds a part of a pixel up.
    assert [(page.number, *page.pixels.shape) for page in pages] == [
        (1, 50, 80, 3), (2, pytest.approx(90, abs=1), pytest.approx(30, abs=1), 3)]  # fmt: skip
    assert pages[0].pixels.mean() > 250
    assert pages[1].pixels.mean() < 5


def test_a_pdf_page_of_any_size_is_rendered_within_the_longest_side():
    huge = pdf(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 14400 7200] >>",
    )
    (page,) = load_bytes(huge, LoadLimits(max_side=1000))
    assert page.pixels.shape == (500, 1000, 3)


@pytest.mark.parametrize("box", [b"0 0 1 14400", b"0 0 14400 1"])
def test_a_page_too_thin_for_any_text_is_refused(box):
    strip = pdf(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [%s] >>" % box,
    )
    with pytest.raises(QuarantinedError, match="is a strip of") as caught:
        load_bytes(strip)
    assert caught.value.reason == quarantine.NO_TEXT
    (page,) = load_bytes(encoded(drawing(20, 2000), "PNG"))
    assert page.pixels.shape == (2000, 20)


def test_the_same_pixels_in_another_container_have_the_same_digest():
    exif = Image.Exif()
    exif[0x010E] = "another description"
    one, other, different = (
        load_bytes(content)[0].digest
        for content in (PNG, encoded(drawing(), "PNG", exif=exif, compress_level=0), encoded(drawing(61), "PNG"))
    )
    assert one == other != different


def test_the_orientation_of_exif_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees clockwise to see it upright
    (page,) = load_bytes(encoded(drawing(), "PNG", exif=exif))
    assert np.array_equal(page.pixels, np.rot90(np.asarray(drawing()), -1))


@pytest.mark.parametrize("mode", ["1", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_every_usual_pixel_format_becomes_grey_or_rgb(mode):
    white = {"1": 1, "LA": (255, 0), "P": 255, "RGBA": (0, 0, 0, 0), "CMYK": (0, 0, 0, 0), "I;16": 65535}[mode]
    image = Image.new(mode, (8, 6), white)
    if mode == "P":
        image.putpalette([255] * 768)
    (page,) = load_bytes(encoded(image, "JPEG" if mode == "CMYK" else "PNG"))
    assert page.pixels.shape[:2] == (6, 8)
    assert page.pixels.min() >= 250


def test_a_tiff_gives_all_of_its_pages_and_each_is_turned_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(drawing(), "TIFF", save_all=True, append_images=[drawing(50, 30)], exif=exif)
    pages = load_bytes(content)
    assert [page.number for page in pages] == [1, 2]
    assert np.array_equal(pages[0].pixels, np.rot90(np.asarray(drawing()), -1))
    assert pages[0].orientation == 6


def test_a_tiff_with_too_many_pages_is_refused():
    with pytest.raises(QuarantinedError) as caught:
        load_bytes(encoded(drawing(), "TIFF", save_all=True, append_images=[drawing()] * 3), LoadLimits(max_pages=3))
    assert caught.value.reason == quarantine.TOO_MANY_PAGES


def test_a_webp_is_a_page_and_an_animated_one_is_none():
    (page,) = load_bytes(encoded(drawing(), "WEBP", lossless=True))
    assert np.array_equal(page.pixels[..., 0], np.asarray(drawing()))
    with pytest.raises(QuarantinedError) as caught:
        load_bytes(encoded(drawing(), "WEBP", save_all=True, append_images=[drawing().rotate(180)]))
    assert caught.value.reason == quarantine.UNSUPPORTED_TYPE


@pytest.mark.parametrize("kind", ["TIFF", "WEBP"])
def test_a_file_that_is_cut_short_is_corrupt_in_every_format(kind):
    content = encoded(drawing(200, 200).convert("RGB"), kind)
    with pytest.raises(QuarantinedError) as caught:
        load_bytes(content[: len(content) // 2])
    assert caught.value.reason == quarantine.CORRUPT


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_orientation_of_exif_can_be_left_alone(kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    limits = LoadLimits(apply_orientation=False)
    (page,) = load_bytes(encoded(drawing(), kind, exif=exif), limits)
    assert np.array_equal(page.pixels, np.asarray(drawing()))
    assert page.orientation == 1


@pytest.mark.parametrize(
    "answer",
    [b"{}\n", b"no json\n", b"[]\n", b'{"shape": [9, 9], "orientation": 1, "layer_bytes": 0}\n1234',
     b'{"shape": [-1, -1], "orientation": 1, "layer_bytes": 0}\n1',
     b'{"shape": [1, 1], "orientation": 1, "layer_bytes": 99}\n1',
     b'{"refused": "made up", "what": "x", "hint": "y"}\n', b"1" * 9000, b"[" * 4000 + b"\n",
     b'{"shape": [Infinity, 1], "orientation": 1, "layer_bytes": 0}\n1',
     b'{"shape": [1, 1], "orientation": 1, "layer_bytes": 200000}\n' + b"[" * 200_000 + b"1",
     b'{"shape": [1, 3002], "orientation": 1, "layer_bytes": 0}\n' + bytes(3002),
     b'{"shape": [1, 1], "orientation": 1, "layer_bytes": 0}\n1' * 17],
)  # fmt: skip
def test_a_decoder_that_was_taken_over_cannot_break_the_daemon(monkeypatch, answer):
    monkeypatch.setattr("prescriptions.load._run_worker", lambda *_: answer)
    with pytest.raises(QuarantinedError) as caught:
        load_bytes(PNG)
    assert caught.value.reason == quarantine.DECODER_FAILED


def test_what_a_taken_over_decoder_says_is_bounded_and_obeyed_by_no_terminal(monkeypatch):
    sly = "\x1b[2J\x1b]0;mine\x07\r\n\u202e" + "x" * 900
    refusal = json.dumps({"refused": "corrupt", "what": sly, "hint": sly}).encode() + b"\n"
    words = json.dumps([[sly, [0, 0, 5, 5]]]).encode()
    page = json.dumps({"shape": [9, 9], "orientation": 1, "layer_bytes": len(words)}).encode() + b"\n"
    monkeypatch.setattr("prescriptions.load._run_worker", lambda *_: refusal)
    with pytest.raises(QuarantinedError) as caught:
        load_bytes(PNG)
    assert (caught.value.reason, str(caught.value).isprintable()) == (quarantine.CORRUPT, True)
    assert len(str(caught.value)) < 500
    monkeypatch.setattr("prescriptions.load._run_worker", lambda *_: page + words + bytes(81))
    ((word,),) = (found.layer for found in load_bytes(PNG))
    assert word.text.isprintable()
    assert len(word.text) <= 200


def test_pages_of_a_taken_over_decoder_have_no_more_pixels_together_than_a_file_may_have(monkeypatch):
    page = b'{"shape": [10, 10], "orientation": 1, "layer_bytes": 0}\n' + bytes(100)
    monkeypatch.setattr("prescriptions.load._run_worker", lambda *_: page * 3)
    assert len(load_bytes(PNG, LoadLimits(max_pixels=150))) == 3
    with pytest.raises(QuarantinedError) as caught:
        load_bytes(PNG, LoadLimits(max_pixels=149))
    assert caught.value.reason == quarantine.DECODER_FAILED


def test_pages_that_are_small_each_and_too_many_pixels_together_are_refused():
    content = encoded(drawing(), "TIFF", save_all=True, append_images=[drawing()] * 2)
    with pytest.raises(QuarantinedError) as caught:
        load_bytes(content, LoadLimits(max_pixels=60 * 40))
    assert caught.value.reason == quarantine.TOO_MANY_PIXELS


@pytest.mark.parametrize("from_a_file", [False, True])
def test_a_decoder_that_answers_without_end_is_stopped_at_the_cap(monkeypatch, tmp_path, from_a_file):
    # It never reads its input, and would write for as long as the time limit allows.
    endless = tmp_path / "endless"
    endless.write_text("#!/bin/sh\nexec cat /dev/zero\n")
    endless.chmod(0o700)
    (tmp_path / "page").write_bytes(bytes(2**20))
    monkeypatch.setattr("prescriptions.load.sys.executable", str(endless))
    monkeypatch.setattr("prescriptions.load._max_answer", lambda _: 2**20)
    limits = LoadLimits(timeout_seconds=60)
    began = time.monotonic()
    with pytest.raises(QuarantinedError) as caught:
        load_pages(tmp_path / "page", limits) if from_a_file else load_bytes(bytes(2**20), limits)
    assert caught.value.reason == quarantine.DECODER_FAILED
    assert time.monotonic() - began < 30


def test_a_file_larger_than_a_pipe_reaches_the_decoder_whole():
    large = encoded(Image.effect_noise((900, 900), 90), "PNG", compress_level=0)
    assert len(large) > 2**19
    (page,) = load_bytes(large)
    assert page.pixels.shape == (900, 900)


def test_pages_are_read_only():
    (page,) = load_bytes(PNG)
    with pytest.raises(ValueError, match="read-only"):
        page.pixels[0, 0] = 0
