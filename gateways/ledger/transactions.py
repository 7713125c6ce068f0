"""Sends a transaction and waits until it is in a block at the configured finality.

Order: estimate (here the contract refuses, and nothing is sent) → nonce and fees → sign → submit → poll. From
``submit`` on a lost answer is no reason to say "not sent": the hash is known, so the receipt is looked for until the
time is up, and ``ReceiptTimeoutError`` says what may still happen.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import Any, Self

import structlog

from gateways.ledger import answers
from gateways.ledger.chain_checks import head
from gateways.ledger.contract_abi import ContractABI, contract_abi
from gateways.ledger.finality import Finality
from gateways.ledger.rpc import RPCEndpoint, RPCRefusedError
from gateways.ledger.signers import Signer
from gateways.settings import DEFAULT_MAX_FEE_GWEI
from protocol.errors import LedgerError, LedgerUnavailableError, ReceiptTimeoutError, TransactionRevertedError
from protocol.identifiers import AccountAddress, BlockHash, TxHash

_log = structlog.get_logger(__name__)

REQUEST_TIMEOUT_SECONDS = 20.0
_FIRST_POLL_SECONDS = 0.02
_MAX_POLL_SECONDS = 1.0
_NONCE_TRIES = 10
_WEI_PER_GWEI = 10**9


@dataclass(frozen=True, slots=True)
class MinedTransaction:
    """A transaction in a block, not reverted."""

    tx_hash: TxHash
    block_number: int
    block_hash: BlockHash
    timestamp: int
    """Of its block, seconds since 1970."""
    gas_used: int
    contract_address: AccountAddress | None
    logs: tuple[answers.Log, ...]
    """With their block's time."""


