"""Tables of the index. SQLite and PostgreSQL take them alike."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

LOG_BITS = 24
"""Room for 16 million logs in a block; a block number then keeps 39 bits."""
LAST_PLACE = 2**63 - 1
"""Behind every log."""
FILL_ANEW = "delete the index: the chain fills it anew"
"""What to do about an index that somebody changed."""


class Base(DeclarativeBase):
    """The index's schema."""


class DeploymentRow(Base):
    """A deployment whose events the index holds."""

    __tablename__ = "deployments"

    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    chain_id: Mapped[int] = mapped_column(BigInteger)
    contract_address: Mapped[bytes] = mapped_column(LargeBinary(20))
    genesis_block_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    deployment_block_number: Mapped[int] = mapped_column(BigInteger)
    deployment_block_hash: Mapped[bytes] = mapped_column(LargeBinary(32))


class PageRow(Base):
    """Blocks that were read in one step; its last block's hash tells whether they are still on the chain."""

    __tablename__ = "pages"

    deployment: Mapped[int] = mapped_column(Integer, primary_key=True)
    last_block: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    block_hash: Mapped[bytes] = mapped_column(LargeBinary(32))


class EventRow(Base):
    """One event log, whole in ``value``, and what it can be found by."""

    __tablename__ = "events"

    deployment: Mapped[int] = mapped_column(Integer, primary_key=True)
    place: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    """Block and log index in one number, so that chain order is an index's order."""
    kind: Mapped[str] = mapped_column(String(32))
    timestamp: Mapped[int] = mapped_column(BigInteger)
    block_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    tx_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    site_id: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    lineage_id: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    round: Mapped[int | None] = mapped_column(BigInteger)
    model_digest: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    """Of the model that an event makes or starts from."""
    consent_version: Mapped[int | None] = mapped_column(BigInteger)
    consent_root: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    value: Mapped[bytes] = mapped_column(LargeBinary)

    # ``place`` ends each index: a page of the newest matches is read without sorting.
    __table_args__ = (
        Index("events_by_kind", "deployment", "kind", "place"),
        Index("events_by_time", "deployment", "timestamp", "place"),
        Index("events_by_tx", "tx_hash"),
        Index("events_by_site", "deployment", "site_id", "place"),
        Index("events_by_round", "deployment", "lineage_id", "round", "place"),
        Index("events_by_model", "model_digest"),
        Index("events_by_consent_root", "consent_root"),
    )


def place_of(block_number: int, log_index: int) -> int:
    """The sortable place of a log.

    Raises:
        OverflowError: Beyond what a signed 64-bit number holds.
    """
    if not 0 <= log_index < 1 << LOG_BITS or not 0 <= block_number < 1 << (63 - LOG_BITS):
        raise OverflowError(f"log {log_index} of block {block_number}")
    return block_number << LOG_BITS | log_index


def block_and_log(place: int) -> tuple[int, int]:
    """Block number and log index of a place."""
    return place >> LOG_BITS, place & ((1 << LOG_BITS) - 1)
