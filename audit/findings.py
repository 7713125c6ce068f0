"""What a replay finds: one value a round, with every difference and every missing piece named (docs/auditing.md).

"Different" says that somebody published something else than the rules give. "Missing" says that it cannot be told,
because a piece was not delivered. The two are never mixed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from protocol.identifiers import CID, Digest, LineageId, RoundId


class Outcome(StrEnum):
    """What became of the replay of one round."""

    SAME = "same"
    """Everything that could be recomputed gives what stands on chain."""
    DIFFERENT = "different"
    """Something on chain or IPFS is not what the rules give."""
    MISSING = "missing"
    """Nothing is known to differ, but a piece that is needed was not delivered."""
    ABORTED = "aborted"
    """The round was aborted on chain; there is no result to recompute."""
    LIVE = "live"
    """The round has no result yet."""


class Topic(StrEnum):
    """What a difference is about."""

    CHAIN_RULE = "chain-rule"
    PARENT = "parent"
    PLAN = "plan"
    ENVELOPE = "envelope"
    VERDICT = "verdict"
    ACCEPTED = "accepted"
    VERDICT_LIST = "verdict-list"
    MODEL = "model"
    STATE = "state"
    OUTCOME = "outcome"
    VOTE = "vote"


class Piece(StrEnum):
    """What a missing piece is."""

    PLAN = "plan"
    PARENT_MODEL = "parent-model"
    ENVELOPE = "envelope"
    VERDICT_LIST = "verdict-list"
    GLOBAL_MODEL = "global-model"
    GENESIS_MODEL = "genesis-model"
    CONTENT_KEY = "content-key"


class WhyMissing(StrEnum):
    """Why a piece could not be used."""

    NOT_DELIVERED = "not-delivered"
    """No endpoint delivered it in time."""
    DAMAGED = "damaged"
    """An endpoint delivered other bytes than the CID names, and none delivered the right ones."""
    TOO_LARGE = "too-large"
    """Longer than this auditor allows."""
    NOT_FOR_THIS_KEY = "not-for-this-key"
    """The envelope holds no content key that this auditor's key opens."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not what the rules give."""

    topic: Topic
    sentence: str
    index: int | None = None
    """The update it is about, by order of registration."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A piece that the replay needed and did not get."""

    piece: Piece
    cid: CID
    why: WhyMissing
    index: int | None = None
    """The update it belongs to, by order of registration."""

    @property
    def sentence(self) -> str:
        """What is missing, in words."""
        what = self.piece.value.replace("-", " ")
        of = "" if self.index is None else f" of update {self.index}"
        reason = {
            WhyMissing.NOT_DELIVERED: "was not delivered in time",
            WhyMissing.DAMAGED: "was delivered with other bytes than its CID names",
            WhyMissing.TOO_LARGE: "is longer than this auditor allows",
            WhyMissing.NOT_FOR_THIS_KEY: "does not open with this auditor's key: ask an aggregator for it",
        }[self.why]
        return f"the {what}{of} ({self.cid}) {reason}"


@dataclass(frozen=True, slots=True)
class RoundFinding:
    """What the replay of one round found."""

    round_id: RoundId
    outcome: Outcome
    differences: tuple[Difference, ...] = ()
    missing: tuple[Missing, ...] = ()
    notes: tuple[str, ...] = ()
    """What an auditor should know that is neither a difference nor a missing piece."""
    opened: bool = False
    """Whether the envelopes were opened with the auditor's key."""
    model_digest: Digest | None = None
    """The published model, or None when the round published none."""
    model_recomputed: bool = False
    """Whether the model was recomputed from the updates and has the same bytes."""
    updates: int = 0
    """Number of registered updates."""


@dataclass(frozen=True, slots=True)
class LineageFinding:
    """What the replay of one lineage found."""

    lineage_id: LineageId
    rounds: tuple[RoundFinding, ...]
    differences: tuple[Difference, ...] = ()
    """About the genesis model or about events that belong to no round."""
    missing: tuple[Missing, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReplayFinding:
    """What a whole replay found."""

    lineages: tuple[LineageFinding, ...]
    differences: tuple[Difference, ...] = ()
    """About events that belong to no lineage."""

    @property
    def rounds(self) -> tuple[RoundFinding, ...]:
        """All rounds, lineage by lineage."""
        return tuple(finding for lineage in self.lineages for finding in lineage.rounds)

    @property
    def all_differences(self) -> tuple[Difference, ...]:
        """Every difference, wherever it was found."""
        inner = [d for lineage in self.lineages for d in lineage.differences]
        return (*self.differences, *inner, *(d for finding in self.rounds for d in finding.differences))

    @property
    def all_missing(self) -> tuple[Missing, ...]:
        """Every missing piece, wherever it was missed."""
        inner = [m for lineage in self.lineages for m in lineage.missing]
        return (*inner, *(m for finding in self.rounds for m in finding.missing))

    @property
    def same(self) -> bool:
        """Whether nothing differs and nothing is missing."""
        return not self.all_differences and not self.all_missing


def outcome_of(differences: tuple[Difference, ...], missing: tuple[Missing, ...], otherwise: Outcome) -> Outcome:
    """A difference outweighs a missing piece, and either outweighs everything else."""
    if differences:
        return Outcome.DIFFERENT
    return Outcome.MISSING if missing else otherwise
