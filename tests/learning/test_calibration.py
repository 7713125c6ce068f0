"""learning/calibration.py, and that a reader uses its backbone's own."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.backbones import make_backbone
from learning.calibration import Calibration
from learning.lexicon_index import LexiconIndex
from learning.published import PUBLISHED
from learning.recogniser import Recogniser
from tests.learning.drawn_words import NAMES

PLAIN = Calibration(temperature=0.4, none_of_these=-2.5, abstain_below=0.5)
SCORES = st.dictionaries(st.sampled_from(NAMES), st.floats(-50, 0), max_size=len(NAMES))
CALIBRATIONS = st.builds(Calibration, st.floats(0.05, 5), st.floats(-10, 0), st.just(0.5))


@given(SCORES, CALIBRATIONS)
def test_names_and_none_of_these_share_one(scores, calibration):
    found = calibration.probabilities(scores)
    shares = [share for _, share in found]
    assert {name for name, _ in found} == set(scores)
    assert shares == sorted(shares, reverse=True)
    assert 0 <= sum(shares) <= 1 + 1e-12


@given(SCORES, CALIBRATIONS, st.floats(-20, 20))
def test_only_differences_of_scores_count(scores, calibration, shift):
    moved = replace(calibration, none_of_these=calibration.none_of_these + shift)
    expected = dict(calibration.probabilities(scores))
    found = dict(moved.probabilities({name: score + shift for name, score in scores.items()}))
    assert found == pytest.approx(expected, abs=1e-9)


def test_a_name_at_the_score_of_none_of_these_is_as_likely_as_it():
    assert PLAIN.probabilities({"Napa": -2.5}) == (("Napa", 0.5),)
    ((_, share),) = PLAIN.probabilities({"Napa": -2.1})
    assert share == pytest.approx(math.e / (1 + math.e))


def test_equal_scores_are_ordered_by_name():
    assert [name for name, _ in PLAIN.probabilities({"Seclo": -1.0, "Ace": -1.0, "Napa": -0.5})] == [
        "Napa",
        "Ace",
        "Seclo",
    ]


def test_without_a_name_there_is_no_probability():
    assert PLAIN.probabilities({}) == ()


@pytest.mark.parametrize("published", PUBLISHED, ids=lambda published: published.name)
def test_a_backbone_has_the_calibration_that_was_published_for_it(published):
    assert make_backbone(published.name).calibration == published.calibration
    assert published.calibration.temperature > 0
    assert 0 < published.calibration.abstain_below < 1


def test_a_reading_is_made_of_its_backbones_calibration_and_the_scores(backbone, features):
    class Doubtful:
        """The same network, which believes nothing."""

        calibration = Calibration(temperature=0.4, none_of_these=1000.0, abstain_below=0.5)

        def __getattr__(self, name):
            return getattr(backbone, name)

    names = LexiconIndex.of(NAMES)
    reader = backbone.with_parameters(backbone.initial_parameters())
    (log_probs,) = reader.frame_log_probs(features[:1])
    scores = reader.name_scores(log_probs, names)
    assert reader.read_frames(log_probs, names).candidates == backbone.calibration.probabilities(scores)
    doubtful = Recogniser(Doubtful(), reader._parameters).read_frames(log_probs, names)
    assert doubtful.confidence == pytest.approx(0.0)
    assert doubtful.text == reader.read_frames(log_probs, names).text


def test_scores_come_in_the_order_of_the_shortlist(backbone, features):
    reader = backbone.with_parameters(backbone.initial_parameters())
    (log_probs,) = reader.frame_log_probs(features[:1])
    names = LexiconIndex.of([*NAMES, "a" * 64])
    text = reader.read_frames(log_probs, names).text
    assert list(reader.name_scores(log_probs, names, shortlist=3)) == [e.name for e in names.nearest(text, 3)]
    assert "a" * 64 not in reader.name_scores(log_probs, names)
