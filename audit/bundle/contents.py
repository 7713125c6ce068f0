"""Which content the replay of some rounds reads (``audit.round_replay``), from the events alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from protocol.errors import ConfigError
from protocol.history import LineageView, RoundView
from protocol.identifiers import CID
from protocol.ledger_events import RoundFailed, RoundFinalized
from protocol.verdicts import AVAILABILITY_CODES


@dataclass(frozen=True, slots=True)
class NeededContent:
    """A piece of content that a bundle should hold."""

    cid: CID
    what: str
    lost_before: bool = False
    """Whether the aggregators, too, could not fetch it: a replay does without."""


def rounds_of(lineage: LineageView, wanted: range) -> tuple[RoundView, ...]:
    """The rounds of a range, in order.

    Args:
        lineage: The lineage.
        wanted: Their numbers; it may reach beyond the newest.

    Raises:
        ConfigError: There is none.
    """
    found = [view for number, view in sorted(lineage.rounds.items()) if number in wanted]
    if not found:
        raise ConfigError("the lineage has none of these rounds", hint="fedrx audit trail --kind round-opened")
    return tuple(found)


def contents_of(lineage: LineageView, rounds: tuple[RoundView, ...]) -> tuple[NeededContent, ...]:
    """What a replay of the rounds reads, each piece once, in the order in which a bundle holds it.

    The first round's parent, then for each round its plan, the envelopes in order of registration, the verdict list and
    the model. Rounds without a result need their plan alone.
    """
    parent = lineage.created.model_cid
    for number, view in sorted(lineage.rounds.items()):
        if number < rounds[0].opened.round and isinstance(view.outcome, RoundFinalized):
            parent = view.outcome.model_cid
    found = {parent: NeededContent(parent, f"parent model of round {rounds[0].opened.round}")}
    for view in rounds:
        for content in _of_round(view):
            # What one place can do without, another may need.
            if content.cid not in found or found[content.cid].lost_before:
                found[content.cid] = content
    return tuple(found.values())


def _of_round(view: RoundView) -> Iterator[NeededContent]:
    number, outcome = view.opened.round, view.outcome
    yield NeededContent(view.opened.plan_cid, f"plan of round {number}")
    if not isinstance(outcome, RoundFinalized | RoundFailed):
        return
    for registration in view.registrations:
        index = registration.event.index
        if index not in view.revoked:
            lost = index < len(outcome.codes) and outcome.codes[index] in AVAILABILITY_CODES
            yield NeededContent(registration.event.envelope_cid, f"update {index} of round {number}", lost)
    yield NeededContent(outcome.verdicts_cid, f"verdict list of round {number}")
    if isinstance(outcome, RoundFinalized):
        yield NeededContent(outcome.model_cid, f"model of round {number}")
