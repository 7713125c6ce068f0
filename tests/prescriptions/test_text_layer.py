"""A PDF's text layer is taken where the picture bears it out, and never where it says something else."""

import numpy as np
import pytest
from paper import text_pdf

from prescriptions.lexicon import bundled_lexicon
from prescriptions.load import load_bytes
from prescriptions.pipeline import read_page

LEXICON = bundled_lexicon("demo")
LINES = (
    (40, 510, 20, "Lakeview Hospital"),
    (40, 470, 12, "Name: Grace Walker      Age: 61"),
    (40, 400, 16, "1. Tab. Amoxicillin 500 mg 1+0+1 7 days"),
    (40, 360, 16, "2. Tab. Atenolol 50 mg od 14 days"),
)
HONEST = text_pdf(*LINES)
WANTED = [("Amoxicillin", "500 mg"), ("Atenolol", "50 mg")]


class Watched:
    """The real reader, and how large the pictures were that it read."""

    def __init__(self, reader):
        self._reader = reader
        self.pixels = []

    name = property(lambda self: self._reader.name)
    turned_below = property(lambda self: self._reader.turned_below)

    def read(self, image):
        self.pixels.append(image.size)
        return self._reader.read(image)


def read(content, rapidocr):
    (page,) = load_bytes(content)
    watched = Watched(rapidocr)
    reading = read_page(page, watched, LEXICON)
    found = [(line.candidates[0].name, str(line.strength)) for line in reading.prescription.lines]
    return found, reading, watched, page


def test_the_words_of_the_layer_have_boxes_on_their_ink():
    (page,) = load_bytes(HONEST)
    assert [word.text for word in page.layer][:2] == ["Lakeview", "Hospital"]
    grey = page.pixels.min(axis=2)
    for word in page.layer:
        box = word.box
        assert grey[box.top : box.bottom, box.left : box.right].min() < 100, word.text


def test_an_honest_layer_is_taken_and_only_some_lines_are_read(rapidocr):
    found, reading, watched, page = read(HONEST, rapidocr)
    assert found == WANTED
    assert reading.engine.startswith("text layer, checked by rapidocr")
    assert all(word.confidence == 1 for word in reading.words)
    assert len(watched.pixels) == 1
    assert watched.pixels[0] < 0.5 * page.pixels.shape[0] * page.pixels.shape[1]
    box = reading.words[0].crop.box
    assert page.pixels[box.top : box.bottom, box.left : box.right].min() < 100


@pytest.mark.parametrize("rotate", [90, 180])
def test_the_layer_of_a_turned_page_stands_where_its_ink_is(rotate):
    (page,) = load_bytes(text_pdf(*LINES, rotate=rotate))
    grey = page.pixels.min(axis=2)
    for word in page.layer:
        assert grey[word.box.top : word.box.bottom, word.box.left : word.box.right].min() < 100


def covered(*, shown, said):
    """A page that shows one thing, with invisible text (render mode 3) that says another in the same place."""
    invisible = b"".join(b"BT 3 Tr /F1 %d Tf %d %d Td (%s) Tj ET\n" % (s, x, y, t.encode()) for x, y, s, t in said)
    paths = text_pdf(*shown)
    picture = load_bytes(paths)[0].pixels
    return picture, invisible


def scan_with_layer(shown, said):
    """A scan of ``shown`` as an image, and a layer that says ``said``: what scanners and forgers make."""
    import zlib  # noqa: PLC0415

    from paper import pdf  # noqa: PLC0415

    picture, invisible = covered(shown=shown, said=said)
    grey = np.ascontiguousarray(picture.min(axis=2))
    pixels = zlib.compress(grey.tobytes())
    stream = b"q 420 0 0 560 0 0 cm /I1 Do Q\n" + invisible
    return pdf(
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 420 560] /Contents 5 0 R"
        b" /Resources << /Font << /F1 4 0 R >> /XObject << /I1 6 0 R >> >> >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray /BitsPerComponent 8"
        b" /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream"
        % (grey.shape[1], grey.shape[0], len(pixels), pixels),
    )


def test_the_layer_of_a_scan_is_taken_when_it_says_what_the_scan_shows(rapidocr):
    found, reading, _, _ = read(scan_with_layer(LINES, LINES), rapidocr)
    assert found == WANTED
    assert reading.engine.startswith("text layer")


@pytest.mark.parametrize(
    ("line", "lie"),
    [(2, "1. Tab. Methotrexate 500 mg 1+0+1 7 days"), (2, "1. Tab. Amoxicillin 250 mg 1+0+1 7 days"),
     (3, "2. Tab. Atenolol 500 mg od 14 days"), (3, "2. Tab. Amlodipine 50 mg od 14 days")],
    ids=["another medicine", "another strength", "a zero more", "a name much like it"],
)  # fmt: skip
def test_a_layer_that_says_something_else_than_the_picture_is_not_believed(rapidocr, line, lie):
    said = [(x, y, size, lie if number == line else text) for number, (x, y, size, text) in enumerate(LINES)]
    found, reading, _, _ = read(scan_with_layer(LINES, said), rapidocr)
    assert found == WANTED
    assert reading.engine.startswith("rapidocr")


def test_a_medicine_that_the_layer_keeps_quiet_about_is_read_all_the_same(rapidocr):
    found, _, _, _ = read(scan_with_layer(LINES, LINES[:3]), rapidocr)
    assert found == WANTED


def test_a_medicine_that_nobody_can_see_is_not_read(rapidocr):
    hidden = (40, 200, 16, "3. Tab. Methotrexate 10 mg od")
    found, _, _, _ = read(scan_with_layer(LINES, (*LINES, hidden)), rapidocr)
    assert found == WANTED


def test_a_second_text_below_the_visible_one_is_not_believed(rapidocr):
    doubled = text_pdf(*LINES, more=b"BT 3 Tr /F1 16 Tf 40 400 Td (1. Tab. Methotrexate 90 mg) Tj ET\n")
    found, reading, _, _ = read(doubled, rapidocr)
    assert found == WANTED
    assert reading.engine.startswith("rapidocr")


def test_a_layer_longer_than_any_page_is_left_out():
    flood = text_pdf(*LINES, more=b"BT /F1 1 Tf 10 10 Td (%s) Tj ET\n" % (b"ab " * 8000))
    assert load_bytes(flood)[0].layer == ()