class TransactionSender:
    """Sends the transactions of one account, one after the other.

    Args:
        endpoint: Where to send.
        abi: Decodes refusals.
        signer: The account.
        chain_id: Signed into each transaction (EIP-155).
        finality: Which block must hold the transaction.
        timeout_seconds: From submission to that block.
        max_fee_gwei: The most that is signed for one unit of gas. The fees are the endpoint's word.
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
        max_fee_gwei: float = DEFAULT_MAX_FEE_GWEI,
    ) -> None:
        self._endpoint = endpoint
        self._abi = abi
        self._signer = signer
        self._chain_id = chain_id
        self._finality = finality
        self._timeout_seconds = timeout_seconds
        self._max_fee_gwei = max_fee_gwei
        # Two threads that read the same pending nonce would replace each other's transaction.
        self._nonce_lock = threading.Lock()

    @classmethod
    def through_web3(
        cls,
        rpc_url: str,
        signer: Signer,
        *,
        chain_id: int,
        finality: Finality,
        timeout_seconds: float,
        max_fee_gwei: float,
    ) -> Self:
        """A sender of the shipped contract's transactions, through web3's provider."""
        from gateways.ledger.web3_endpoint import Web3Endpoint  # noqa: PLC0415 - web3 loads for a second

        endpoint = Web3Endpoint(rpc_url, timeout_seconds=REQUEST_TIMEOUT_SECONDS)
        return cls(
            endpoint,
            contract_abi(),
            signer,
            chain_id=chain_id,
            finality=finality,
            timeout_seconds=timeout_seconds,
            max_fee_gwei=max_fee_gwei,
        )

    @property
    def account(self) -> AccountAddress:
        """Whose transactions these are."""
        return self._signer.account

    def send(self, to: AccountAddress | None, data: bytes, *, value_wei: int = 0) -> MinedTransaction:
        """Sends and waits; ``to`` None creates a contract.

        Raises:
            TransactionRevertedError: The contract refused; the subclass names the Solidity error.
            ReceiptTimeoutError: Sent, not yet in a block at the configured finality.
            LedgerUnavailableError: Surely not sent, also because the endpoint asks for too high a fee.
            LedgerError: The account cannot pay, or funds may have been sent although the endpoint refuses them.
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
            used = answers.count(self._endpoint.call("eth_estimateGas", request | {"value": hex(request["value"])}))
        except RPCRefusedError as error:
            raise self._refusal(error) from error
        # Another site's transaction may come first and make a slot dirty or a bitmap longer.
        return used + used // 4

    def _submit(self, request: dict[str, Any], gas: int) -> TxHash:
        for _ in range(_NONCE_TRIES - 1):
            try:
                return self._submit_once(request, gas)
            except RPCRefusedError as error:
                # Another process of this account was quicker: a governor with two terminals, or a command beside a
                # daemon. The refused transaction is nowhere, so the next number may be taken.
                if not _nonce_was_taken(error):
                    raise self._refusal(error) from error
                if request["value"] > 0:
                    raise _funds_in_doubt(error) from error
        try:
            return self._submit_once(request, gas)
        except RPCRefusedError as error:
            raise self._refusal(error) from error

    def _submit_once(self, request: dict[str, Any], gas: int) -> TxHash:
        transaction = request | self._fees() | {"gas": gas, "chainId": self._chain_id, "type": 2}
        transaction["nonce"] = answers.count(
            self._endpoint.call("eth_getTransactionCount", str(self._signer.account), "pending")
        )
        unsigned = {key: value for key, value in transaction.items() if key != "from"}
        signed = self._signer.sign(unsigned)
        if signed is None:
            return self._signer.submit(self._endpoint, {**transaction, "type": "0x2"}, None)
        tx_hash, raw = signed
        try:
            return self._signer.submit(self._endpoint, unsigned, raw)
        except RPCRefusedError:
            # Some chains run the transaction before they answer, and answer its revert.
            raise
        except LedgerUnavailableError:
            return tx_hash

    def _fees(self) -> dict[str, int]:
        base_fee_wei = head(self._endpoint, "latest").base_fee_wei
        try:
            tip_wei = answers.count(self._endpoint.call("eth_maxPriorityFeePerGas"))
        except RPCRefusedError:
            tip_wei = 0
        max_fee_wei = 2 * base_fee_wei + tip_wei
        if max_fee_wei > self._max_fee_gwei * _WEI_PER_GWEI:
            raise LedgerUnavailableError(
                f"the RPC endpoint asks for {max_fee_wei / _WEI_PER_GWEI:.6g} gwei a unit of gas, "
                f"more than the {self._max_fee_gwei:.6g} that are allowed: nothing was sent",
                hint="wait until the chain is quieter or name another endpoint; where a process has a settings file, "
                "chain.max_fee_gwei in it can be raised",
            )
        return {"maxFeePerGas": max_fee_wei, "maxPriorityFeePerGas": tip_wei}

    def _refusal(self, error: RPCRefusedError) -> LedgerError:
        if error.revert_data:
            return self._abi.decode_revert(error.revert_data)
        message = error.message.lower()
        if "revert" in message:
            return TransactionRevertedError(f"the contract reverted: {error.message}")
        if "insufficient funds" in message or "doesn't have enough funds" in message:
            return LedgerError(
                f"account {self._signer.account} cannot pay for the transaction",
                hint="send it ether; for a site or an aggregator the governor does",
            )
        return error

    def _wait(self, tx_hash: TxHash, request: dict[str, Any]) -> MinedTransaction:
        give_up = time.monotonic() + self._timeout_seconds
        pause = _FIRST_POLL_SECONDS
        while True:
            found = self._find(tx_hash)
            if found is not None:
                break
            if time.monotonic() >= give_up:
                raise ReceiptTimeoutError(tx_hash, self._timeout_seconds)
            time.sleep(pause)
            pause = min(pause * 1.5, _MAX_POLL_SECONDS)
        receipt, timestamp = found
        if not receipt.succeeded:
            raise self._mined_refusal(receipt, request)
        return MinedTransaction(
            tx_hash=tx_hash,
            block_number=receipt.block_number,
            block_hash=receipt.block_hash,
            timestamp=timestamp,
            gas_used=receipt.gas_used,
            contract_address=receipt.contract_address,
            logs=tuple(replace(log, block_timestamp=timestamp) for log in receipt.logs),
        )

    def _find(self, tx_hash: TxHash) -> tuple[answers.Receipt, int] | None:
        """The receipt and its block's time once the block is at the configured finality.

        No answer and an odd one are None, for whoever sees "unavailable" would send the transaction a second time.
        """
        try:
            receipt = answers.receipt(self._endpoint.call("eth_getTransactionReceipt", str(tx_hash)))
            if receipt is None or receipt.tx_hash != tx_hash:
                return None
            if self._finality != "latest" and head(self._endpoint, self._finality).number < receipt.block_number:
                return None
            block = answers.block(self._endpoint.call("eth_getBlockByHash", str(receipt.block_hash), False))
        except LedgerUnavailableError:
            return None
        return None if block is None else (receipt, block.timestamp)

    def _mined_refusal(self, receipt: answers.Receipt, request: dict[str, Any]) -> LedgerError:
        """Receipts carry no reason: the call is repeated on the state that its block left."""
        again = request | {"value": hex(request["value"])}
        try:
            self._endpoint.call("eth_call", again, hex(receipt.block_number))
        except RPCRefusedError as error:
            refusal = self._refusal(error)
            if isinstance(refusal, TransactionRevertedError):
                return refusal
        except LedgerUnavailableError:
            _log.debug("no reason found for a reverted tx", tx_hash=str(receipt.tx_hash))
        return TransactionRevertedError(
            f"transaction {receipt.tx_hash} reverted in block {receipt.block_number}",
            hint="the state changed while it was on its way: read the events and decide again",
        )


def _funds_in_doubt(error: RPCRefusedError) -> LedgerError:
    """An endpoint that lies about a nonce would hold two signed transfers, and could have both included."""
    return LedgerError(
        f"the RPC endpoint refuses a transfer of funds ({error.message}); it is not signed a second time",
        hint="see whether the funds have arrived before you send them again",
    )


def _nonce_was_taken(error: RPCRefusedError) -> bool:
    message = error.message.lower()
    return "nonce too low" in message or "underpriced" in message
