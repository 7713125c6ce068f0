from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from paper import LINES, typed_page
from PIL import ImageDraw, ImageFont

from prescriptions.box import Box
from prescriptions.preprocess import prepare
from prescriptions.reading import ReadWord
from prescriptions.segmentation import Segments, segment
from prescriptions.word_seams import part_words

PAGE = typed_page()


def wanted_words():
    """Line by line, how many words are drawn: a long blank is one gap."""
    return [len(text.split()) for _, _, text in LINES]


def test_every_line_and_word_of_a_typed_page_is_found():
    segments = segment(np.asarray(PAGE.convert("L")))
    assert [len(words) for words in segments.words] == wanted_words()
    assert [line.top for line in segments.lines] == sorted(line.top for line in segments.lines)


def test_words_are_where_they_were_drawn():
    segments = segment(np.asarray(PAGE.convert("L")))
    pen = ImageDraw.Draw(PAGE)
    for words, (top, size, text) in zip(segments.words, LINES, strict=True):
        font = ImageFont.load_default(size)
        for box, word in zip(words, text.split(), strict=True):
            left = 40 + pen.textlength(text[: text.index(word)], font=font)
            if text.count(word) == 1:
                assert abs(box.left - left) < 6, word
            assert top - 4 <= box.top < box.bottom <= top + 1.5 * size


def test_rules_frames_and_specks_are_no_words():
    page = typed_page(LINES[4:5])
    pen = ImageDraw.Draw(page)
    pen.rectangle((10, 10, 630, 810), outline=(0, 0, 0), width=3)
    pen.line((40, 600, 600, 602), fill=(0, 0, 0), width=3)
    pen.point([(50, 700), (90, 720)], fill=(0, 0, 0))
    assert len(segment(np.asarray(page.convert("L"))).lines) == 1


def test_a_blank_page_has_no_lines():
    assert segment(np.full((300, 200), 245, np.uint8)) == Segments((), ())


@given(arrays(np.uint8, st.tuples(st.integers(1, 60), st.integers(1, 60))))
def test_no_picture_breaks_the_segmentation(pixels):
    segments = segment(pixels)
    assert len(segments.lines) == len(segments.words)
    for line, words in zip(segments.lines, segments.words, strict=True):
        assert line.left == min(word.left for word in words)
        assert all(0 <= word.left < word.right <= pixels.shape[1] for word in words)


def segments_of(*spans):
    boxes = tuple(Box(left, 10, right, 30) for left, right in spans)
    return Segments((Box(boxes[0].left, 10, boxes[-1].right, 30),), (boxes,))


@pytest.mark.parametrize(
    ("text", "spans", "parts"),
    [
        ("TabAmoxil", [(0, 30), (42, 100)], ["Tab", "Amoxil"]),
        ("Syp.Napa", [(0, 45), (58, 100)], ["Syp.", "Napa"]),
        ("Amoxil500mg", [(0, 52), (64, 100)], ["Amoxil", "500mg"]),
        ("amoxicillin", [(0, 45), (58, 100)], ["amoxicillin"]),
        ("TabAmoxil", [(0, 100)], ["TabAmoxil"]),
        ("TabAmoxil", [(0, 70), (82, 100)], ["TabAmoxil"]),
        ("0.5", [(0, 40), (60, 100)], ["0.5"]),
    ],
    ids=["case", "full stop", "figure", "no seam", "no gap", "seam elsewhere", "decimal point"],
)
def test_a_word_is_parted_only_where_ink_and_text_both_show_a_seam(text, spans, parts):
    word = ReadWord(text, 0.8, Box(0, 8, 100, 32), 3)
    found = part_words([word], segments_of(*spans))
    assert [part.text for part in found] == parts
    assert all(part.line == 3 and part.confidence == 0.8 for part in found)
    assert [part.box.left for part in found] == [left for left, _ in spans][: len(parts)]


@given(st.text(min_size=1, max_size=20), st.lists(st.integers(1, 20), min_size=1, max_size=6))
def test_parting_loses_no_character_and_leaves_no_empty_word(text, steps):
    edges = np.cumsum([0, *steps]).tolist()
    spans = list(pairwise(edges))
    word = ReadWord(text, 0.5, Box(0, 8, edges[-1], 32), 0)
    found = part_words([word], segments_of(*spans))
    assert "".join(part.text for part in found) == text
    assert all(part.text for part in found)


def test_the_prepared_page_is_segmented_as_the_scan_is():
    prepared = prepare(np.asarray(PAGE))
    found = [len(words) for words in segment(prepared.grey).words]
    assert np.abs(np.subtract(found, wanted_words())).sum() <= 1
