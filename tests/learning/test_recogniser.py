"""learning/recogniser.py, learning/lexicon_index.py, learning/alphabet.py"""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.alphabet import Alphabet
from learning.lexicon_index import LexiconIndex
from learning.recogniser import log_probability_of
from protocol.errors import LearningError
from tests.learning.drawn_words import NAMES, draw_word

SMALL = Alphabet("ab")


@pytest.fixture(scope="module")
def recogniser(backbone):
    return backbone.with_parameters(backbone.initial_parameters())


def test_drawn_words_are_read_without_training(recogniser, features):
    readings = recogniser.read(features, LexiconIndex.of(NAMES), threshold=0.3)
    assert [reading.name for reading in readings] == list(NAMES)
    assert not any(reading.abstained for reading in readings)


def test_the_frames_choose_a_name_that_the_string_alone_would_not(recogniser, backbone):
    (reading,) = recogniser.read_crops([draw_word("SECLO")], LexiconIndex.of(["Seclo", "Secl", "Napa"]))
    assert reading.candidates[0][0] == "Seclo"


def test_a_word_that_the_lexicon_does_not_hold_makes_the_reader_abstain(recogniser):
    (reading,) = recogniser.read_crops([draw_word("Paracetamol")], LexiconIndex.of(["Xyz", "Fexo"]), threshold=0.5)
    assert reading.abstained
    assert reading.name is None
    assert reading.text


def test_probabilities_are_sorted_and_leave_room_for_none_of_these(recogniser, features):
    for reading in recogniser.read(features, LexiconIndex.of(NAMES)):
        shares = [share for _, share in reading.candidates]
        assert shares == sorted(shares, reverse=True)
        assert 0 < sum(shares) < 1
        assert reading.confidence == shares[0]


def test_an_empty_lexicon_gives_text_and_no_name(recogniser, features):
    (reading,) = recogniser.read(features[:1], LexiconIndex.of([]))
    assert (reading.candidates, reading.confidence, reading.abstained) == ((), 0.0, True)


def test_a_synonym_is_reported_under_its_canonical_name(recogniser):
    names = LexiconIndex.of(["Paracetamol", "Napa"], {"acetaminophen": "Paracetamol"})
    (reading,) = recogniser.read_crops([draw_word("Acetaminophen")], names)
    assert reading.name == "Paracetamol"


def test_a_name_that_the_alphabet_cannot_write_is_left_out_and_an_accent_is_dropped(recogniser):
    names = LexiconIndex.of(["নাপা", "Séclo"])
    (reading,) = recogniser.read_crops([draw_word("Seclo")], names)
    assert [name for name, _ in reading.candidates] == ["Séclo"]


def test_a_name_longer_than_the_frames_is_never_a_candidate(recogniser, features):
    (reading,) = recogniser.read(features[:1], LexiconIndex.of(["a" * 64, NAMES[0]]))
    assert [name for name, _ in reading.candidates] == [NAMES[0]]


def test_the_shortlist_bounds_the_candidates(recogniser, features):
    (reading,) = recogniser.read(features[:1], LexiconIndex.of(NAMES), shortlist=3)
    assert len(reading.candidates) == 3
    assert reading.name == NAMES[0]


def test_the_lexicon_score_is_the_sum_over_all_alignments():
    log_probs = np.log(np.random.default_rng(5).dirichlet(np.ones(3), size=4)).astype(np.float32)
    totals = {}
    for path in itertools.product(range(3), repeat=4):
        text = SMALL.decode_greedy(path)
        totals[text] = totals.get(text, 0.0) + math.exp(sum(float(log_probs[t, k]) for t, k in enumerate(path)))
    texts = ["a", "b", "ab", "aa", "bab", "abab"]
    scores = log_probability_of([SMALL.encode(text) for text in texts], log_probs)
    assert np.allclose(np.exp(scores), [totals[text] for text in texts], atol=1e-6)
    assert log_probability_of([SMALL.encode("aaa")], log_probs)[0] == -math.inf


@given(st.text(alphabet="ab", min_size=1, max_size=20))
def test_encoding_with_blanks_between_decodes_to_the_same_text(text):
    path = [index for symbol in SMALL.encode(text) for index in (symbol, symbol, 0)]
    assert SMALL.decode_greedy(path) == text


def test_a_label_outside_the_alphabet_names_its_character(backbone):
    with pytest.raises(LearningError, match=r"'é' \(U\+00E9\)"):
        backbone.alphabet.encode("Séclo")
    with pytest.raises(LearningError, match="empty"):
        backbone.alphabet.encode("")


def test_an_alphabet_with_a_repeated_character_is_refused():
    with pytest.raises(LearningError, match="twice"):
        Alphabet("aba")


def test_the_alphabet_has_97_symbols_with_the_blank(backbone):
    assert backbone.alphabet.size == 97


def test_the_nearest_entries_ignore_case_and_accents():
    names = LexiconIndex.of(["Napa", "Séclo", "Fexo", "Napa", " "])
    assert [entry.name for entry in names.entries] == ["Napa", "Séclo", "Fexo"]
    assert names.nearest("SECLO", 1)[0].name == "Séclo"
