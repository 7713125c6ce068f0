"""docs/spec/scores.md: the file comes back, and no file that contradicts itself is taken."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.scores import Exam, ModelScore, Scores, encode_scores, packed, parse_scores, words_digest
from protocol.errors import MalformedError
from protocol.identifiers import Digest, LineageId
from tests.protocol.values import IDENTITY

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "scores.json").read_text(encoding="utf-8"))
DIGESTS = st.binary(min_size=32, max_size=32)


@st.composite
def scores_files(draw: st.DrawFn) -> Scores:
    words = draw(st.integers(1, 70))
    lexicon = draw(st.none() | DIGESTS)
    exam = Exam(
        Digest(draw(DIGESTS)), words, None if lexicon is None else Digest(lexicon), Digest(draw(DIGESTS)), "neck"
    )
    models = []
    for number in sorted(draw(st.sets(st.integers(0, 2**53 - 1), max_size=5))):
        right = draw(st.lists(st.booleans(), min_size=words, max_size=words))
        low = draw(st.integers(0, sum(right) * 10**6 // words))
        high = draw(st.integers(-(-sum(right) * 10**6 // words), 10**6))
        models.append(ModelScore(number, Digest(draw(DIGESTS)), low, high, packed(right), "fedrx 1"))
    return Scores(IDENTITY, LineageId(draw(DIGESTS)), exam, tuple(models))


@given(scores_files())
def test_a_file_comes_back_as_it_was(scores: Scores) -> None:
    assert parse_scores(encode_scores(scores)) == scores


@given(scores_files(), st.data())
def test_no_other_bytes_say_the_same(scores: Scores, data: st.DataObject) -> None:
    whole = encode_scores(scores)
    place = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[place] ^= data.draw(st.integers(1, 255))
    try:
        found = parse_scores(bytes(changed))
    except MalformedError:
        return
    assert found != scores
    assert encode_scores(found) == changed


@given(st.lists(st.booleans(), min_size=1, max_size=70))
def test_each_word_has_its_own_bit(right: list[bool]) -> None:
    bits = packed(right)
    assert len(bits) == (len(right) + 7) // 8
    assert [bool(bits[place // 8] >> place % 8 & 1) for place in range(len(right))] == right


@given(st.lists(st.tuples(DIGESTS.map(Digest), st.text()), min_size=1, max_size=4), st.data())
def test_another_word_label_or_order_is_another_exam(words: list[tuple[Digest, str]], data: st.DataObject) -> None:
    other = data.draw(st.lists(st.tuples(DIGESTS.map(Digest), st.text()), max_size=4) | st.permutations(words))
    assert (words_digest(words) == words_digest(other)) == (words == other)


def test_what_the_vectors_accept_is_read_and_written() -> None:
    for case in VECTORS["accepted"]:
        scores = parse_scores(case["file"].encode())
        assert encode_scores(scores).decode() == case["file"]
        assert [model.correct for model in scores.models] == case["correct"]
        words = [(Digest.from_hex(word["crop"]), word["label"]) for word in case["exam"]]
        assert words_digest(words) == scores.exam.words_digest
        assert [packed(right).hex() for right in case["answers"]] == [model.right.hex() for model in scores.models]


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda case: case["name"])
def test_what_the_vectors_refuse_is_malformed(case: dict[str, str]) -> None:
    text = VECTORS["accepted"][0]["file"]
    assert case["replace"] in text
    with pytest.raises(MalformedError):
        parse_scores(text.replace(case["replace"], case["by"], 1).encode())


def _swap(value: dict[str, Any]) -> None:
    value["models"].reverse()


def _repeat(value: dict[str, Any]) -> None:
    value["models"].append(value["models"][-1])


@pytest.mark.parametrize("change", [_swap, _repeat])
def test_models_out_of_order_or_twice_are_malformed(change: Callable[[dict[str, Any]], None]) -> None:
    value = json.loads(VECTORS["accepted"][0]["file"])
    change(value)
    with pytest.raises(MalformedError, match="order of their rounds"):
        parse_scores(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())
