import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from prescriptions.box import Box
from prescriptions.readers import make_reader
from prescriptions.word_split import ReadLine, ink_of, words_of
from prescriptions.words import decode_png, encode_png
from protocol.errors import ConfigError, PrescriptionError

shapes = st.tuples(st.integers(1, 40), st.integers(1, 90))
boxes = st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(1, 50), st.integers(1, 50)).map(
    lambda four: Box(four[0], four[1], four[0] + four[2], four[1] + four[3])
)


@given(arrays(np.uint8, shapes))
def test_a_crop_survives_png(pixels):
    assert np.array_equal(decode_png(encode_png(pixels)), pixels)


@pytest.mark.parametrize(
    "damage",
    [lambda png: b"", lambda png: png[:30], lambda png: b"GIF" + png, lambda png: png[:16] + b"\x7f" + png[17:]],
)
def test_a_damaged_crop_is_refused(damage):
    with pytest.raises(PrescriptionError):
        decode_png(damage(encode_png(np.zeros((20, 30), np.uint8))))


def test_a_crop_of_another_kind_is_a_bug_of_the_caller():
    for pixels in (np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2)), np.zeros((0, 2), np.uint8)):
        with pytest.raises(ValueError, match="grey uint8"):
            encode_png(pixels)


@given(boxes, boxes)
def test_overlap_is_symmetric_and_one_only_for_the_same_box(one, other):
    assert one.overlap(other) == other.overlap(one)
    assert 0 <= one.overlap(other) <= 1
    assert (one.overlap(other) == 1) == (one == other)


def blocks(*spans, height=40, width=300):
    picture = np.full((height, width), 245, np.uint8)
    for left, right in spans:
        picture[12:28, left:right] = 20
    return ink_of(picture)


def test_words_are_cut_in_the_gaps_of_the_ink_and_not_where_the_engine_guesses():
    ink = blocks((20, 60), (90, 170), (200, 260))
    centres = (30, 45, 70, 110, 130, 150, 195, 220, 250)  # the engine's own places are up to 30 pixels off
    words = words_of([ReadLine("Tab Abc 500", Box(10, 5, 290, 35), tuple(map(float, centres)), (0.5,) * 9)], ink)
    assert [(word.text, word.box) for word in words] == [
        ("Tab", Box(20, 12, 60, 28)), ("Abc", Box(90, 12, 170, 28)), ("500", Box(200, 12, 260, 28))]  # fmt: skip


def test_words_are_cut_without_any_places_from_the_engine():
    ink = blocks((20, 60), (90, 170), (200, 260))
    words = words_of([ReadLine("Tab Amoxil 500", Box(18, 5, 265, 35), (), (0.7,))], ink)
    assert [word.box.left for word in words] == [20, 90, 200]
    assert {word.confidence for word in words} == {0.7}


@pytest.mark.parametrize(
    ("read", "texts"),
    [("1.Tab.Amoxil500mg", ["1.", "Tab.", "Amoxil", "500mg"]), ("Amoxil 0.5 mg", ["Amoxil", "0.5", "mg"]),
     ("Cap.Omez 20mg", ["Cap.", "Omez", "20mg"]), ("e.g. B12", ["e.g.", "B12"])],
)  # fmt: skip
def test_words_that_are_stuck_together_are_parted(read, texts):
    words = words_of([ReadLine(read, Box(0, 0, 300, 40), (), (0.9,))], blocks((0, 300)))
    assert [word.text for word in words] == texts


def test_parts_side_by_side_are_one_line_and_lines_run_from_top_to_bottom():
    ink = np.zeros((200, 300), bool)
    lines = [ReadLine(text, Box(left, top, left + 80, top + 30), (), (1.0,))
             for text, left, top in (("below", 10, 100), ("right", 200, 14), ("left", 10, 10))]  # fmt: skip
    assert [(word.text, word.line) for word in words_of(lines, ink)] == [("left", 0), ("right", 0), ("below", 1)]


@given(st.text(max_size=30), st.integers(0, 40))
def test_no_text_and_no_count_of_characters_breaks_the_split(text, places):
    line = ReadLine(text, Box(3, 2, 150, 30), tuple(float(5 + 3 * place) for place in range(places)), (0.5,))
    words = words_of([line], blocks((20, 60), (90, 140)))
    assert sum(len(word.text) for word in words) == sum(not character.isspace() for character in text)


def test_a_reader_that_does_not_exist_is_a_config_error():
    with pytest.raises(ConfigError, match="rapidocr, easyocr"):
        make_reader("magic")
