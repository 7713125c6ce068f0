"""What the reader proposed for one word, as the local store keeps it."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from prescriptions.understand import UNKNOWN_MEDICINE
from protocol.canonical_json import JSONValue, encode, expect_int, expect_list, expect_object, expect_str, parse
from protocol.errors import MalformedError

_KEYS = frozenset({"text", "confidence", "candidates", "strength", "form", "frequency", "flags", "where"})
_CANDIDATE_KEYS = frozenset({"name", "score"})


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
class Proposal:
    """What was read in a crop and what it may mean."""

    text: str
    """The word as the engine read it."""
    confidence: float
    """Of the engine, 0 to 1."""
    candidates: tuple[Candidate, ...]
    """Best first; empty when nothing of the lexicon is near."""
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

    @property
    def label(self) -> str:
        """What a person accepts who accepts the proposal: the best medicine, or the word as read when none is near."""
        near = self.candidates and UNKNOWN_MEDICINE not in self.flags
        return self.candidates[0].name if near else self.text

    @property
    def certainty(self) -> float:
        """How sure the reader is of the label, 0 to 1."""
        return self.confidence * (self.candidates[0].score if self.candidates else 0.0)


def encode_proposal(proposal: Proposal) -> bytes:
    """The canonical JSON of a proposal; numbers keep four decimals."""
    return encode(
        {
            "text": nfc(proposal.text),
            "confidence": f"{proposal.confidence:.4f}",
            "candidates": [{"name": nfc(c.name), "score": f"{c.score:.4f}"} for c in proposal.candidates],
            "strength": nfc(proposal.strength),
            "form": nfc(proposal.form),
            "frequency": nfc(proposal.frequency),
            "flags": [nfc(flag) for flag in proposal.flags],
            "where": {
                "file": nfc(proposal.where.file),
                "page": proposal.where.page,
                "box": list(proposal.where.box),
            },
        }
    )


def parse_proposal(data: bytes) -> Proposal:
    """The proposal of canonical bytes.

    Raises:
        MalformedError: Not the encoding of a proposal.
    """
    fields = expect_object(parse(data), _KEYS)
    found = [expect_object(item, _CANDIDATE_KEYS) for item in expect_list(fields["candidates"])]
    return Proposal(
        text=expect_str(fields["text"]),
        confidence=_share(fields["confidence"]),
        candidates=tuple(Candidate(expect_str(c["name"]), _share(c["score"])) for c in found),
        strength=expect_str(fields["strength"]),
        form=expect_str(fields["form"]),
        frequency=expect_str(fields["frequency"]),
        flags=tuple(expect_str(flag) for flag in expect_list(fields["flags"])),
        where=_whereabouts(fields["where"]),
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
