"""When consent receipts were withdrawn."""

from __future__ import annotations

from sqlalchemy import select

from node.store.local_store import Transaction
from node.store.tables import Withdrawal


def withdrawal_times(transaction: Transaction) -> dict[bytes, int]:
    """When each withdrawn receipt was withdrawn, by its id, in seconds since 1970."""
    rows = transaction.session.execute(select(Withdrawal.receipt_id, Withdrawal.recorded_at))
    return {bytes(receipt_id): recorded_at for receipt_id, recorded_at in rows}
