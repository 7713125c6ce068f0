"""Reads whole headers and receipts, for proofs that need no network later."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any

from gateways.ledger import answers
from gateways.ledger.block_bytes import (
    header_bytes,
    not_the_receipts,
    parse_header,
    receipt_bytes,
    receipt_proof,
    receipts_root,
)
from gateways.ledger.rpc import MAX_BATCH, RPCEndpoint
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


@dataclass(frozen=True, slots=True)
class WholeBlock:
    """A block's header and all of its receipts, which give the header's receipts root."""

    header: bytes
    """As RLP."""
    receipts: tuple[bytes, ...]
    """As their trie holds them, in order; none where the block has no transaction."""


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
                raise _reorganised()
        return tuple(found)

    def whole_blocks(self, first: int, last: int) -> Iterator[WholeBlock]:
        """Both blocks and those between, each the parent of the next; some hundred are in memory at once.

        Raises:
            LedgerUnavailableError: No answer, receipts that are not those of their header, or the chain reorganised
                meanwhile.
        """
        parent = None
        for start in range(first, last + 1, MAX_BATCH):
            page = range(start, min(start + MAX_BATCH, last + 1))
            blocks = self._endpoint.batch("eth_getBlockByNumber", [(hex(number), False) for number in page])
            headers = [header_bytes(block) for block in blocks]
            in_blocks = [_tx_hashes(block) for block in blocks]
            # One by one: eth_getBlockReceipts is not served everywhere.
            asked = [(str(each),) for in_block in in_blocks for each in in_block]
            told = iter(self._endpoint.batch("eth_getTransactionReceipt", asked))
            for data, in_block in zip(headers, in_blocks, strict=True):
                header = parse_header(data)
                receipts = tuple(receipt_bytes(each) for each in islice(told, len(in_block)))
                if parent is not None and header.parent_hash != parent:
                    raise _reorganised()
                if receipts_root(receipts) != header.receipts_root:
                    raise not_the_receipts()
                parent = header.block_hash
                yield WholeBlock(data, receipts)

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
        in_block = _tx_hashes(block)
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


def _tx_hashes(block: Any) -> list[TxHash]:
    hashes = block.get("transactions") if isinstance(block, dict) else None
    return [answers.tx_hash(each) for each in hashes] if isinstance(hashes, list) else []


def _reorganised() -> LedgerUnavailableError:
    return LedgerUnavailableError("the chain reorganised while it was read", hint="run the command again")
