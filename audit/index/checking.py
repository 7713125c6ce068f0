"""Compares an index with the chain: whoever can write to the file can change what the trail shows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

from sqlalchemy import Engine, func, select

from audit.index.database import deployment_number
from audit.index.filling import row_of
from audit.index.tables import EventRow, PageRow, block_and_log
from gateways.sqlite_errors import translated
from protocol.errors import AuditError, ConfigError
from protocol.ports import Ledger

_FETCH_ROWS = 1_000


def check_index(engine: Engine, ledger: Ledger) -> int:
    """Reads again what the index says it has read, and compares it column by column.

    Args:
        engine: As ``open_database`` gives it.
        ledger: The deployment on its chain.

    Returns:
        How many events were compared.

    Raises:
        AuditError: A row is not the chain's; says which and how.
        ConfigError: The index holds nothing of this deployment.
        LedgerUnavailableError: No answer.
        MalformedError: A log is none of the contract's events.
        StoreError: The database refuses.
    """
    number = deployment_number(engine, ledger.identity)
    first, last = ledger.identity.deployment_block_number, _last_block(engine, number)
    told = (row_of(number, located) for located in ledger.events(first, last))
    compared = 0
    for kept, true in zip_longest(_rows(engine, number), told):
        if kept != true:
            raise AuditError(_how_it_differs(kept, true), hint="delete the index: the chain fills it anew")
        compared += 1
    return compared


def _last_block(engine: Engine, number: int) -> int:
    pages = select(func.max(PageRow.last_block)).where(PageRow.deployment == number)
    with translated("the index"), engine.connect() as connection:
        last = connection.execute(pages).scalar_one_or_none()
    if last is None:
        raise ConfigError("the index holds nothing of this deployment", hint="fedrx audit trail --index fills it")
    return int(last)


def _rows(engine: Engine, number: int) -> Iterator[dict[str, Any]]:
    events = select(EventRow.__table__).where(EventRow.deployment == number).order_by(EventRow.place)
    with translated("the index"), engine.connect() as connection:
        for row in connection.execution_options(yield_per=_FETCH_ROWS).execute(events).mappings():
            yield dict(row)


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
