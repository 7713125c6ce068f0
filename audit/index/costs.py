"""What transactions cost: kept beside the events, because event logs alone do not tell it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, Connection, Engine, Integer, LargeBinary, and_, func, insert, select
from sqlalchemy.orm import Mapped, mapped_column

from audit.index.database import alone, make_tables
from audit.index.tables import Base, EventRow
from gateways.database_errors import translated
from protocol.identifiers import BlockHash, LineageId, TxHash


@dataclass(frozen=True, slots=True)
class TxCost:
    """One transaction in one block."""

    tx_hash: TxHash
    block_hash: BlockHash
    gas_used: int
    call_bytes: int
    """Length of what was sent to the contract."""


@dataclass(frozen=True, slots=True)
class CostSum:
    """Several transactions together."""

    transactions: int = 0
    known: int = 0
    """So many of them are in the two sums."""
    gas_used: int = 0
    call_bytes: int = 0

    @property
    def complete(self) -> bool:
        """Whether nothing is left out."""
        return self.known == self.transactions


class TxCostRow(Base):
    """What a transaction cost. The block is part of its name: mined again elsewhere, it may cost something else."""

    __tablename__ = "tx_costs"

    deployment: Mapped[int] = mapped_column(Integer, primary_key=True)
    tx_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    block_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    gas_used: Mapped[int] = mapped_column(BigInteger)
    call_bytes: Mapped[int] = mapped_column(BigInteger)


_SAME_TX = and_(
    TxCostRow.deployment == EventRow.deployment,
    TxCostRow.tx_hash == EventRow.tx_hash,
    TxCostRow.block_hash == EventRow.block_hash,
)


class CostTable:
    """The costs of one deployment's transactions.

    Args:
        engine: As ``open_database`` gives it.
        number: Of the deployment in the index.

    Raises:
        StoreError: The database refuses.
    """

    def __init__(self, engine: Engine, number: int) -> None:
        self._engine = engine
        self._number = number
        make_tables(engine)

    def missing(self, below: int, count: int) -> tuple[list[TxHash], int]:
        """The newest transactions whose cost is not known.

        Args:
            below: Place in the chain (``tables.place_of``): only events before it are looked at.
            count: How many events are looked at; two of them may be one transaction's.

        Returns:
            The transactions, newest first, and the place of the oldest event; ``below`` when there is none.

        Raises:
            StoreError: The database refuses.
        """
        query = (
            select(EventRow.place, EventRow.tx_hash)
            .outerjoin(TxCostRow, _SAME_TX)
            .where(EventRow.deployment == self._number, EventRow.place < below, TxCostRow.tx_hash.is_(None))
            .order_by(EventRow.place.desc())
            .limit(count)
        )
        with translated("the index"), self._engine.connect() as connection:
            found = connection.execute(query).all()
        return list(dict.fromkeys(TxHash(row.tx_hash) for row in found)), found[-1].place if found else below

    def add(self, costs: Sequence[TxCost]) -> None:
        """Keeps costs; what is known already stays.

        Raises:
            StoreError: The database refuses.
        """
        with alone(self._engine) as connection:
            known = self._known(connection, [cost.tx_hash for cost in costs])
            fresh = [cost for cost in costs if (bytes(cost.tx_hash), bytes(cost.block_hash)) not in known]
            if fresh:
                connection.execute(insert(TxCostRow), [self._row(cost) for cost in fresh])

    def of_rounds(self, lineage_id: LineageId, first: int, last: int) -> dict[int, CostSum]:
        """What the transactions of some rounds of a lineage cost together, by round.

        Raises:
            StoreError: The database refuses.
        """
        where = (EventRow.lineage_id == bytes(lineage_id), EventRow.round.between(first, last))
        txs = select(EventRow.round, EventRow.deployment, EventRow.tx_hash, EventRow.block_hash).where(*where)
        one = txs.where(EventRow.deployment == self._number).distinct().subquery()
        same = and_(
            TxCostRow.deployment == one.c.deployment,
            TxCostRow.tx_hash == one.c.tx_hash,
            TxCostRow.block_hash == one.c.block_hash,
        )
        query = select(
            one.c.round,
            func.count(),
            func.count(TxCostRow.tx_hash),
            func.coalesce(func.sum(TxCostRow.gas_used), 0),
            func.coalesce(func.sum(TxCostRow.call_bytes), 0),
        )
        with translated("the index"), self._engine.connect() as connection:
            rows = connection.execute(query.select_from(one.outerjoin(TxCostRow, same)).group_by(one.c.round)).all()
        return {row[0]: CostSum(row[1], row[2], int(row[3]), int(row[4])) for row in rows}

    def of_transactions(self, tx_hashes: Iterable[TxHash]) -> dict[TxHash, TxCost]:
        """The costs of some transactions, as far as they are known.

        Raises:
            StoreError: The database refuses.
        """
        wanted = [bytes(tx_hash) for tx_hash in tx_hashes]
        query = (
            select(TxCostRow)
            .with_only_columns(TxCostRow.tx_hash, TxCostRow.block_hash, TxCostRow.gas_used, TxCostRow.call_bytes)
            .join(EventRow, _SAME_TX)
            .where(TxCostRow.deployment == self._number, TxCostRow.tx_hash.in_(wanted))
        )
        with translated("the index"), self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return {
            TxHash(row.tx_hash): TxCost(TxHash(row.tx_hash), BlockHash(row.block_hash), row.gas_used, row.call_bytes)
            for row in rows
        }

    def progress(self) -> CostSum:
        """All transactions with events, and how many of them are known.

        Raises:
            StoreError: The database refuses.
        """
        events = select(EventRow.deployment, EventRow.tx_hash, EventRow.block_hash)
        one = events.where(EventRow.deployment == self._number).distinct().subquery()
        same = and_(
            TxCostRow.deployment == one.c.deployment,
            TxCostRow.tx_hash == one.c.tx_hash,
            TxCostRow.block_hash == one.c.block_hash,
        )
        query = select(func.count(), func.count(TxCostRow.tx_hash))
        with translated("the index"), self._engine.connect() as connection:
            transactions, known = connection.execute(query.select_from(one.outerjoin(TxCostRow, same))).one()
        return CostSum(transactions, known)

    def _known(self, connection: Connection, tx_hashes: Sequence[TxHash]) -> set[tuple[bytes, bytes]]:
        query = select(TxCostRow.tx_hash, TxCostRow.block_hash).where(
            TxCostRow.deployment == self._number, TxCostRow.tx_hash.in_([bytes(each) for each in tx_hashes])
        )
        return {(row.tx_hash, row.block_hash) for row in connection.execute(query)}

    def _row(self, cost: TxCost) -> dict[str, object]:
        return {
            "deployment": self._number,
            "tx_hash": bytes(cost.tx_hash),
            "block_hash": bytes(cost.block_hash),
            "gas_used": cost.gas_used,
            "call_bytes": cost.call_bytes,
        }
