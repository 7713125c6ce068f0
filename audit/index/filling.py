"""Fills the index from the chain: resumable, and safe when the chain reorganises."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select

from audit.index.database import deployment_number, learn_shape
from audit.index.event_codec import encode_event
from audit.index.tables import EventRow, PageRow, place_of
from audit.trail import kind_of
from gateways.sqlite_errors import translated
from protocol import ledger_events as ev
from protocol.errors import LedgerUnavailableError
from protocol.ports import Ledger

PAGE_BLOCKS = 2_000
_KEPT_PAGES = 64
"""Pages whose hashes are kept: a reorganisation below all of them fills the index anew."""
_INSERT_ROWS = 1_000


def fill(
    engine: Engine,
    ledger: Ledger,
    progress: Callable[[int, int], None] = lambda _block, _head: None,
    *,
    page_blocks: int = PAGE_BLOCKS,
) -> int:
    """Brings the index in step with the chain; a page of blocks is there whole or not at all.

    Args:
        engine: As ``open_database`` gives it.
        ledger: The deployment on its chain.
        progress: Called after each page with its last block and the head.
        page_blocks: Blocks of one page.

    Returns:
        The deployment's number in the index.

    Raises:
        LedgerUnavailableError: No answer, or the chain reorganised while it was read; what is in the index stays right.
        StoreError: The database refuses.
    """
    number = deployment_number(engine, ledger.identity)
    with translated("the index"):
        start = _first_missing(engine, number, ledger)
        head = ledger.head().number
        while start <= head:
            end = min(start + page_blocks - 1, head)
            _add_page(engine, number, ledger, start, end)
            progress(end, head)
            start = end + 1
    learn_shape(engine)
    return number


def _first_missing(engine: Engine, number: int, ledger: Ledger) -> int:
    """The first block to read, after everything that is no longer on the chain was dropped."""
    pages = select(PageRow.last_block, PageRow.block_hash).where(PageRow.deployment == number)
    with engine.connect() as connection:
        known = connection.execute(pages.order_by(PageRow.last_block.desc())).all()
    first = ledger.identity.deployment_block_number
    kept = next((last for last, digest in known if ledger.block_hash(last) == digest), first - 1)
    if known and kept < known[0].last_block:
        with engine.begin() as connection:
            _drop_after(connection, number, kept)
    return kept + 1


def _add_page(engine: Engine, number: int, ledger: Ledger, start: int, end: int) -> None:
    before = ledger.block_hash(end)
    rows = [row_of(number, located) for located in ledger.events(start, end)]
    # The same hash before and after: all that was read in between belongs to one chain.
    if before is None or ledger.block_hash(end) != before:
        raise LedgerUnavailableError("the chain reorganised while it was read", hint="run the command again")
    with engine.begin() as connection:
        _drop_after(connection, number, start - 1)
        for first in range(0, len(rows), _INSERT_ROWS):
            connection.execute(insert(EventRow), rows[first : first + _INSERT_ROWS])
        connection.execute(insert(PageRow).values(deployment=number, last_block=end, block_hash=bytes(before)))
        _forget_old_pages(connection, number)


def _drop_after(connection: Connection, number: int, last_block: int) -> None:
    first_place = place_of(last_block + 1, 0)
    connection.execute(delete(EventRow).where(EventRow.deployment == number, EventRow.place >= first_place))
    connection.execute(delete(PageRow).where(PageRow.deployment == number, PageRow.last_block > last_block))


def _forget_old_pages(connection: Connection, number: int) -> None:
    blocks = select(PageRow.last_block).where(PageRow.deployment == number).order_by(PageRow.last_block.desc())
    oldest = connection.execute(blocks.offset(_KEPT_PAGES - 1).limit(1)).scalar_one_or_none()
    if oldest is not None:
        connection.execute(delete(PageRow).where(PageRow.deployment == number, PageRow.last_block < oldest))


def row_of(number: int, located: ev.LocatedEvent) -> dict[str, Any]:
    """An event as the index keeps it: by the names of its columns."""
    position, event = located.position, located.event
    return {
        "deployment": number,
        "place": place_of(position.block_number, position.log_index),
        "kind": kind_of(event),
        "timestamp": position.timestamp,
        "block_hash": bytes(position.block_hash),
        "tx_hash": bytes(position.tx_hash),
        "site_id": _bytes(getattr(event, "site_id", None)),
        "lineage_id": _bytes(getattr(event, "lineage_id", None)),
        "round": getattr(event, "round", None),
        "model_digest": _bytes(_first(event, ("model_digest", "parent_digest"))),
        "consent_version": _first(event, ("consent_version", "version")) if hasattr(event, "site_id") else None,
        "consent_root": _bytes(getattr(event, "root", None)),
        "value": encode_event(event),
    }


def _first(event: ev.LedgerEvent, names: Iterable[str]) -> Any:
    return next((getattr(event, name) for name in names if hasattr(event, name)), None)


def _bytes(value: bytes | None) -> bytes | None:
    return None if value is None else bytes(value)
