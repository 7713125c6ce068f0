"""learning/evaluation.py"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.evaluation import evaluate, score_of
from learning.lexicon_index import LexiconIndex
from protocol.errors import LearningError
from tests.learning.drawn_words import NAMES


@st.composite
def counts(draw):
    total = draw(st.integers(1, 10_000))
    return draw(st.integers(0, total)), total


@given(counts())
def test_the_interval_holds_the_accuracy_and_stays_within_0_and_1(pair):
    score = score_of(*pair)
    assert 0 <= score.low <= score.accuracy <= score.high <= 1
    assert score.low < score.high


@given(counts())
def test_the_interval_of_the_wrong_answers_is_the_mirror_image(pair):
    correct, total = pair
    score, mirror = score_of(correct, total), score_of(total - correct, total)
    assert score.low == pytest.approx(1 - mirror.high, abs=1e-12)


@given(counts(), st.integers(2, 10))
def test_more_samples_at_the_same_accuracy_narrow_the_interval(pair, factor):
    correct, total = pair
    few, many = score_of(correct, total), score_of(correct * factor, total * factor)
    assert many.high - many.low < few.high - few.low


def test_a_known_interval():
    score = score_of(8, 10)
    assert (round(score.low, 4), round(score.high, 4)) == (0.4902, 0.9433)


@pytest.mark.parametrize(("correct", "total"), [(0, 0), (-1, 5), (6, 5)])
def test_impossible_counts_are_refused(correct, total):
    with pytest.raises(LearningError):
        score_of(correct, total)


def test_right_and_wrong_labels_are_counted(backbone, features):
    recogniser = backbone.with_parameters(backbone.initial_parameters())
    labels = [*NAMES[:-2], NAMES[0], NAMES[0]]
    score = evaluate(recogniser, features, labels, LexiconIndex.of(NAMES))
    assert (score.correct, score.total) == (len(NAMES) - 2, len(NAMES))


def test_labels_that_do_not_match_the_crops_are_refused(backbone, features):
    recogniser = backbone.with_parameters(backbone.initial_parameters())
    with pytest.raises(LearningError, match="do not fit"):
        evaluate(recogniser, features, NAMES[:2], LexiconIndex.of(NAMES))
