import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescriptions.confidence import name_confidence
from prescriptions.lexicon import NameMatch

shares = st.floats(0, 1)


def matches(*scores):
    return [NameMatch(f"name-{place}", score) for place, score in enumerate(scores)]


@given(shares, st.lists(shares, min_size=1, max_size=5).map(lambda scores: sorted(scores, reverse=True)))
def test_a_confidence_is_a_probability_and_never_certain(engine, scores):
    assert 0 <= name_confidence(engine, matches(*scores)) <= 0.99


def test_nothing_near_is_no_confidence():
    assert name_confidence(0.99, ()) == 0


@pytest.mark.parametrize(
    ("surer", "less_sure"),
    [
        ((0.99, (0.9, 0.75)), (0.6, (0.9, 0.75))),
        ((0.9, (0.9, 0.7)), (0.9, (0.8, 0.6))),
        ((0.9, (0.8, 0.5)), (0.9, (0.8, 0.75))),
        ((0.6, (0.6, 0.4)), (0.99, (0.6, 0.4))),
    ],
    ids=["clearer letters", "nearer name", "greater lead", "confident letters that spell no name"],
)
def test_what_makes_a_name_surer(surer, less_sure):
    assert name_confidence(surer[0], matches(*surer[1])) > name_confidence(less_sure[0], matches(*less_sure[1]))
