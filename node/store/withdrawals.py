"""What the store knows of withdrawals: when receipts were withdrawn, and which withdrawals on the chain are its own."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import delete, select
from sqlalchemy.orm import Mapped, mapped_column

from node.store.local_store import Transaction
from node.store.tables import Table, Withdrawal


class ChainWithdrawal(Table):
    """A withdrawal on the chain that this store sent, or that a person answered for."""

    __tablename__ = "chain_withdrawals"

    number: Mapped[int] = mapped_column(primary_key=True)
    """1 for the site's first on the chain; an account that was rotated goes on counting."""


def withdrawal_times(transaction: Transaction) -> dict[bytes, int]:
    """When each withdrawn receipt was withdrawn, by its id, in seconds since 1970."""
    rows = transaction.session.execute(select(Withdrawal.receipt_id, Withdrawal.recorded_at))
    return {bytes(receipt_id): recorded_at for receipt_id, recorded_at in rows}


def known_on_chain(transaction: Transaction) -> frozenset[int]:
    """The numbers of the withdrawals on the chain, 1-based, that this store knows; one may still be on its way."""
    return frozenset(transaction.session.scalars(select(ChainWithdrawal.number)))


def know_on_chain(transaction: Transaction, numbers: Iterable[int]) -> None:
    """Adds to the withdrawals on the chain that this store knows."""
    known = known_on_chain(transaction)
    transaction.session.add_all(ChainWithdrawal(number=number) for number in sorted(set(numbers) - known))
    transaction.session.flush()


def unknow_on_chain(transaction: Transaction, number: int) -> None:
    """Takes one back that was never sent."""
    transaction.session.execute(delete(ChainWithdrawal).where(ChainWithdrawal.number == number))
