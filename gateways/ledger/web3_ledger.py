"""The ledger port over JSON-RPC."""

from __future__ import annotations

from collections.abc import Iterator

import structlog

from gateways.ledger.contract_abi import contract_abi
from gateways.ledger.event_reader import EventReader
from gateways.ledger.rpc import RPCEndpoint, blob, quantity
from gateways.ledger.signers import KeySigner, Signer
from gateways.ledger.transactions import Finality, MinedTransaction, TransactionSender
from protocol.deployment import Deployment
from protocol.errors import LedgerError, LedgerUnavailableError, WrongChainError
from protocol.identifiers import AccountAddress, BlockHash, digest_of
from protocol.ledger_calls import LedgerCall
from protocol.ledger_events import LocatedEvent, Position
from protocol.ports import BlockHeader, ChainIdentity, TxReceipt

_log = structlog.get_logger(__name__)

REQUEST_TIMEOUT_SECONDS = 20.0


class Web3Ledger:
    """The contract on its chain (``protocol.ports.Ledger``). Made by ``connect``; safe to share between threads."""

    def __init__(
        self, endpoint: RPCEndpoint, deployment: Deployment, signer: Signer | None, *, finality: Finality, wait: float
    ) -> None:
        abi = contract_abi()
        self._endpoint = endpoint
        self._deployment = deployment
        self._finality: Finality = finality
        self._abi = abi
        self._signer = signer
        self._reader = EventReader(endpoint, abi, deployment.contract_address)
        self._sender: TransactionSender | None = None
        if signer is not None:
            self._sender = TransactionSender(
                endpoint, abi, signer, chain_id=deployment.chain_id, finality=finality, timeout_seconds=wait
            )

    @classmethod
    def connect(
        cls,
        rpc_url: str,
        deployment: Deployment,
        *,
        signer_key: bytes | None = None,
        signer: Signer | None = None,
        finality: Finality = "latest",
        timeout_seconds: float = 120.0,
        compare_rpc_url: str | None = None,
    ) -> Web3Ledger:
        """Connects and checks that the chain and the code are the deployment's.

        Args:
            rpc_url: JSON-RPC over http(s).
            deployment: The consortium's deployment file.
            signer_key: 32 bytes, secp256k1; without it (and ``signer``) the ledger only reads.
            signer: Another way to sign, instead of ``signer_key``.
            finality: ``"latest"`` where a block is final at once (Hardhat, QBFT), else ``"finalized"``.
            timeout_seconds: How long ``send`` waits for a block.
            compare_rpc_url: A second endpoint, of another operator, that must tell the same chain.

        Raises:
            WrongChainError: Another chain, no contract or other code at the address, or two endpoints that disagree.
            LedgerUnavailableError: No answer.
            KeyRingError: The key is not a private key.
        """
        if signer_key is not None:
            signer = KeySigner(signer_key)
        endpoint = RPCEndpoint(rpc_url, timeout_seconds=REQUEST_TIMEOUT_SECONDS)
        check_chain(endpoint, deployment)
        if compare_rpc_url is not None:
            other = RPCEndpoint(compare_rpc_url, timeout_seconds=REQUEST_TIMEOUT_SECONDS)
            check_chain(other, deployment)
            _check_same_head(endpoint, other, finality)
        return cls(endpoint, deployment, signer, finality=finality, wait=timeout_seconds)

    @property
    def identity(self) -> ChainIdentity:
        """Which contract on which chain this speaks to."""
        return self._deployment.identity

    @property
    def account(self) -> AccountAddress | None:
        """The account that signs, or None for a reader."""
        return self._signer.account if self._signer else None

    def head(self) -> BlockHeader:
        """The newest block at the configured finality.

        Raises:
            LedgerUnavailableError: No answer, or no block is final yet.
        """
        return _header(self._endpoint, self._finality)

    def block_hash(self, number: int) -> BlockHash | None:
        """The hash of a block on the chain as it is now, or None where there is none.

        Raises:
            LedgerUnavailableError: No answer.
        """
        return _block_hash(self._endpoint, number)

    def events(self, from_block: int, to_block: int) -> Iterator[LocatedEvent]:
        """All events of the contract in both blocks and between, in chain order, fetched page by page.

        Raises:
            LedgerUnavailableError: No answer; reading again is safe.
            MalformedError: A log is none of the contract's events.
        """
        return self._reader.read(from_block, to_block)

    def send(self, call: LedgerCall) -> TxReceipt:
        """Signs, sends and waits until the transaction is in a block at the configured finality.

        Raises:
            TransactionRevertedError: The contract refused; the subclass names the Solidity error.
            ReceiptTimeoutError: Sent, not yet in a block.
            LedgerUnavailableError: Surely not sent.
            LedgerError: The account cannot pay, or there is none.
            MalformedError: A value does not fit its Solidity type.
        """
        mined = self._required_sender().send(self._deployment.contract_address, self._abi.encode_call(call))
        _log.debug("tx mined", call=type(call).__name__, tx_hash=str(mined.tx_hash), gas_used=mined.gas_used)
        return self._receipt(mined)

    def transfer(self, to: AccountAddress, value_wei: int) -> TxReceipt:
        """Sends funds, such as a new site's first gas money.

        Raises:
            ReceiptTimeoutError: Sent, not yet in a block.
            LedgerUnavailableError: Surely not sent.
            LedgerError: The account cannot pay, or there is none.
        """
        return self._receipt(self._required_sender().send(to, b"", value_wei=value_wei))

    def balance_wei(self, account: AccountAddress) -> int:
        """Funds of an account, in wei, in the newest block."""
        return quantity(self._endpoint.call("eth_getBalance", str(account), "latest"))

    def _required_sender(self) -> TransactionSender:
        if self._sender is None:
            raise LedgerError("this ledger only reads", hint="connect with an account's key")
        return self._sender

    def _receipt(self, mined: MinedTransaction) -> TxReceipt:
        events = tuple(self._reader.locate(mined.logs))
        position = (
            events[-1].position
            if events
            else Position(
                block_number=mined.block_number,
                log_index=0,
                block_hash=mined.block_hash,
                tx_hash=mined.tx_hash,
                timestamp=self._reader.block_time(mined.block_hash),
            )
        )
        return TxReceipt(mined.tx_hash, position, mined.gas_used, events)


