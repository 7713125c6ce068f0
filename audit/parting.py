"""Where two endpoints' chains part: the first event, or the first block, that is not the same on both."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from audit.names import Names
from audit.sentences import moment, sentence_of
from gateways.ledger.comparing import EventsPartError, agreed_events
from protocol.ledger_events import LocatedEvent
from protocol.ports import Ledger


@dataclass(frozen=True, slots=True)
class Parting:
    """How far two endpoints agree."""

    compared_to: int
    """The lower of both heads: the last block that was compared."""
    same_events: int
    """Events that both tell, from the deployment on."""
    one: LocatedEvent | None
    """The first event that is not the same, as the first endpoint tells it; None where it tells no more."""
    other: LocatedEvent | None
    block: int | None
    """The first block whose hash differs; None when both have the same block at ``compared_to``."""

    @property
    def same(self) -> bool:
        """Whether both tell the same chain as far as both have it."""
        return self.one is None and self.other is None and self.block is None


def where_they_part(one: Ledger, other: Ledger) -> Parting:
    """Compares all events of one deployment, and the blocks, as two endpoints tell them.

    Events are compared even where the blocks agree: an endpoint can leave out an event and still tell every block's
    hash.

    Args:
        one: An endpoint that was checked to serve the deployment's chain.
        other: Another one.

    Raises:
        LedgerUnavailableError: One of them does not answer.
    """
    first = one.identity.deployment_block_number
    last = min(one.head().number, other.head().number)
    same = 0
    ours: LocatedEvent | None = None
    theirs: LocatedEvent | None = None
    try:
        for _ in agreed_events(one.events(first, last), other.events(first, last)):
            same += 1
    except EventsPartError as found:
        ours, theirs = found.one, found.other
    return Parting(last, same, ours, theirs, _first_other_block(one, other, first, last))


def _first_other_block(one: Ledger, other: Ledger, first: int, last: int) -> int | None:
    def differs(number: int) -> bool:
        return one.block_hash(number) != other.block_hash(number)

    # A block's hash covers all before it: once two chains differ, they differ for good.
    found = bisect_left(range(first, last + 1), True, key=differs)
    return None if found > last - first else first + found


def parting_sentences(parting: Parting, names: Names) -> Iterator[str]:
    """The comparison in words."""
    if parting.same:
        yield f"both endpoints tell the same {parting.same_events} events and the same block {parting.compared_to}"
        return
    if parting.block is None:
        yield f"the blocks are the same up to {parting.compared_to}, and yet the events are not: an endpoint lies"
    else:
        yield f"the chains part at block {parting.block}; compared up to block {parting.compared_to}"
    yield f"events that both tell: {parting.same_events}"
    if parting.one is not None or parting.other is not None:
        yield f"then the first endpoint:  {_told(parting.one, names)}"
        yield f"and the other endpoint:   {_told(parting.other, names)}"


def _told(located: LocatedEvent | None, names: Names) -> str:
    if located is None:
        return "nothing more"
    position = located.position
    place = f"block {position.block_number} ({position.block_hash}), {moment(position.timestamp)}"
    return f"{sentence_of(located.event, names)}; {place}, tx {position.tx_hash}"
