"""What came into an index since somebody last looked."""

from __future__ import annotations

from sqlalchemy import Engine

from audit.index.searching import Search, search
from audit.index.tables import place_of
from protocol.ledger_events import LocatedEvent, Position


def events_behind(engine: Engine, number: int, last: Position | None) -> list[LocatedEvent] | None:
    """The events behind one that was read earlier, in chain order; None when that one is no longer on the chain.

    Args:
        engine: As ``open_database`` gives it.
        number: Of the deployment in the index.
        last: Where the newest event is that was read; None reads all.

    Raises:
        MalformedError: A row was changed behind the index's back.
        StoreError: The database refuses.
    """
    if last is None:
        return list(search(engine, number, Search()))
    # Itself included: when it is not there any more, the chain reorganised.
    found = list(search(engine, number, Search(after=place_of(last.block_number, last.log_index) - 1)))
    return found[1:] if found and found[0].position == last else None
