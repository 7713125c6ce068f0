"""Searches the index by what an auditor asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, Engine, Row, Select, and_, or_, select

from audit.given import parse_digest, parse_lineage, parse_site, parse_tx
from audit.index.event_codec import parse_event
from audit.index.tables import FILL_ANEW, LAST_PLACE, EventRow, block_and_log, place_of
from audit.trail import KINDS
from gateways.database_errors import translated
from protocol.errors import ConfigError, MalformedError
from protocol.identifiers import BlockHash, Digest, LineageId, SiteId, TxHash
from protocol.ledger_events import LocatedEvent, Position

_FETCH_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class Search:
    """Which events are wanted; None lets everything pass."""

    site_id: SiteId | None = None
    lineage_id: LineageId | None = None
    round_number: int | None = None
    kinds: frozenset[str] = frozenset()
    """Empty lets every kind pass."""
    model_digest: Digest | None = None
    """Events that make this model or start from it."""
    consent_root: Digest | None = None
    """Its publication and every update that names it."""
    tx_hash: TxHash | None = None
    since: int | None = None
    """Seconds since 1970, of the block; this one included."""
    until: int | None = None
    """Seconds since 1970, of the block; this one not included."""
    after: int | None = None
    """Place in the chain (``tables.place_of``); this one not included."""
    newest: int | None = None
    """At most so many, the newest."""

    def later_than(self, position: Position | None) -> Search:
        """The same, but only what comes behind a position."""
        return self if position is None else replace(self, after=place_of(position.block_number, position.log_index))


def parse_search(
    site: str | None,
    lineage: str | None,
    round_number: int | None,
    kinds: Iterable[str] | None,
    model: str | None,
    consent_root: str | None,
    tx: str | None,
    since: str | None,
    until: str | None,
    newest: int | None,
) -> Search:
    """A search from an auditor's words: slugs, 0x ids and digests, kinds of events, times.

    Raises:
        ConfigError: A kind that does not exist, no time, no slug, or 0x and something that is no id or digest.
    """
    wanted = frozenset(kinds or ())
    for kind in sorted(wanted - set(KINDS)):
        raise ConfigError(f"{kind!r} is no kind of event", hint=f"one of: {', '.join(KINDS)}")
    return Search(
        site_id=None if site is None else parse_site(site),
        lineage_id=None if lineage is None else parse_lineage(lineage),
        round_number=round_number,
        kinds=wanted,
        model_digest=None if model is None else parse_digest(model),
        consent_root=None if consent_root is None else parse_digest(consent_root),
        tx_hash=None if tx is None else parse_tx(tx),
        since=None if since is None else _moment(since),
        until=None if until is None else _moment(until),
        newest=newest,
    )


def _moment(text: str) -> int:
    try:
        read = datetime.fromisoformat(text)
        return int((read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"{text!r:.60} is no time", hint="write 2026-01-31 or 2026-01-31T12:30Z") from error


def search(engine: Engine, number: int, wanted: Search) -> Iterator[LocatedEvent]:
    """The wanted events of a deployment in chain order.

    Raises:
        MalformedError: A row was changed behind the index's back.
        StoreError: The database refuses.
    """
    with translated("the index"), engine.connect() as connection:
        query = select(EventRow).where(*_conditions(connection, number, wanted))
        if wanted.newest is not None:
            newest = query.order_by(EventRow.place.desc()).limit(min(wanted.newest, LAST_PLACE))
            yield from map(_located, reversed(connection.execute(_columns(newest)).all()))
            return
        rows = connection.execution_options(yield_per=_FETCH_ROWS).execute(_columns(query.order_by(EventRow.place)))
        yield from map(_located, rows)


def _columns(query: Select[EventRow]) -> Select[int, str, int, bytes, bytes, bytes]:
    return query.with_only_columns(
        EventRow.place, EventRow.kind, EventRow.timestamp, EventRow.block_hash, EventRow.tx_hash, EventRow.value
    )


def _conditions(connection: Connection, number: int, wanted: Search) -> list[ColumnElement[bool]]:
    same = (
        (EventRow.site_id, wanted.site_id),
        (EventRow.lineage_id, wanted.lineage_id),
        (EventRow.round, _countable(wanted.round_number)),
        (EventRow.model_digest, wanted.model_digest),
        (EventRow.tx_hash, wanted.tx_hash),
    )
    found = [EventRow.deployment == number]
    # Plain bytes: a database driver does not know the protocol's types.
    found += [
        column == (value if isinstance(value, int) else bytes(value)) for column, value in same if value is not None
    ]
    if wanted.kinds:
        found.append(EventRow.kind.in_(sorted(wanted.kinds)))
    if wanted.consent_root is not None:
        found.append(_names_root(connection, number, wanted.consent_root))
    return found + _span(connection, number, wanted)


def _countable(number: int | None) -> int | None:
    """A number beyond those of a database names nothing; no more does the greatest of them."""
    return None if number is None else min(number, LAST_PLACE)


def _span(connection: Connection, number: int, wanted: Search) -> list[ColumnElement[bool]]:
    """Times as places: blocks' times never go back, and every index ends with the place."""
    ends = (
        (wanted.after, EventRow.place.__gt__),
        (_first_place(connection, number, wanted.since), EventRow.place.__ge__),
        (_first_place(connection, number, wanted.until), EventRow.place.__lt__),
    )
    return [beyond(end) for end, beyond in ends if end is not None]


def _first_place(connection: Connection, number: int, timestamp: int | None) -> int | None:
    """Where the first event at or after a time is; behind everything when there is none."""
    if timestamp is None:
        return None
    later = select(EventRow.place).where(EventRow.deployment == number, EventRow.timestamp >= timestamp)
    found = connection.execute(later.order_by(EventRow.timestamp, EventRow.place).limit(1)).scalar_one_or_none()
    return LAST_PLACE if found is None else found


def _names_root(connection: Connection, number: int, root: Digest) -> ColumnElement[bool]:
    """Updates name a root by its site and version: a site that publishes the same root twice has two versions of it."""
    published = select(EventRow.site_id, EventRow.consent_version).where(
        EventRow.deployment == number, EventRow.consent_root == bytes(root)
    )
    versions = connection.execute(published).all()
    named = [and_(EventRow.site_id == site, EventRow.consent_version == version) for site, version in versions]
    return or_(EventRow.consent_root == bytes(root), *named)


def _located(row: Row[int, str, int, bytes, bytes, bytes]) -> LocatedEvent:
    try:
        block_number, log_index = block_and_log(row.place)
        position = Position(block_number, log_index, BlockHash(row.block_hash), TxHash(row.tx_hash), row.timestamp)
        return LocatedEvent(position, parse_event(row.kind, row.value))
    except (MalformedError, TypeError) as error:
        # SQLite keeps whatever somebody puts into a column.
        why = error.what if isinstance(error, MalformedError) else "a column holds something of another type"
        raise MalformedError(f"an event in the index is damaged: {why}", hint=FILL_ANEW) from error
