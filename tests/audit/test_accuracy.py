"""How accuracy moved, in words, and whether chance explains it."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.accuracy import Accuracy, ScoredModel, accuracy_of, movement, sign_test
from audit.scores import Exam, ModelScore, Scores, packed
from protocol.errors import AuditError, ConfigError
from protocol.identifiers import Digest, digest_of, lineage_id_of
from tests.protocol.values import IDENTITY

LINEAGE = lineage_id_of("tests")


def model(number: int) -> Digest:
    return digest_of("test-model", bytes([number]))


def scored(number: int, right: str, low: int = 0, high: int = 10**6) -> ModelScore:
    return ModelScore(number, model(number), low, high, packed([mark == "+" for mark in right]), "fedrx 1")


def scores(*models: ModelScore, words: int = 8, lexicon: Digest | None = None) -> Scores:
    exam = Exam(digest_of("test-words"), words, lexicon, digest_of("test-backbone"), "head")
    return Scores(IDENTITY, LINEAGE, exam, models)


def told(before: str, after: str) -> str:
    file = scores(scored(2, before), scored(4, after), words=len(before))
    found = Accuracy([file]).of(LINEAGE, model(4), model(2))
    assert found is not None
    return found.moved


@given(st.integers(0, 300), st.integers(0, 300))
def test_the_sign_test_is_the_tail_of_a_fair_coin(gained: int, lost: int) -> None:
    tail = Fraction(sum(comb(gained + lost, count) for count in range(min(gained, lost) + 1)), 2 ** (gained + lost))
    assert sign_test(gained, lost) == pytest.approx(float(min(Fraction(1), 2 * tail)), rel=1e-9)
    assert sign_test(gained, lost) == sign_test(lost, gained)


@pytest.mark.parametrize(
    ("gained", "lost", "p_value"), [(18, 6, 0.02266), (6, 0, 0.03125), (5, 0, 0.0625), (1, 0, 1.0), (0, 0, 1.0)]
)
def test_known_p_values(gained: int, lost: int, p_value: float) -> None:
    assert sign_test(gained, lost) == pytest.approx(p_value, abs=5e-6)


def test_very_many_words_have_a_p_value_too() -> None:
    assert sign_test(500_000, 500_000) == 1.0
    assert sign_test(501_000, 499_000) == pytest.approx(0.0456, abs=1e-3)
    assert sign_test(1_000_000, 0) == 0.0


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(*[st.lists(st.booleans(), min_size=n, max_size=n)] * 2)))
def test_words_gained_and_lost_make_up_the_difference(pair: tuple[list[bool], list[bool]]) -> None:
    before, after = (ModelScore(0, model(0), 0, 10**6, packed(right), "fedrx 1") for right in pair)
    change = movement(before, after)
    assert change.gained - change.lost == sum(pair[1]) - sum(pair[0])
    assert change.gained + change.lost == sum(old != new for old, new in zip(*pair, strict=True))


def test_a_change_is_told_with_what_was_gained_and_lost() -> None:
    assert told("------++", "++++++--") == (
        "4 more than round 2: 6 newly right, 2 newly wrong; could be chance (p = 0.289)"
    )
    assert told("+-+", "-+-") == "1 fewer than round 2: 1 newly right, 2 newly wrong; could be chance (p = 1.000)"
    assert told("+-", "-+") == "as many as round 2: 1 newly right, 1 newly wrong; could be chance (p = 1.000)"
    assert told("+-", "+-") == "the same words as round 2"
    assert told("-" * 6, "+" * 6).endswith("6 newly right, 0 newly wrong; more than chance (p = 0.031)")
    assert told("-" * 20, "+" * 20).endswith("more than chance (p < 0.001)")


def test_a_model_is_told_with_its_share_and_interval() -> None:
    file = scores(scored(1, "+++++++-", low=529_112, high=977_586))
    found = Accuracy([file]).of(LINEAGE, model(1), model(0))
    assert found is not None
    assert found.sentence == "7 of 8 words (87.5 %, 52.9 to 97.8)"
    assert found.movement is None


def test_what_no_file_says_is_none() -> None:
    accuracy = Accuracy([scores(scored(1, "+" * 8))])
    assert accuracy.of(LINEAGE, model(2), model(1)) is None
    assert accuracy.of(lineage_id_of("other"), model(1), None) is None
    assert accuracy.sources(lineage_id_of("other")) == ()


def test_the_exam_and_its_maker_are_named() -> None:
    (own,) = Accuracy([scores()]).sources(LINEAGE)
    assert own.startswith(f"Scored on 8 words (digest {digest_of('test-words')}) among the words' own labels")
    assert "by whoever made the scores file" in own
    (of_lexicon,) = Accuracy([scores(lexicon=digest_of("lexicon"))]).sources(LINEAGE)
    assert f"the lexicon {digest_of('lexicon')}" in of_lexicon


def test_scores_of_another_deployment_are_refused() -> None:
    elsewhere = dataclasses.replace(IDENTITY, deployment_block_number=IDENTITY.deployment_block_number + 1)
    assert accuracy_of([scores()], [elsewhere, IDENTITY]).sources(LINEAGE)
    with pytest.raises(AuditError, match="of another deployment"):
        accuracy_of([scores()], [elsewhere])


def test_two_exams_of_one_lineage_are_not_mixed_up() -> None:
    with pytest.raises(ConfigError, match="about one lineage"):
        accuracy_of([scores(), scores(words=9)], [IDENTITY])


def test_a_scored_model_knows_its_interval_as_shares() -> None:
    one = ScoredModel(scores().exam, scored(1, "++++----", low=250_000, high=750_000), None)
    assert (one.low, one.share, one.high) == (0.25, 0.5, 0.75)
