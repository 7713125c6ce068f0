"""Reads whole headers and receipts, for proofs that need no network later."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise

from gateways.ledger import answers
from gateways.ledger.block_bytes import header_bytes, parse_header, receipt_bytes, receipt_proof
from gateways.ledger.rpc import RPCEndpoint
from protocol.errors import LedgerUnavailableError
from protocol.identifiers import TxHash


@dataclass(frozen=True, slots=True)
class ReceiptProof:
    """A transaction's receipt in its block."""

    transaction_index: int
    first_log_index: int
    """Of the receipt's first log in the block; -1 when it has none."""
    nodes: tuple[bytes, ...]
    """RLP of the trie's nodes from the header's receipts root to the receipt."""


class BlockReader:
    """Headers and receipt proofs of one endpoint.

    Args:
        endpoint: Any; nothing that it says is believed without its hash.
    """

    def __init__(self, endpoint: RPCEndpoint) -> None:
        self._endpoint = endpoint

    def headers(self, first: int, last: int) -> tuple[bytes, ...]:
        """The headers of both blocks and between, as RLP, each the parent of the next.

        Raises:
            LedgerUnavailableError: No answer, or the chain reorganised meanwhile.
        """
        blocks = self._endpoint.batch(
            "eth_getBlockByNumber", [(hex(number), False) for number in range(first, last + 1)]
        )
        found = [header_bytes(block) for block in blocks]
        for data, following in pairwise(found):
            if parse_header(following).parent_hash != parse_header(data).block_hash:
                raise LedgerUnavailableError("the chain reorganised while it was read", hint="run the command again")
        return tuple(found)

    def receipts(self, tx_hashes: Collection[TxHash], header: bytes) -> dict[TxHash, ReceiptProof]:
        """The receipts of some transactions of one block, and the nodes that prove each; the block is read once.

        Args:
            tx_hashes: The transactions.
            header: Of their block, as RLP.

        Raises:
            LedgerUnavailableError: No answer, or the receipts are not those of the header.
        """
        wanted = parse_header(header)
        block = self._endpoint.call("eth_getBlockByHash", str(wanted.block_hash), False)
        hashes = block.get("transactions") if isinstance(block, dict) else None
        in_block = [answers.tx_hash(each) for each in hashes] if isinstance(hashes, list) else []
        for tx_hash in set(tx_hashes) - set(in_block):
            raise LedgerUnavailableError(f"transaction {tx_hash} is not in block {wanted.number}")
        # One by one: eth_getBlockReceipts is not served everywhere.
        found = self._endpoint.batch("eth_getTransactionReceipt", [(str(each),) for each in in_block])
        encoded = [receipt_bytes(each) for each in found]
        proofs = {}
        for index, tx_hash in enumerate(in_block):
            if tx_hash in tx_hashes:
                logs = found[index]["logs"]
                first_log = answers.count(logs[0].get("logIndex")) if logs else -1
                proofs[tx_hash] = ReceiptProof(index, first_log, receipt_proof(encoded, index, wanted.receipts_root))
        return proofs
