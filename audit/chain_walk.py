"""Walks the event logs once, in chain order, and checks each event against the state before it.

The contract enforces these rules; the auditor checks them again from the logs alone, because what answers at an RPC
endpoint need not be the contract. The walk also keeps what a round's replay needs to know of the moment of its opening.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from audit.event_rules import event_faults
from audit.findings import Difference, Topic
from audit.membership_rules import MembershipRules
from audit.names import Names
from audit.round_rules import RuleBook, unspoken_outcome
from protocol import ledger_events as ev
from protocol.history import History, LineageView
from protocol.identifiers import CID, AggregatorId, Digest, LineageId, RoundId
from protocol.ledger_events import LocatedEvent
from protocol.ports import ChainIdentity


@dataclass(frozen=True, slots=True)
class OpeningFacts:
    """The chain's state in the moment in which a round was opened."""

    head_digest: Digest
    head_cid: CID
    auditor_key: ev.AuditorKeyPublished | None
    announced_keys: frozenset[tuple[AggregatorId, Digest]]
    """The round keys announced so far for this round, by whom and under which digest. Several may announce one key: who
    copies another's must not make that one's look like a stranger's."""


@dataclass(slots=True)
class Walk:
    """What the walk found."""

    history: History = field(default_factory=History)
    openings: dict[RoundId, OpeningFacts] = field(default_factory=dict)
    declared: list[ev.AuditorKeyUsed] = field(default_factory=list)
    of_rounds: dict[RoundId, list[Difference]] = field(default_factory=lambda: defaultdict(list))
    of_lineages: dict[LineageId, list[Difference]] = field(default_factory=lambda: defaultdict(list))
    of_network: list[Difference] = field(default_factory=list)


class ChainWalker:
    """Takes one event after another, in chain order; what was found so far can be asked for at any time.

    Args:
        identity: The deployment.
        names: Labels for the sentences.
    """

    def __init__(self, identity: ChainIdentity, names: Names) -> None:
        self._identity = identity
        self._rules, self._members = RuleBook(identity, names), MembershipRules()
        self._announced: dict[RoundId, set[tuple[AggregatorId, Digest]]] = defaultdict(set)
        self._walk = Walk()

    @property
    def history(self) -> History:
        """The fold over the events that were taken."""
        return self._walk.history

    def take(self, located: LocatedEvent) -> None:
        """Takes one more event, and names it when the contract's rules forbid it.

        Raises:
            MalformedError: The logs are not whole: out of order, or about something that no earlier event made. Take
                none behind it.
        """
        walk, event = self._walk, located.event
        faults = list(self._rules.faults(walk.history, located))
        before = walk.history.position
        sentences = [*event_faults(before, located, self._identity), *self._members.faults(walk.history, located)]
        faults += [Difference(Topic.CHAIN_RULE, sentence) for sentence in sentences]
        if isinstance(event, ev.RoundOpened) and event.lineage_id in walk.history.lineages:
            walk.openings[ev.round_id_of(event)] = self._opening(walk.history.lineages[event.lineage_id], event)
        if isinstance(event, ev.RoundKeyAnnounced):
            self._announced[RoundId(event.lineage_id, event.round)].add((event.aggregator_id, event.key_digest))
        if isinstance(event, ev.AuditorKeyUsed):
            walk.declared.append(event)
        walk.history.apply(located)
        _file(walk, event, faults)

    def found(self) -> Walk:
        """What was found if no event follows; its history goes on with the walker's."""
        of_rounds = defaultdict(list, {round_id: list(faults) for round_id, faults in self._walk.of_rounds.items()})
        walk = replace(self._walk, of_rounds=of_rounds)
        for lineage in walk.history.lineages.values():
            for view in lineage.rounds.values():
                # Kept apart from the faults so far: the outcome may be in the next block that is read.
                _file(walk, view.opened, list(unspoken_outcome(walk.history, view)))
        return walk

    def _opening(self, lineage: LineageView, event: ev.RoundOpened) -> OpeningFacts:
        announced = frozenset(self._announced[ev.round_id_of(event)])
        return OpeningFacts(lineage.head_digest, lineage.head_cid, self._walk.history.auditor_key, announced)


def walk_chain(events: Iterable[LocatedEvent], identity: ChainIdentity, names: Names) -> Walk:
    """Folds all events of a deployment and names every one that the contract's rules forbid.

    Raises:
        MalformedError: The logs are not whole: out of order, or about something that no earlier event made.
    """
    walker = ChainWalker(identity, names)
    for located in events:
        walker.take(located)
    return walker.found()


def _file(walk: Walk, event: ev.LedgerEvent, faults: list[Difference]) -> None:
    if not faults:
        return
    if isinstance(event, ev.RoundEvent):
        walk.of_rounds[ev.round_id_of(event)].extend(faults)
    elif isinstance(event, ev.LineageCreated | ev.RoundKeyAnnounced) and event.lineage_id in walk.history.lineages:
        walk.of_lineages[event.lineage_id].extend(faults)
    else:
        walk.of_network.extend(faults)
