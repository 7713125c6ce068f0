"""The values of a report: sections of lines, what it is asked for, and what it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from audit.accuracy import NO_SCORES, Accuracy
from audit.findings import ReplayFinding
from audit.round_range import ALL_ROUNDS, OPEN_END
from audit.sentences import moment
from protocol.history import RoundView
from protocol.identifiers import LineageId
from protocol.ledger_events import LocatedEvent
from protocol.ports import BlockHeader, ChainIdentity


@dataclass(frozen=True, slots=True)
class Line:
    """One statement."""

    text: str
    when: str = ""
    """UTC, of the block; empty for what is no event."""
    tx: str = ""
    """0x hash of the transaction that says it."""
    proof: str = ""
    """What ``fedrx audit prove`` is asked for; empty where the transaction itself is all there is."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report."""

    title: str
    lead: str
    """A sentence before the lines; says so when there are none."""
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """All of it."""

    title: str
    made_at: BlockHeader
    """The newest block that was read: its time is the report's."""
    facts: tuple[tuple[str, str], ...]
    """Name and value of what the report is of."""
    sections: tuple[Section, ...]

    @property
    def when(self) -> str:
        """The time of the newest block that was read, UTC."""
        return moment(self.made_at.timestamp)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which rounds are reported."""

    rounds: range = ALL_ROUNDS
    """It may reach beyond the newest."""
    lineage_id: LineageId | None = None
    """None: all lineages."""

    def takes(self, view: RoundView) -> bool:
        """Whether a round is one of them."""
        return view.opened.round in self.rounds and self.lineage_id in {None, view.opened.lineage_id}

    @property
    def text(self) -> str:
        """In words."""
        if self.rounds == ALL_ROUNDS:
            return "all"
        end = "the newest" if self.rounds.stop == OPEN_END else self.rounds[-1]
        return f"{self.rounds.start} to {end}"


@dataclass(frozen=True, slots=True)
class Sources:
    """What a report is made of."""

    identity: ChainIdentity
    head: BlockHeader
    events: Sequence[LocatedEvent]
    """All of the deployment's, in chain order."""
    replayed: ReplayFinding | None
    """None: nothing was replayed, and the report says so."""
    software: tuple[tuple[str, str], ...]
    """Name and version of what made it."""
    accuracy: Accuracy = NO_SCORES
    """What scores files say of the models."""
    undeclared: tuple[str, ...] = ()
    """Uses of the auditor's key for the replay that the chain does not know of."""
