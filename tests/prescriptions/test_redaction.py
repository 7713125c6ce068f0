import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paper import LINES, typed_page
from test_understand import words_of

from prescriptions.box import Box
from prescriptions.lexicon import bundled_lexicon
from prescriptions.page import page_of
from prescriptions.pipeline import examine_page, read_page
from prescriptions.preprocess import PreparedPage
from prescriptions.redaction import PAPER, kept_words, redact
from prescriptions.understand import understand
from prescriptions.words import crop_word

LEXICON = bundled_lexicon("demo")


def kept(*lines):
    words = words_of(*lines)
    return [words[index].text for index in sorted(kept_words(words, understand(words, LEXICON)))]


def test_of_a_page_the_medicines_the_doses_the_name_and_the_hospital_are_kept():
    assert kept(
        "Lakeview Hospital Dr. Mehta",
        "14 Hospital Road Tel 02002 555 0100",
        "Name: Grace Walker Age: 61 Date: 4/11/2024",
        "1. Tab. Atenolol 50 mg 1+0+1 for 7 days",
        "Rest for three days Dr. Mehta",
    ) == ["Lakeview", "Hospital", "Grace", "Walker", "Tab.", "Atenolol", "50", "mg", "1+0+1", "7", "days"]  # fmt: skip


def test_what_is_no_dose_on_a_medicines_own_line_is_left_out():
    line = "Tab. Atenolol 50 mg od call 01711 555 123 or Mrs Novak x 7 days novak@example.org"
    assert kept(line) == ["Tab.", "Atenolol", "50", "mg", "od", "7", "days"]


def test_a_telephone_number_that_is_stuck_to_a_dose_takes_the_dose_with_it():
    assert kept("Tab. Atenolol 01711555123,bd") == ["Tab.", "Atenolol"]


def test_the_lines_below_a_medicine_keep_what_speaks_of_it():
    assert kept("Tab. Atenolol 50 mg", "take 1 + 0 + 1 please Grace", "Qty: 20 tabs", "555 0100") == [
        "Tab.", "Atenolol", "50", "mg", "1", "+", "0", "+", "1", "Qty:", "20", "tabs"]  # fmt: skip


def test_two_medicines_on_a_line_keep_their_own_doses():
    line = "Tab. Atenolol 50 mg od Karim Cap. Omeprazole 20 mg bd Roy"
    assert kept(line) == ["Tab.", "Atenolol", "50", "mg", "od", "Cap.", "Omeprazole", "20", "mg", "bd"]


@given(st.lists(st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=12), max_size=12))
def test_no_text_breaks_the_choice(texts):
    words = words_of(" ".join(texts), "Tab. Atenolol 50 mg", " ".join(texts))
    assert kept_words(words, understand(words, LEXICON)) <= set(range(len(words)))


def test_ink_that_nobody_read_is_white_and_what_is_kept_is_untouched():
    words = words_of("Tab. Atenolol 50 mg Novak")
    grey = np.full((60, 400), 200, np.uint8)
    picture = redact(grey, words, understand(words, LEXICON))
    shown = words[1].box
    assert (picture[shown.top : shown.bottom, shown.left : shown.right] == 200).all()
    private = words[4].box
    assert (picture[private.top : private.bottom, private.left : private.right] == PAPER).all()
    assert (picture[40:] == PAPER).all()


@pytest.fixture(scope="module")
def typed(rapidocr):
    page = page_of(np.asarray(typed_page()))
    return page, examine_page(page, rapidocr, LEXICON), read_page(page, rapidocr, LEXICON)


def test_a_redacted_page_reads_as_its_medicines_and_nothing_else(typed, rapidocr):
    _, examined, reading = typed
    assert reading.redacted.shape == examined.prepared.grey.shape
    again = " ".join(word.text for word in rapidocr.read(reading.redacted))
    assert all(said in again for said in ("Lakeview", "Grace", "Amoxicillin", "500", "1+0+1", "Cetirizine", "Atenolol"))
    assert not any(secret in again for secret in ("05551", "123", "0100", "Mill", "Road", "61", "Phone"))


def test_the_ink_of_every_private_line_is_gone(typed):
    _, examined, reading = typed
    scale = examined.prepared.to_page[1, 1]
    for top, height, text in LINES:
        if "Phone" in text or "Road" in text:
            rows = slice(int(top / scale), int((top + height) / scale))
            assert (reading.redacted[rows] == PAPER).all()


def test_a_crop_holds_nothing_of_the_words_beside_it():
    grey = np.full((80, 200), 245, np.uint8)
    grey[30:50, 60:100] = 20  # the word
    grey[30:50, 102:180] = 20  # a neighbour that reaches into the margin
    grey[27:29, 40:160] = 20  # a line above
    page = PreparedPage(grey, np.eye(3), 0.0)
    crop = crop_word(page, Box(60, 30, 100, 50), grey.shape)
    ink = np.argwhere(crop.pixels < 100)
    assert crop.pixels.shape == (26, 46)
    assert (ink.min(axis=0) >= 3).all()
    assert (ink.max(axis=0) < [23, 43]).all()
    assert len(ink) == 20 * 40
