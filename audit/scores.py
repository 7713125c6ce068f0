"""The scores file (docs/spec/scores.md): how many words each model of a lineage reads, as its maker scored them.

Nothing in it is on the chain, and no word is in it: digests, counts, and one bit for each word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from protocol import canonical_json
from protocol.canonical_json import JSONValue, expect_int, expect_list, expect_object, expect_str
from protocol.errors import MalformedError
from protocol.identifiers import AccountAddress, BlockHash, Digest, LineageId, digest_of
from protocol.ports import ChainIdentity

FORMAT = "fedrx-scores/1"
MAX_SCORES_FILE_BYTES = 64 << 20
MAX_WORDS = 1_000_000
MILLION = 1_000_000
_MAX_TEXT_CHARACTERS = 200
_KEYS = frozenset({"format", "deployment", "lineage_id", "exam", "models"})
_DEPLOYMENT_KEYS = frozenset(
    {"chain_id", "contract_address", "genesis_block_hash", "deployment_block_number", "deployment_block_hash"}
)
_EXAM_KEYS = frozenset({"words_digest", "words", "lexicon_digest", "backbone_digest", "scope"})
_MODEL_KEYS = frozenset(
    {"round", "model_digest", "correct", "low_millionths", "high_millionths", "right", "software"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Exam:
    """What the models were asked, and through which network: two scores compare only within one exam."""

    words_digest: Digest
    """Over the words and what is written on them, in their order (``words_digest``)."""
    words: int
    lexicon_digest: Digest | None
    """Of the lexicon whose names competed (docs/spec/lexicon.md, section 3); None: the labels of the words did."""
    backbone_digest: Digest
    scope: str


@dataclass(frozen=True, slots=True)
class ModelScore:
    """One published model in one exam."""

    round: int
    """That published it; of genesis, the lineage's genesis round."""
    model_digest: Digest
    low_millionths: int
    high_millionths: int
    """The 95 % Wilson interval of the share that is read right, in millionths, rounded outwards."""
    right: bytes
    """Bit i % 8 of byte i // 8, the lowest first, says whether word i was read right."""
    software: str
    """What scored it, with its version."""

    @property
    def correct(self) -> int:
        """How many words were read right."""
        return int.from_bytes(self.right, "little").bit_count()


@dataclass(frozen=True, slots=True)
class Scores:
    """The models of one lineage in one exam."""

    identity: ChainIdentity
    lineage_id: LineageId
    exam: Exam
    models: tuple[ModelScore, ...]
    """In order of their rounds, one for each."""


def words_digest(words: Sequence[tuple[Digest, str]]) -> Digest:
    """The digest of an exam's words (docs/spec/scores.md, section 2).

    Args:
        words: SHA-256 of each crop's file, and what is written on it.
    """
    return digest_of("exam-words", *(part for crop, label in words for part in (crop, _label_digest(label))))


def packed(right: Sequence[bool]) -> bytes:
    """One bit for each word, as ``ModelScore.right`` holds them."""
    bits = sum(1 << place for place, answer in enumerate(right) if answer)
    return bits.to_bytes(_bytes_of(len(right)), "little")


def encode_scores(scores: Scores) -> bytes:
    """The file's bytes."""
    identity, exam = scores.identity, scores.exam
    return canonical_json.encode(
        {
            "format": FORMAT,
            "deployment": {
                "chain_id": identity.chain_id,
                "contract_address": str(identity.contract_address),
                "genesis_block_hash": str(identity.genesis_block_hash),
                "deployment_block_number": identity.deployment_block_number,
                "deployment_block_hash": str(identity.deployment_block_hash),
            },
            "lineage_id": scores.lineage_id.hex(),
            "exam": {
                "words_digest": exam.words_digest.hex(),
                "words": exam.words,
                "lexicon_digest": None if exam.lexicon_digest is None else exam.lexicon_digest.hex(),
                "backbone_digest": exam.backbone_digest.hex(),
                "scope": exam.scope,
            },
            "models": [_encoded(model) for model in scores.models],
        }
    )


