"""Event logs as two endpoints tell them: what both tell is passed on, up to the first event that is not the same."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

from protocol.errors import LedgerUnavailableError
from protocol.ledger_events import LocatedEvent

_FIRST, _SECOND = "the first endpoint", "the second endpoint"


class EventsPartError(LedgerUnavailableError):
    """Two endpoints tell other events.

    Attributes:
        one: The first event that is not the same, as the first endpoint tells it; None where it tells no more.
        other: The same of the second endpoint.
    """

    def __init__(self, one: LocatedEvent | None, other: LocatedEvent | None, names: tuple[str, str]) -> None:
        super().__init__(
            _what(one, other, names),
            hint="one of them leaves out or makes up events, or the chain just reorganised: read again, ask a third",
        )
        self.one = one
        self.other = other


def agreed_events(
    one: Iterator[LocatedEvent], other: Iterator[LocatedEvent], names: tuple[str, str] = (_FIRST, _SECOND)
) -> Iterator[LocatedEvent]:
    """The events that two endpoints tell alike: same block, time, transaction, place and fields.

    Args:
        one: In chain order.
        other: The same blocks' events of another endpoint.
        names: How an error calls the two.

    Raises:
        EventsPartError: At the first event that is not the same.
    """
    for ours, theirs in zip_longest(one, other):
        if ours is None or ours != theirs:
            raise EventsPartError(ours, theirs, names)
        yield ours


def _what(one: LocatedEvent | None, other: LocatedEvent | None, names: tuple[str, str]) -> str:
    if one is not None and (other is None or _place(one) < _place(other)):
        return f"{names[0]} tells {_named(one)}, and {names[1]} does not"
    if other is not None and (one is None or _place(other) < _place(one)):
        return f"{names[1]} tells {_named(other)}, and {names[0]} does not"
    assert one is not None
    assert other is not None
    otherwise = "" if type(one.event) is type(other.event) else f", as {type(other.event).__name__}"
    return f"{names[0]} tells {_named(one)}, and {names[1]} tells it otherwise{otherwise}"


def _place(located: LocatedEvent) -> tuple[int, int]:
    return located.position.block_number, located.position.log_index


def _named(located: LocatedEvent) -> str:
    block, log = _place(located)
    return f"{type(located.event).__name__} in block {block}, log {log}"
