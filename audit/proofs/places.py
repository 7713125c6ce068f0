"""Where a proven log is on its chain, as a position that proven logs of one file can be compared by."""

from __future__ import annotations

from gateways.ledger.block_bytes import Header
from protocol.identifiers import TxHash
from protocol.ledger_events import Position


def place_of(block: Header, transaction_index: int, log_index: int) -> Position:
    """A position without the transaction's hash, which no receipt holds.

    Block number and index in the block, 16 bytes each, stand in place of it: events of one transaction share them.

    Args:
        block: The log's block.
        transaction_index: In the block.
        log_index: In the block.
    """
    transaction = TxHash(block.number.to_bytes(16, "big") + transaction_index.to_bytes(16, "big"))
    return Position(block.number, log_index, block.block_hash, transaction, block.timestamp)