def parse_scores(data: bytes) -> Scores:
    """Reads what ``encode_scores`` wrote.

    Raises:
        MalformedError: Not such a file, or one whose counts contradict each other.
    """
    fields = canonical_json.parse_object(data, _KEYS)
    if fields["format"] != FORMAT:
        raise MalformedError(f"not a {FORMAT} file", hint="update the software, or ask for the file again")
    exam = _exam(fields["exam"])
    scores = Scores(
        _identity(fields["deployment"]),
        LineageId.from_hex(expect_str(fields["lineage_id"])),
        exam,
        tuple(_model(value, exam.words) for value in expect_list(fields["models"])),
    )
    rounds = [model.round for model in scores.models]
    if rounds != sorted(set(rounds)):
        raise MalformedError("the models are not in order of their rounds, one for each")
    if encode_scores(scores) != data:
        raise MalformedError("a digest or an address is not in its one spelling")
    return scores


def _encoded(model: ModelScore) -> dict[str, JSONValue]:
    return {
        "round": model.round,
        "model_digest": model.model_digest.hex(),
        "correct": model.correct,
        "low_millionths": model.low_millionths,
        "high_millionths": model.high_millionths,
        "right": model.right.hex(),
        "software": model.software,
    }


def _identity(value: JSONValue) -> ChainIdentity:
    fields = expect_object(value, _DEPLOYMENT_KEYS)
    return ChainIdentity(
        expect_int(fields["chain_id"]),
        AccountAddress.from_hex(expect_str(fields["contract_address"])),
        BlockHash.from_hex(expect_str(fields["genesis_block_hash"])),
        expect_int(fields["deployment_block_number"]),
        BlockHash.from_hex(expect_str(fields["deployment_block_hash"])),
    )


def _exam(value: JSONValue) -> Exam:
    fields = expect_object(value, _EXAM_KEYS)
    lexicon = fields["lexicon_digest"]
    return Exam(
        words_digest=Digest.from_hex(expect_str(fields["words_digest"])),
        words=expect_int(fields["words"], low=1, high=MAX_WORDS),
        lexicon_digest=None if lexicon is None else Digest.from_hex(expect_str(lexicon)),
        backbone_digest=Digest.from_hex(expect_str(fields["backbone_digest"])),
        scope=_short_text(fields["scope"]),
    )


def _model(value: JSONValue, words: int) -> ModelScore:
    fields = expect_object(value, _MODEL_KEYS)
    text = expect_str(fields["right"])
    try:
        right = bytes.fromhex(text)
    except ValueError as error:
        raise MalformedError("the answers are not hex") from error
    model = ModelScore(
        round=expect_int(fields["round"]),
        model_digest=Digest.from_hex(expect_str(fields["model_digest"])),
        low_millionths=expect_int(fields["low_millionths"], high=MILLION),
        high_millionths=expect_int(fields["high_millionths"], high=MILLION),
        right=right,
        software=_short_text(fields["software"]),
    )
    if len(right) != _bytes_of(words) or int.from_bytes(right, "little") >> words:
        raise MalformedError(f"the answers of round {model.round} are not one bit for each of {words} words")
    if model.correct != expect_int(fields["correct"]):
        raise MalformedError(f"round {model.round} states another number of right words than its answers give")
    if not model.low_millionths * words <= model.correct * MILLION <= model.high_millionths * words:
        raise MalformedError(f"the interval of round {model.round} does not hold its share of right words")
    return model


def _short_text(value: JSONValue) -> str:
    text = expect_str(value)
    if not text.isprintable() or not 0 < len(text) <= _MAX_TEXT_CHARACTERS:
        raise MalformedError(f"{text!r:.60} is not 1 to {_MAX_TEXT_CHARACTERS} printable characters")
    return text


def _label_digest(label: str) -> Digest:
    return digest_of("exam-label", label.encode("utf-8"))


def _bytes_of(words: int) -> int:
    return -(-words // 8)
