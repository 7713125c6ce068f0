"""Compares an index with the chain: whoever can write to the file can change what the trail shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from sqlalchemy import Engine, func, select

from audit.broken_rules import CheckedHistory
from audit.index.database import deployment_number
from audit.index.filling import row_of
from audit.index.tables import FILL_ANEW, LAST_PLACE, LOG_BITS, EventRow, PageRow, block_and_log, place_of
from audit.names import Names
from gateways.database_errors import translated
from protocol.errors import AuditError, ConfigError, MalformedError
from protocol.identifiers import BlockHash
from protocol.ports import Ledger

_FETCH_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class CheckedIndex:
    """What the comparison of an index with the chain found."""

    events: int
    """All of them are the chain's, as the endpoint tells it."""
    broken: tuple[str, ...]
    """Which of the contract's rules they break (``CheckedHistory.broken``): then index and endpoint leave out the
    same, or tell the same untruth."""


def check_index(engine: Engine, ledger: Ledger, names: Names) -> CheckedIndex:
    """Reads again what the index says it has read, and compares it column by column.

    Args:
        engine: As ``open_database`` gives it.
        ledger: The deployment on its chain.
        names: Labels for broken rules.

    Raises:
        AuditError: A row is not the chain's; says which and how.
        ConfigError: The index holds nothing of this deployment.
        LedgerUnavailableError: No answer.
        MalformedError: A log is none of the contract's events.
        StoreError: The database refuses.
    """
    number = deployment_number(engine, ledger.identity)
    first, last = ledger.identity.deployment_block_number, last_block_of(engine, number)
    checked = CheckedHistory(ledger.identity, names)

    def told() -> Iterator[dict[str, Any]]:
        for located in ledger.events(first, last):
            checked.take(located)
            yield row_of(number, located)

    # Somebody else may fill the index on meanwhile: no row behind what it had read then.
    rows = rows_of(engine, number, place_of(last + 1, 0) - 1)
    compared = same_rows(rows, told(), hint=FILL_ANEW)
    _refuse_rows_behind_the_end(engine, number)
    for block, kept in pages_of(engine, number).items():
        check_page(block, kept, ledger.block_hash(block))
    return CheckedIndex(compared, checked.broken())


def same_rows(kept: Iterable[dict[str, Any]], true: Iterable[dict[str, Any]], *, hint: str) -> int:
    """Compares rows of the index with what they should be, and counts them.

    Args:
        kept: In chain order.
        true: In chain order, with the same columns.
        hint: What to do about a difference.

    Raises:
        AuditError: One is not the same; says which and how.
    """
    compared = 0
    for ours, theirs in zip_longest(kept, true):
        if ours != theirs:
            raise AuditError(_how_it_differs(ours, theirs), hint=hint)
        compared += 1
    return compared


def check_page(block: int, kept: BlockHash, true: BlockHash | None) -> None:
    """Compares a block's hash, by which the index knows that it need not be read again.

    Raises:
        AuditError: It is another.
    """
    if kept != true:
        raise AuditError(f"the index has another hash of block {block} than the chain", hint=FILL_ANEW)


def pages_of(engine: Engine, number: int) -> dict[int, BlockHash]:
    """The hashes that the index keeps, by block."""
    pages = select(PageRow.last_block, PageRow.block_hash).where(PageRow.deployment == number)
    with translated("the index"), engine.connect() as connection:
        rows = connection.execute(pages.order_by(PageRow.last_block)).all()
    return {row.last_block: _hash_of(row.last_block, row.block_hash) for row in rows}


def last_block_of(engine: Engine, number: int) -> int:
    """The last block that the index says it has read.

    Raises:
        AuditError: It says no number.
        ConfigError: The index holds nothing of this deployment.
    """
    pages = select(func.max(PageRow.last_block)).where(PageRow.deployment == number)
    with translated("the index"), engine.connect() as connection:
        last = connection.execute(pages).scalar_one_or_none()
    if last is None:
        raise ConfigError("the index holds nothing of this deployment", hint="fedrx audit trail --index fills it")
    if not isinstance(last, int):
        raise AuditError("the index does not say how far it has read", hint=FILL_ANEW)
    return last


def _refuse_rows_behind_the_end(engine: Engine, number: int) -> None:
    """In one statement, so that a page that comes meanwhile is seen with its rows or not at all."""
    end = select((func.max(PageRow.last_block) + 1) * (1 << LOG_BITS)).where(PageRow.deployment == number)
    behind = select(EventRow.__table__).where(EventRow.deployment == number, EventRow.place >= end.scalar_subquery())
    with translated("the index"), engine.connect() as connection:
        row = connection.execute(behind.order_by(EventRow.place).limit(1)).mappings().one_or_none()
    if row is not None:
        raise AuditError(_how_it_differs(dict(row), None), hint=FILL_ANEW)


def rows_of(engine: Engine, number: int, last: int = LAST_PLACE) -> Iterator[dict[str, Any]]:
    """The events of a deployment up to a place in the chain (``tables.place_of``), by the names of their columns."""
    mine = (EventRow.deployment == number, EventRow.place <= last)
    events = select(EventRow.__table__).where(*mine).order_by(EventRow.place)
    with translated("the index"), engine.connect() as connection:
        for row in connection.execution_options(yield_per=_FETCH_ROWS).execute(events).mappings():
            yield dict(row)


def _hash_of(block: int, kept: bytes) -> BlockHash:
    try:
        return BlockHash(kept)
    except MalformedError as error:
        raise AuditError(f"the index has no hash of block {block}", hint=FILL_ANEW) from error


def _how_it_differs(kept: dict[str, Any] | None, true: dict[str, Any] | None) -> str:
    if true is None or (kept is not None and kept["place"] < true["place"]):
        assert kept is not None
        return f"the index holds an event that the chain does not: {_which(kept)}"
    if kept is None or kept["place"] > true["place"]:
        return f"the index leaves out an event of the chain: {_which(true)}"
    unlike = ", ".join(name.replace("_", " ") for name in true if kept[name] != true[name])
    return f"the index changed an event of the chain: {_which(true)} has another {unlike}"


def _which(row: dict[str, Any]) -> str:
    block, log = block_and_log(row["place"])
    return f"{row['kind']} in block {block}, log {log}"
