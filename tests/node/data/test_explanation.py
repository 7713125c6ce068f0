"""node/data/explanation.py and node/data/explanation_picture.py: where the model saw each letter."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from learning.alphabet import Alphabet
from learning.lexicon_index import LexiconIndex
from learning.recogniser import Reading
from node.data.explanation import Explanation, SeenLetter, SeenSpelling, explain
from node.data.explanation_picture import _spread, explanation_png

ALPHABET = Alphabet("napcise")
GRID = (10, 40)
FRAMES = 40
NAMES = LexiconIndex.of(["nap", "napa", "naps", "cis"])


def frames_that_say(path: str, sure: float = 0.9) -> np.ndarray:
    """One character a frame; a dot is a blank."""
    probabilities = np.full((FRAMES, ALPHABET.size), (1 - sure) / (ALPHABET.size - 1), np.float32)
    for frame, character in enumerate(path.ljust(FRAMES, ".")):
        probabilities[frame, 0 if character == "." else ALPHABET.encode(character)[0]] = sure
    return np.log(probabilities)


def explained(path: str, *candidates: tuple[str, float], abstained: bool = False, text: str = "") -> Explanation:
    """A crop that fills the grid, so that a frame is a column."""
    reading = Reading(text, candidates, candidates[0][1] if candidates else 0.0, abstained)
    return explain(reading, frames_that_say(path), np.full(GRID, 230, np.uint8), NAMES, ALPHABET, GRID)


def places(spelling: SeenSpelling) -> list[tuple[str, float, float]]:
    return [(seen.letter, seen.left, seen.right) for seen in spelling.letters]


def test_each_letter_stands_in_the_columns_of_its_frames():
    found = explained("..nn...a....p..a", ("napa", 0.8))
    assert places(found.first) == [("n", 2, 4), ("a", 7, 8), ("p", 12, 13), ("a", 15, 16)]
    assert [seen.probability for seen in found.first.letters] == pytest.approx([0.9] * 4)
    assert found.claimed
    assert found.first.share == 0.8


def test_the_spelling_that_the_frames_say_most_is_placed():
    names = LexiconIndex.of(["pan"], {"nap": "pan"})
    reading = Reading("nap", (("pan", 0.9),), 0.9, abstained=False)
    found = explain(reading, frames_that_say("n..a..p"), np.full(GRID, 230, np.uint8), names, ALPHABET, GRID)
    assert found.first.name == "pan"
    assert "".join(seen.letter for seen in found.first.letters) == "nap"


def test_a_near_name_is_marked_where_it_differs():
    found = explained("n..a..p..a", ("napa", 0.6), ("naps", 0.2), ("nap", 0.1))
    changed, shorter = found.others
    assert "".join(seen.letter for seen in changed.letters) == "naps"
    assert [seen.differs for seen in changed.letters] == [False, False, False, True]
    assert changed.letters[3].probability < 0.1
    assert [(seen.letter, seen.differs) for seen in shorter.letters] == [
        ("n", False), ("a", False), ("p", False), ("", True),
    ]  # fmt: skip
    assert shorter.letters[3].left == found.first.letters[3].left


def test_a_name_that_is_not_near_is_left_out_unless_it_is_the_next_one():
    found = explained("n..a..p..a", ("napa", 0.9), ("naps", 1e-6), ("nap", 1e-7))
    assert [other.name for other in found.others] == ["naps"]


def test_case_is_no_difference():
    alphabet = Alphabet("napNAP")
    names = LexiconIndex.of(["napa", "Napan"])
    log_probs = np.full((FRAMES, alphabet.size), np.log(1 / alphabet.size), np.float32)
    reading = Reading("", (("napa", 0.5), ("Napan", 0.4)), 0.5, abstained=False)
    found = explain(reading, log_probs, np.full(GRID, 230, np.uint8), names, alphabet, GRID)
    assert sum(seen.differs for seen in found.others[0].letters) == 1


def test_a_reading_without_a_claim_shows_the_letters_that_were_read():
    found = explained("n..e..p", ("nap", 0.3), ("cis", 0.1), abstained=True, text="nep")
    assert not found.claimed
    assert places(found.first) == [("n", 0, 1), ("e", 3, 4), ("p", 6, 7)]
    assert [other.name for other in found.others] == ["nap", "cis"]
    assert [seen.differs for seen in found.others[0].letters] == [False, True, False]
    assert found.sentence.startswith("No name is sure enough. Letters from left to right: n 90%, e 90%")


def test_a_word_in_which_nothing_was_read_says_so():
    found = explained("", abstained=True)
    assert found.first.letters == ()
    assert "none was seen" in found.sentence
    assert Image.open(BytesIO(explanation_png([("", found)]))).width == 640


def picture_of(*explanations: Explanation) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(explanation_png([("page 1", found) for found in explanations]))))


def test_the_paper_is_coloured_where_a_letter_was_seen_and_ink_stays_dark():
    crop = np.full((20, 120), 255, np.uint8)
    crop[:, 60:66] = 10
    letters = (SeenLetter("n", 20, 30, 0.9), SeenLetter("a", 58, 70, 0.2))
    picture = picture_of(Explanation(crop, SeenSpelling("na", 0.8, letters), ())).astype(int)
    scale = 584 / 120
    row = picture[84 + 58 + 10]
    seen, weak, bare, ink = (row[28 + round(scale * column)] for column in (25, 68, 110, 63))
    assert seen[2] > seen[0] + 40
    assert weak[0] > weak[2] + 40
    assert (bare == 255).all()
    assert ink.max() < 30


def test_each_word_has_a_card_of_its_own():
    one = explained("n..a..p..a", ("napa", 0.6), ("naps", 0.2))
    assert picture_of(one, one).shape[0] > 2 * picture_of(one).shape[0]


def test_a_longer_word_than_the_card_is_drawn_all_the_same():
    letters = tuple(SeenLetter("m", float(at), float(at), 0.5) for at in range(40))
    other = SeenSpelling("other", 0.1, tuple(replace(seen, letter="", differs=True) for seen in letters))
    found = Explanation(np.full((2, 3000), 200, np.uint8), SeenSpelling("m" * 40, 0.5, letters), (other,))
    assert picture_of(found).shape[1] == 640


@given(st.lists(st.floats(min_value=28, max_value=612), max_size=60).map(sorted))
def test_letters_never_cover_each_other_or_leave_the_card(middles):
    cell, spread = _spread(middles)
    assert len(spread) == len(middles)
    assert all(after - before >= cell - 1e-6 for before, after in pairwise(spread))
    assert all(28 + cell / 2 - 1e-6 <= place <= 612 - cell / 2 + 1e-6 for place in spread)


def test_letters_that_stand_apart_are_not_moved():
    assert _spread([100.0, 300.0, 400.0])[1] == [100.0, 300.0, 400.0]
