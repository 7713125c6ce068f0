"""What the reader proposed for one word, as the local store keeps it."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from node.data.other_readings import OtherReading
from prescriptions.prescription_codec import line_of, line_value
from prescriptions.understand import UNKNOWN_MEDICINE, MedicineLine
from protocol.canonical_json import JSONValue, encode, expect_int, expect_list, expect_object, expect_str, parse
from protocol.errors import MalformedError

_KEYS = frozenset(
    {"text", "confidence", "candidates", "strength", "form", "frequency", "flags", "where", "line", "model", "others"}
)
_CANDIDATE_KEYS = frozenset({"name", "score"})
_MODEL_KEYS = frozenset({"round", "text", "candidates", "sure"})
_OTHER_KEYS = frozenset({"lineage", "round", "medicine", "confidence", "text"})

READERS_DISAGREE = "readers-disagree"
"""The page reader and the global model name different medicines."""
MODELS_DISAGREE = "models-disagree"
"""The models of two lineages name different medicines."""


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
    """Whether the best one is probable enough to be claimed (``ModelReader.threshold``)."""

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
    others: tuple[OtherReading, ...] = ()
    """What the models of the site's other lineages read; none without that second reading."""
    line: MedicineLine | None = None
    """Everything that was read of the medicine's line; None where only a word was read."""

    @property
    def label(self) -> str:
        """What a person accepts: the models' medicine, else the page reader's, else its text; empty if they differ."""
        return "" if self.readers_differ else self.model_name or self.engine_name or self.text

    @property
    def certainty(self) -> float:
        """How sure the label is, 0 to 1. Two readers that agree are surer than each; that disagree, less than half."""
        likeness = self.candidates[0].score if self.candidates else 0.0
        engine = self.confidence * likeness if self.line is None else self.line.confidence
        claimed = self._claimed
        if not claimed:
            return engine
        if self.readers_differ:
            return 0.5 * min([*(sure for _, sure in claimed), *([engine] if self.engine_name else [])])
        # Models learn from the same sites: two that agree are taken to be as sure as the surer one, no more.
        model = max(sure for _, sure in claimed)
        return 1 - (1 - engine) * (1 - model) if self.engine_name else model

    @property
    def readers_differ(self) -> bool:
        """Whether any two readers name different medicines: then a person is asked and nothing is proposed."""
        return self.engine_differs or self.models_differ

    @property
    def engine_differs(self) -> bool:
        """Whether the page reader names another medicine than a model."""
        return self.engine_name is not None and bool({name for name, _ in self._claimed} - {self.engine_name})

    @property
    def models_differ(self) -> bool:
        """Whether the models of two lineages name different medicines."""
        return len({name for name, _ in self._claimed}) > 1

    @property
    def model_name(self) -> str | None:
        """The medicine that the models name, if any; the first lineage's where they differ."""
        return self._claimed[0][0] if self._claimed else None

    @property
    def _claimed(self) -> list[tuple[str, float]]:
        """The medicine that each model names, and how sure it is; a model that is not sure enough names none."""
        first = [] if self.model is None or self.model.name is None else [self.model.candidates[0]]
        return [
            *((candidate.name, candidate.score) for candidate in first),
            *((other.medicine, other.confidence) for other in self.others if other.medicine is not None),
        ]

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
            "others": [_other_value(other) for other in proposal.others],
        }
    )


def parse_proposal(data: bytes) -> Proposal:
    """The proposal of canonical bytes.

    Raises:
        MalformedError: Not the encoding of a proposal.
    """
    value = parse(data)
    if isinstance(value, dict):
        # A store may hold proposals from before models of other lineages were asked.
        value.setdefault("others", [])
    fields = expect_object(value, _KEYS)
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
        others=tuple(_other(other) for other in expect_list(fields["others"])),
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


def _other_value(other: OtherReading) -> JSONValue:
    return {
        "lineage": other.lineage,
        "round": other.round,
        "medicine": None if other.medicine is None else nfc(other.medicine),
        "confidence": f"{other.confidence:.4f}",
        "text": nfc(other.text),
    }


def _other(value: JSONValue) -> OtherReading:
    fields = expect_object(value, _OTHER_KEYS)
    return OtherReading(
        lineage=expect_str(fields["lineage"]),
        round=expect_int(fields["round"]),
        medicine=None if fields["medicine"] is None else expect_str(fields["medicine"]),
        confidence=_share(fields["confidence"]),
        text=expect_str(fields["text"]),
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
