"""Sends a transaction and waits until it is in a block at the configured finality.

Order: estimate (here the contract refuses, and nothing is sent) → nonce and fees → sign → submit → poll. From
``submit`` on a lost answer is no reason to say "not sent": the hash is known, so the receipt is looked for until the
time is up, and ``ReceiptTimeoutError`` says what may still happen.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any, Literal

from gateways.ledger.contract_abi import ContractABI
from gateways.ledger.rpc import RPCEndpoint, RPCRefusedError, blob, quantity
from gateways.ledger.signers import Signer
from protocol.errors import LedgerError, LedgerUnavailableError, ReceiptTimeoutError, TransactionRevertedError
from protocol.identifiers import AccountAddress, BlockHash, TxHash

Finality = Literal["latest", "finalized"]

_FIRST_POLL_SECONDS = 0.02
_MAX_POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class MinedTransaction:
    """A transaction in a block, not reverted."""

    tx_hash: TxHash
    block_number: int
    block_hash: BlockHash
    gas_used: int
    contract_address: AccountAddress | None
    logs: list[dict[str, Any]]


class TransactionSender:
    """Sends the transactions of one account, one after the other.

    Args:
        endpoint: Where to send.
        abi: Decodes refusals.
        signer: The account.
        chain_id: Signed into each transaction (EIP-155).
        finality: Which block must hold the transaction.
        timeout_seconds: From submission to that block.
    """

    def __init__(
        self,
        endpoint: RPCEndpoint,
        abi: ContractABI,
        signer: Signer,
        *,
        chain_id: int,
        finality: Finality,
        timeout_seconds: float,
    ) -> None:
        self._endpoint = endpoint
        self._abi = abi
        self._signer = signer
        self._chain_id = chain_id
        self._finality = finality
        self._timeout_seconds = timeout_seconds
        # Two threads that read the same pending nonce would replace each other's transaction.
        self._nonce_lock = threading.Lock()

    def send(self, to: AccountAddress | None, data: bytes, *, value_wei: int = 0) -> MinedTransaction:
        """Sends and waits; ``to`` None creates a contract.

        Raises:
            TransactionRevertedError: The contract refused; the subclass names the Solidity error.
            ReceiptTimeoutError: Sent, not yet in a block at the configured finality.
            LedgerUnavailableError: Surely not sent.
            LedgerError: The account cannot pay.
        """
        request = {"from": str(self._signer.account), "data": "0x" + data.hex(), "value": value_wei}
        if to is not None:
            request["to"] = str(to)
        gas = self._estimate(request)
        with self._nonce_lock:
            tx_hash = self._submit(request, gas)
        return self._wait(tx_hash, request)

    def _estimate(self, request: dict[str, Any]) -> int:
        try:
            used = quantity(self._endpoint.call("eth_estimateGas", request | {"value": hex(request["value"])}))
        except RPCRefusedError as error:
            raise self._refusal(error) from error
        # Another site's transaction may come first and make a slot dirty or a bitmap longer.
        return used + used // 4

    def _submit(self, request: dict[str, Any], gas: int) -> TxHash:
        transaction = request | self._fees() | {"gas": gas, "chainId": self._chain_id, "type": 2}
        transaction["nonce"] = quantity(
            self._endpoint.call("eth_getTransactionCount", str(self._signer.account), "pending")
        )
        unsigned = {key: value for key, value in transaction.items() if key != "from"}
        signed = self._signer.sign(unsigned)
        if signed is None:
            try:
                return self._signer.submit(self._endpoint, {**transaction, "type": "0x2"}, None)
            except RPCRefusedError as error:
                raise self._refusal(error) from error
        tx_hash, raw = signed
        try:
            return self._signer.submit(self._endpoint, unsigned, raw)
        except RPCRefusedError as error:
            # Some chains run the transaction before they answer, and answer its revert.
            raise self._refusal(error) from error
        except LedgerUnavailableError:
            return tx_hash

    def _fees(self) -> dict[str, int]:
        block = self._endpoint.call("eth_getBlockByNumber", "latest", False)
        base_fee = quantity(block.get("baseFeePerGas", "0x0"))
        try:
            tip = quantity(self._endpoint.call("eth_maxPriorityFeePerGas"))
        except RPCRefusedError:
            tip = 0
        return {"maxFeePerGas": 2 * base_fee + tip, "maxPriorityFeePerGas": tip}

    def _refusal(self, error: RPCRefusedError) -> LedgerError:
        if error.revert_data:
            return self._abi.decode_revert(error.revert_data)
        message = error.message.lower()
        if "revert" in message:
            return TransactionRevertedError(f"the contract reverted: {error.message}")
        if "insufficient funds" in message or "doesn't have enough funds" in message:
            return LedgerError(
                f"account {self._signer.account} cannot pay for the transaction", hint="ask the governor to fund it"
            )
        return error

    def _wait(self, tx_hash: TxHash, request: dict[str, Any]) -> MinedTransaction:
        give_up = time.monotonic() + self._timeout_seconds
        pause = _FIRST_POLL_SECONDS
        while True:
            receipt = self._receipt_at_finality(tx_hash)
            if receipt is not None:
                break
            if time.monotonic() >= give_up:
                raise ReceiptTimeoutError(tx_hash, self._timeout_seconds)
            time.sleep(pause)
            pause = min(pause * 1.5, _MAX_POLL_SECONDS)
        if quantity(receipt["status"]) != 1:
            raise self._mined_refusal(tx_hash, receipt, request)
        created = receipt.get("contractAddress")
        return MinedTransaction(
            tx_hash=tx_hash,
            block_number=quantity(receipt["blockNumber"]),
            block_hash=BlockHash(blob(receipt["blockHash"])),
            gas_used=quantity(receipt["gasUsed"]),
            contract_address=AccountAddress.from_hex(created) if created else None,
            logs=receipt["logs"],
        )

    def _receipt_at_finality(self, tx_hash: TxHash) -> Any:
        try:
            receipt = self._endpoint.call("eth_getTransactionReceipt", str(tx_hash))
            if receipt is None or self._finality == "latest":
                return receipt
            final = self._endpoint.call("eth_getBlockByNumber", self._finality, False)
        except LedgerUnavailableError:
            return None
        if final is None or quantity(final["number"]) < quantity(receipt["blockNumber"]):
            return None
        return receipt

    def _mined_refusal(self, tx_hash: TxHash, receipt: dict[str, Any], request: dict[str, Any]) -> LedgerError:
        """Receipts carry no reason: the call is repeated on the state that its block left."""
        again = request | {"value": hex(request["value"])}
        try:
            self._endpoint.call("eth_call", again, receipt["blockNumber"])
        except RPCRefusedError as error:
            refusal = self._refusal(error)
            if isinstance(refusal, TransactionRevertedError):
                return refusal
        return TransactionRevertedError(
            f"transaction {tx_hash} reverted in block {quantity(receipt['blockNumber'])}",
            hint="the state changed while it was on its way: read the events and decide again",
        )
