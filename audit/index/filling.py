"""Fills the index from the chain: resumable, and safe when the chain reorganises."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, insert, select

from audit.index.database import alone, deployment_number, learn_shape
from audit.index.event_codec import encode_event
from audit.index.tables import FILL_ANEW, LAST_PLACE, EventRow, PageRow, place_of
from audit.trail import kind_of
from gateways.database_errors import translated
from protocol import ledger_events as ev
from protocol.errors import LedgerUnavailableError, MalformedError
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
    added: Callable[[ev.LocatedEvent], None] = lambda _located: None,
) -> int:
    """Brings the index in step with the chain; a page of blocks is there whole or not at all.

    Several may fill one index at once: each goes on from where it is, whoever brought it there.

    Args:
        engine: As ``open_database`` gives it.
        ledger: The deployment on its chain.
        progress: Called after each page with its last block and the head.
        page_blocks: Blocks of one page.
        added: Called with each event that was not in the index before, in chain order.

    Returns:
        The deployment's number in the index.

    Raises:
        LedgerUnavailableError: No answer, or the chain reorganised while it was read; what is in the index stays right.
        MalformedError: A log is none of the contract's events, or has a number that no chain counts to; or somebody
            changed the index.
        StoreError: The database refuses.
    """
    number = deployment_number(engine, ledger.identity)
    with translated("the index"):
        start = _first_missing(engine, number, ledger)
        head = ledger.head().number
        while start <= head:
            end = min(start + page_blocks - 1, head)
            page = _add_page(engine, number, ledger, start, end)
            if page is None:
                start = _first_missing(engine, number, ledger)
                continue
            for located in page:
                added(located)
            progress(end, head)
            start = end + 1
    learn_shape(engine)
    return number


def _first_missing(engine: Engine, number: int, ledger: Ledger) -> int:
    """The first block to read, after everything that is no longer on the chain was dropped."""
    pages = select(PageRow.last_block, PageRow.block_hash).where(PageRow.deployment == number)
    with engine.connect() as connection:
        known = connection.execute(pages.order_by(PageRow.last_block.desc())).all()
    if not all(isinstance(page.last_block, int) for page in known):
        raise MalformedError("a page in the index is damaged: its last block is no number", hint=FILL_ANEW)
    first = ledger.identity.deployment_block_number
    kept = next((last for last, digest in known if ledger.block_hash(last) == digest), first - 1)
    if known and kept < known[0].last_block:
        with alone(engine) as connection:
            _drop_after(connection, number, kept)
    return kept + 1


def _add_page(engine: Engine, number: int, ledger: Ledger, start: int, end: int) -> Sequence[ev.LocatedEvent] | None:
    """The page's events; None where another process has moved the index's end meanwhile, and nothing was added."""
    before = ledger.block_hash(end)
    page = list(ledger.events(start, end))
    rows = [row_of(number, located) for located in page]
    # The same hash before and after: all that was read in between belongs to one chain.
    if before is None or ledger.block_hash(end) != before:
        raise LedgerUnavailableError("the chain reorganised while it was read", hint="run the command again")
    newest = select(func.max(PageRow.last_block)).where(PageRow.deployment == number)
    with alone(engine) as connection:
        # Behind another's end this page would leave a hole, and before it take pages away.
        last = connection.execute(newest).scalar_one_or_none()
        if (ledger.identity.deployment_block_number - 1 if last is None else last) != start - 1:
            return None
        _drop_after(connection, number, start - 1)
        for first in range(0, len(rows), _INSERT_ROWS):
            connection.execute(insert(EventRow), rows[first : first + _INSERT_ROWS])
        connection.execute(insert(PageRow).values(deployment=number, last_block=end, block_hash=bytes(before)))
        _forget_old_pages(connection, number)
    return page


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
    """An event as the index keeps it: by the names of its columns.

    Raises:
        MalformedError: A number in it is beyond those of a database; no chain counts so far.
    """
    position, event = located.position, located.event
    row = {
        "deployment": number,
        "place": _place(located),
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
    for name, value in row.items():
        if isinstance(value, int) and value > LAST_PLACE:
            raise MalformedError(f"{kind_of(event)} in block {position.block_number} has the {name} {value}")
    return row


def _place(located: ev.LocatedEvent) -> int:
    try:
        return place_of(located.position.block_number, located.position.log_index)
    except OverflowError as error:
        raise MalformedError(f"an event stands at a place that no chain has: {error}") from error


def _first(event: ev.LedgerEvent, names: Iterable[str]) -> Any:
    return next((getattr(event, name) for name in names if hasattr(event, name)), None)


def _bytes(value: bytes | None) -> bytes | None:
    return None if value is None else bytes(value)
