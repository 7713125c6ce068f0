"""What became of an update as a letter and a word: colour alone tells nobody anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from audit.lineage import Contribution, contributions
from audit.sentences import why_of
from protocol import ledger_events as ev
from protocol.history import RoundView
from protocol.verdicts import VerdictCode


class Mark(Enum):
    """How a site stands in a round: the letter that is shown, and what it means."""

    ACCEPTED = ("A", "accepted")
    REFUSED = ("R", "refused")
    TAKEN_BACK = ("B", "taken back by the site")
    WAITING = ("W", "waits for a verdict")
    VOID = ("V", "no verdict: the round was aborted")
    EXPECTED = ("·", "asked, may still register")
    MISSING = ("–", "asked, registered nothing")

    @property
    def letter(self) -> str:
        """One character."""
        return self.value[0]

    @property
    def word(self) -> str:
        """What the letter means."""
        return self.value[1]

    @property
    def look(self) -> str:
        """The style's class."""
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True)
class Judged:
    """A registered update and what became of it."""

    one: Contribution
    mark: Mark

    @property
    def event(self) -> ev.UpdateRegistered:
        """The registration."""
        return self.one.registration.event

    @property
    def says(self) -> str:
        """The mark in words; of a refusal, why."""
        if self.mark is Mark.REFUSED and self.one.code is not None:
            return f"refused: {why_of(self.one.code)} (verdict {self.one.code})"
        return self.mark.word


def judged(view: RoundView) -> Iterator[Judged]:
    """The registered updates of a round in order of registration."""
    for one in contributions(view):
        yield Judged(one, _mark(view, one))


def _mark(view: RoundView, one: Contribution) -> Mark:
    if one.accepted:
        return Mark.ACCEPTED
    if one.code == VerdictCode.REVOKED or one.registration.event.index in view.revoked:
        return Mark.TAKEN_BACK
    if one.code is not None:
        return Mark.REFUSED
    return Mark.VOID if isinstance(view.outcome, ev.RoundAborted) else Mark.WAITING
