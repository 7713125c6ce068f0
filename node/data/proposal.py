"""What the reader proposed for one word, as the local store keeps it."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from prescriptions.prescription_codec import line_of, line_value
from prescriptions.understand import UNKNOWN_MEDICINE, MedicineLine
from protocol.canonical_json import JSONValue, encode, expect_int, expect_list, expect_object, expect_str, parse
from protocol.errors import MalformedError

_KEYS = frozenset(
    {"text", "confidence", "candidates", "strength", "form", "frequency", "flags", "where", "line", "model"}
)
_CANDIDATE_KEYS = frozenset({"name", "score"})
_MODEL_KEYS = frozenset({"round", "text", "candidates", "sure"})

READERS_DISAGREE = "readers-disagree"
"""The page reader and the global model name different medicines."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A medicine that a word may name."""

    name: str
    score: float
    """Likeness of the read text and the name, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a word stands."""

    file: str
    """Name of the imported file, without its folder."""
    page: int
    """1-based within the file."""
    box: tuple[int, int, int, int]
    """Left, top, right, bottom in pixels of the page."""


@dataclass(frozen=True, slots=True)
class ModelReading:
    """What the site's global model read in the same crop."""

    round: int
    """Of the model."""
    text: str
    """The letters, free of any lexicon."""
    candidates: tuple[Candidate, ...]
    """Names with their probabilities, best first."""
    sure: bool
    """Whether the best one is probable enough to be claimed (``abstain_below`` in the settings)."""

    @property
    def name(self) -> str | None:
        """The medicine that the model claims, if any."""
        return self.candidates[0].name if self.sure and self.candidates else None


@dataclass(frozen=True, slots=True)
class Proposal:
    """What was read in a crop and what it may mean."""

    text: str
    """The word as the page reader read it."""
    confidence: float
    """Of the page reader, 0 to 1."""
    candidates: tuple[Candidate, ...]
    """Of the page reader's text, best first; empty when nothing of the lexicon is near."""
    strength: str
    """Read beside the word, or empty."""
    form: str
    """Read beside the word, or empty."""
    frequency: str
    """Read beside the word, or empty."""
    flags: tuple[str, ...]
    """What a person should look at, such as a strength that the lexicon does not know for the medicine."""
    where: Whereabouts
    """So that a person finds the word on the paper."""
    model: ModelReading | None = None
    """The second reading; None while the site has no global model."""
    line: MedicineLine | None = None
    """Everything that was read of the medicine's line; None where only a word was read."""

    @property
    def label(self) -> str:
        """What a person accepts: the model's medicine, else the page reader's, else its text."""
        if self.model is not None and self.model.name is not None:
            return self.model.name
        return self.engine_name or self.text

    @property
    def certainty(self) -> float:
        """How sure the label is, 0 to 1. Two readers that agree are surer than each; that disagree, less than half."""
        likeness = self.candidates[0].score if self.candidates else 0.0
        engine = self.confidence * likeness if self.line is None else self.line.confidence
        if self.model is None or self.model.name is None:
            return engine
        model = self.model.candidates[0].score
        if self.model.name == self.engine_name:
            return 1 - (1 - engine) * (1 - model)
        return 0.5 * min(engine, model) if self.engine_name else model

    @property
    def engine_name(self) -> str | None:
        """The medicine that the page reader's text is near to, if any."""
        near = self.candidates and UNKNOWN_MEDICINE not in self.flags
        return self.candidates[0].name if near else None


def encode_proposal(proposal: Proposal) -> bytes:
    """The canonical JSON of a proposal; numbers keep four decimals."""
    return encode(
        {
            "text": nfc(proposal.text),
            "confidence": f"{proposal.confidence:.4f}",
            "candidates": _candidate_values(proposal.candidates),
            "strength": nfc(proposal.strength),
            "form": nfc(proposal.form),
            "frequency": nfc(proposal.frequency),
            "flags": [nfc(flag) for flag in proposal.flags],
            "where": {
                "file": nfc(proposal.where.file),
                "page": proposal.where.page,
                "box": list(proposal.where.box),
            },
            "line": None if proposal.line is None else line_value(proposal.line),
            "model": None if proposal.model is None else _model_value(proposal.model),
        }
    )


def parse_proposal(data: bytes) -> Proposal:
    """The proposal of canonical bytes.

    Raises:
        MalformedError: Not the encoding of a proposal.
    """
    fields = expect_object(parse(data), _KEYS)
    return Proposal(
        text=expect_str(fields["text"]),
        confidence=_share(fields["confidence"]),
        candidates=_candidates(fields["candidates"]),
        strength=expect_str(fields["strength"]),
        form=expect_str(fields["form"]),
        frequency=expect_str(fields["frequency"]),
        flags=tuple(expect_str(flag) for flag in expect_list(fields["flags"])),
        where=_whereabouts(fields["where"]),
        line=None if fields["line"] is None else line_of(fields["line"]),
        model=None if fields["model"] is None else _model(fields["model"]),
    )


def _candidate_values(candidates: tuple[Candidate, ...]) -> list[JSONValue]:
    return [{"name": nfc(c.name), "score": f"{c.score:.4f}"} for c in candidates]


def _candidates(value: JSONValue) -> tuple[Candidate, ...]:
    found = [expect_object(item, _CANDIDATE_KEYS) for item in expect_list(value)]
    return tuple(Candidate(expect_str(c["name"]), _share(c["score"])) for c in found)


def _model_value(model: ModelReading) -> JSONValue:
    return {
        "round": model.round,
        "text": nfc(model.text),
        "candidates": _candidate_values(model.candidates),
        "sure": model.sure,
    }


def _model(value: JSONValue) -> ModelReading:
    fields = expect_object(value, _MODEL_KEYS)
    if not isinstance(fields["sure"], bool):
        raise MalformedError("a model is sure or not")
    return ModelReading(
        round=expect_int(fields["round"]),
        text=expect_str(fields["text"]),
        candidates=_candidates(fields["candidates"]),
        sure=fields["sure"],
    )


def _whereabouts(value: JSONValue) -> Whereabouts:
    fields = expect_object(value, frozenset({"file", "page", "box"}))
    sides = [expect_int(side) for side in expect_list(fields["box"])]
    if len(sides) != 4:
        raise MalformedError("a box has four sides")
    left, top, right, bottom = sides
    return Whereabouts(expect_str(fields["file"]), expect_int(fields["page"], low=1), (left, top, right, bottom))


def nfc(text: str) -> str:
    """The text as canonical JSON takes it; a lone surrogate, which UTF-8 cannot carry, becomes a question mark."""
    return unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))


def _share(value: JSONValue) -> float:
    text = expect_str(value)
    try:
        return float(Decimal(text))
    except InvalidOperation as error:
        raise MalformedError(f"{text!r} is no number") from error
