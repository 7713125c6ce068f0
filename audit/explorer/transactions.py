"""Reads what event logs do not tell of a transaction: gas, the length of the call, and its raw logs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from audit.index.costs import TxCost
from gateways.ledger import answers
from gateways.ledger.rpc import RPCEndpoint
from protocol.errors import LedgerUnavailableError
from protocol.identifiers import TxHash


class TransactionReader:
    """Transactions of one endpoint, many in one request.

    Args:
        endpoint: Of the chain.
    """

    def __init__(self, endpoint: RPCEndpoint) -> None:
        self._endpoint = endpoint

    def costs(self, tx_hashes: Sequence[TxHash]) -> list[TxCost]:
        """What transactions cost; one that is in no block any more is left out.

        Raises:
            LedgerUnavailableError: No usable answer.
        """
        asked = [(str(tx_hash),) for tx_hash in tx_hashes]
        receipts = self._endpoint.batch("eth_getTransactionReceipt", asked)
        calls = self._endpoint.batch("eth_getTransactionByHash", asked)
        found = []
        for tx_hash, told, call in zip(tx_hashes, receipts, calls, strict=True):
            receipt = _own(tx_hash, told)
            if receipt is not None and call is not None:
                found.append(TxCost(tx_hash, receipt.block_hash, receipt.gas_used, len(_input(tx_hash, call))))
        return found

    def receipt(self, tx_hash: TxHash) -> answers.Receipt | None:
        """A transaction's receipt with its logs as they are on the chain, or None where it is in no block.

        Raises:
            LedgerUnavailableError: No usable answer.
        """
        return _own(tx_hash, self._endpoint.call("eth_getTransactionReceipt", str(tx_hash)))


def _own(tx_hash: TxHash, told: Any) -> answers.Receipt | None:
    receipt = answers.receipt(told)
    if receipt is not None and receipt.tx_hash != tx_hash:
        raise LedgerUnavailableError(f"the RPC endpoint answers for transaction {tx_hash} with another one")
    return receipt


def _input(tx_hash: TxHash, call: Any) -> bytes:
    if not isinstance(call, dict) or answers.tx_hash(call.get("hash")) != tx_hash:
        raise LedgerUnavailableError(f"the RPC endpoint answers for transaction {tx_hash} with another one")
    return answers.blob(call.get("input"))