def check_chain(endpoint: RPCEndpoint, deployment: Deployment) -> None:
    """Checks that the chain behind an endpoint is the deployment's and holds its code.

    Raises:
        WrongChainError: It is not, or it does not.
        LedgerUnavailableError: No answer.
    """
    chain_id = quantity(endpoint.call("eth_chainId"))
    if chain_id != deployment.chain_id:
        raise _another_chain(endpoint, f"its chain id is {chain_id}, not {deployment.chain_id}")
    if _block_hash(endpoint, 0) != deployment.genesis_block_hash:
        raise _another_chain(endpoint, "its genesis block differs")
    if _block_hash(endpoint, deployment.deployment_block_number) != deployment.deployment_block_hash:
        raise _another_chain(endpoint, f"its block {deployment.deployment_block_number} differs or is missing")
    code = blob(endpoint.call("eth_getCode", str(deployment.contract_address), "latest"))
    if not code:
        raise _another_chain(endpoint, f"no contract is at {deployment.contract_address}")
    if digest_of("contract-code", code) != deployment.runtime_code_digest:
        raise _another_chain(endpoint, f"other code is at {deployment.contract_address}")


def _check_same_head(first: RPCEndpoint, second: RPCEndpoint, finality: Finality) -> None:
    number = min(_header(first, finality).number, _header(second, finality).number)
    if _block_hash(first, number) != _block_hash(second, number):
        raise WrongChainError(
            f"{first.shown} and {second.shown} disagree on block {number}",
            hint="one of them is on a fork or lies: ask the other sites which block they see",
        )


def _another_chain(endpoint: RPCEndpoint, why: str) -> WrongChainError:
    return WrongChainError(
        f"{endpoint.shown} is another chain than the deployment's: {why}",
        hint="check the RPC URL and the deployment file; a local chain forgets everything on restart",
    )


def _block_hash(endpoint: RPCEndpoint, number: int) -> BlockHash | None:
    block = endpoint.call("eth_getBlockByNumber", hex(number), False)
    return BlockHash(blob(block["hash"])) if block else None


def _header(endpoint: RPCEndpoint, finality: Finality) -> BlockHeader:
    block = endpoint.call("eth_getBlockByNumber", finality, False)
    if block is None:
        raise LedgerUnavailableError(
            "the RPC endpoint knows no final block", hint="wait, or configure another finality"
        )
    return BlockHeader(
        number=quantity(block["number"]),
        block_hash=BlockHash(blob(block["hash"])),
        timestamp=quantity(block["timestamp"]),
    )
