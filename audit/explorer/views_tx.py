"""One transaction: its events in words and field by field, the raw logs, and the way to its proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request

from audit.explorer import paths
from audit.explorer.marks import Judged, judged
from audit.explorer.screens import explorer_of, show
from audit.index.searching import Search
from audit.trail import trail
from protocol import ledger_events as ev
from protocol.errors import ConfigError, LedgerError
from protocol.identifiers import Digest, TxHash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.responses import Response

    from audit.trail import TrailRow
    from gateways.ledger.answers import Receipt
    from protocol.history import History

router = APIRouter()


@router.get("/tx/{tx}")
def one_transaction(request: Request, tx: str) -> Response:
    """What a transaction said."""
    explorer = explorer_of(request)
    tx_hash = TxHash.from_hex(tx)
    rows = list(trail(explorer.chronicle.find(Search(tx_hash=tx_hash)), explorer.names))
    if not rows:
        raise ConfigError(f"no event of the contract is in transaction {tx_hash}", hint="give its hash as a whole")
    costs = explorer.chronicle.costs.of_transactions([tx_hash])
    receipt, silent = None, ""
    try:
        receipt = explorer.transactions.receipt(tx_hash)
    except LedgerError as error:
        silent = error.what
    with explorer.chronicle.seen() as seen:
        return show(
            explorer,
            "tx.html",
            seen,
            tx_hash=tx_hash,
            position=rows[0].located.position,
            rows=[(row, _fields(seen.history, row)) for row in rows],
            cost=costs.get(tx_hash),
            logs=_logs(receipt, rows),
            receipt=receipt,
            silent=silent,
            judged=_verdicts(seen.history, rows),
            is_covered=rows[-1].located.position.block_number <= seen.head.number,
        )


def _logs(receipt: Receipt | None, rows: Sequence[TrailRow]) -> dict[int, tuple[list[str], str]]:
    """Topics and data of each event by its log index, as the chain has them."""
    if receipt is None or receipt.block_hash != rows[0].located.position.block_hash:
        return {}
    return {log.log_index: ([f"0x{topic.hex()}" for topic in log.topics], f"0x{log.data.hex()}")
            for log in receipt.logs}  # fmt: skip


def _verdicts(history: History, rows: Sequence[TrailRow]) -> list[Judged]:
    """What became of the updates that the transaction registered."""
    found = []
    for row in rows:
        event = row.located.event
        if isinstance(event, ev.UpdateRegistered):
            # The index may be a moment ahead of the history.
            lineage = history.lineages.get(event.lineage_id)
            view = None if lineage is None else lineage.rounds.get(event.round)
            found += [] if view is None else [each for each in judged(view) if each.event == event]
    return found


def _fields(history: History, row: TrailRow) -> list[tuple[str, str, str]]:
    """Name, value and link of every field."""
    event = row.located.event
    values = row.as_json()["event"]
    if not isinstance(values, dict):
        raise TypeError(type(values))
    return [(name, _text(value), _link(history, event, name)) for name, value in values.items()]


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return "none" if value is None else str(value)


def _link(history: History, event: ev.LedgerEvent, name: str) -> str:
    """The screen of what a field names, or nothing."""
    value, path = getattr(event, name), ""
    if name == "site_id":
        path = paths.site_path(value)
    elif name == "lineage_id" and value in history.lineages:
        path = paths.lineage_path(value)
    elif name in {"model_digest", "parent_digest"} and value != Digest.zero():
        path = paths.model_path(value)
    elif name == "root" and isinstance(event, ev.ConsentRootPublished):
        path = paths.consent_path(value)
    elif name == "round" and isinstance(event, ev.RoundEvent):
        path = paths.round_path(event.lineage_id, value)
    elif name == "consent_version" and isinstance(event, ev.UpdateRegistered) and event.site_id in history.consents:
        published = history.consents[event.site_id].roots.get(value)
        path = "" if published is None else paths.consent_path(published[0].root)
    return path
