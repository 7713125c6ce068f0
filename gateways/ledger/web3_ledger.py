"""The ledger port over JSON-RPC."""

from __future__ import annotations

from collections.abc import Iterator

import structlog

from gateways.ledger import answers, chain_checks
from gateways.ledger.chain_checks import agreed_block_hash, agreed_head, check_chain
from gateways.ledger.comparing import agreed_events
from gateways.ledger.contract_abi import contract_abi
from gateways.ledger.event_reader import EventReader
from gateways.ledger.finality import Finality
from gateways.ledger.rpc import RPCEndpoint
from gateways.ledger.signers import KeySigner, Signer
from gateways.ledger.transactions import REQUEST_TIMEOUT_SECONDS, MinedTransaction, TransactionSender
from gateways.settings import DEFAULT_MAX_FEE_GWEI
from protocol.deployment import Deployment
from protocol.errors import LedgerError
from protocol.identifiers import AccountAddress, BlockHash
from protocol.ledger_calls import LedgerCall
from protocol.ledger_events import LocatedEvent, Position
from protocol.ports import BlockHeader, ChainIdentity, TxReceipt

_PENDING_OWNER = "0xe30c3978"
"""Selector of ``pendingOwner()`` in OpenZeppelin's Ownable2Step."""
_log = structlog.get_logger(__name__)


class Web3Ledger:
    """The contract on its chain (``protocol.ports.Ledger``). Made by ``connect``; safe to share between threads."""

    def __init__(
        self,
        endpoint: RPCEndpoint,
        deployment: Deployment,
        sender: TransactionSender | None,
        *,
        finality: Finality,
        compared: RPCEndpoint | None,
    ) -> None:
        self._endpoint = endpoint
        self._compared = compared
        self._deployment = deployment
        self._finality: Finality = finality
        self._reader = EventReader(endpoint, contract_abi(), deployment.contract_address)
        self._other_reader = (
            None if compared is None else EventReader(compared, contract_abi(), deployment.contract_address)
        )
        self._sender = sender

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
        max_fee_gwei: float = DEFAULT_MAX_FEE_GWEI,
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
            max_fee_gwei: The most that is signed for one unit of gas.
            compare_rpc_url: A second endpoint, of another operator, that must tell the same chain, now and whenever
                the head, a block's hash or event logs are read.

        Raises:
            ConfigError: A URL is none.
            WrongChainError: Another chain, no contract or other code at the address.
            LedgerUnavailableError: No answer, or two endpoints that disagree.
            KeyRingError: The key is not a private key.
        """
        if signer_key is not None:
            signer = KeySigner(signer_key)
        endpoint = RPCEndpoint(rpc_url, timeout_seconds=REQUEST_TIMEOUT_SECONDS)
        check_chain(endpoint, deployment)
        compared = None
        if compare_rpc_url is not None:
            compared = RPCEndpoint(compare_rpc_url, timeout_seconds=REQUEST_TIMEOUT_SECONDS)
            check_chain(compared, deployment)
            agreed_head(endpoint, compared, finality)
        sender = None
        if signer is not None:
            sender = TransactionSender.through_web3(
                rpc_url,
                signer,
                chain_id=deployment.chain_id,
                finality=finality,
                timeout_seconds=timeout_seconds,
                max_fee_gwei=max_fee_gwei,
            )
        return cls(endpoint, deployment, sender, finality=finality, compared=compared)

    @property
    def identity(self) -> ChainIdentity:
        """Which contract on which chain this speaks to."""
        return self._deployment.identity

    @property
    def account(self) -> AccountAddress | None:
        """The account that signs, or None for a reader."""
        return self._sender.account if self._sender else None

    def head(self) -> BlockHeader:
        """The newest block at the configured finality; with a second endpoint the newest that both have.

        Raises:
            LedgerUnavailableError: No answer, no block is final yet, or the endpoints disagree.
        """
        if self._compared is None:
            block = chain_checks.head(self._endpoint, self._finality)
        else:
            block = agreed_head(self._endpoint, self._compared, self._finality)
        return BlockHeader(block.number, block.block_hash, block.timestamp)

    def block_hash(self, number: int) -> BlockHash | None:
        """The hash of a block on the chain as it is now, or None where there is none.

        Raises:
            LedgerUnavailableError: No answer, or the endpoints disagree.
        """
        if self._compared is None:
            return chain_checks.block_hash(self._endpoint, number)
        return agreed_block_hash(self._endpoint, self._compared, number)

    def check_chain(self) -> None:
        """Checks that the chain is still the deployment's: it may have been replaced since ``connect``.

        Raises:
            WrongChainError: Its genesis or its deployment block is another.
            LedgerUnavailableError: No answer, or the endpoint lags behind the deployment.
        """
        chain_checks.check_same_chain(self._endpoint, self.identity)

    def events(self, from_block: int, to_block: int) -> Iterator[LocatedEvent]:
        """All events of the contract in both blocks and between, in chain order, fetched page by page.

        Raises:
            LedgerUnavailableError: No answer, or the endpoints tell other events; reading again is safe.
            MalformedError: A log is none of the contract's events.
        """
        one, other = self._reader, self._other_reader
        if other is None:
            return one.read(from_block, to_block)
        told = one.read(from_block, to_block), other.read(from_block, to_block)
        return agreed_events(*told, (one.label, other.label))

    def send(self, call: LedgerCall) -> TxReceipt:
        """Signs, sends and waits until the transaction is in a block at the configured finality.

        Raises:
            TransactionRevertedError: The contract refused; the subclass names the Solidity error.
            ReceiptTimeoutError: Sent, not yet in a block.
            LedgerUnavailableError: Surely not sent.
            LedgerError: The account cannot pay, or there is none.
            MalformedError: A value does not fit its Solidity type.
        """
        mined = self._required_sender().send(self._deployment.contract_address, contract_abi().encode_call(call))
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
        return answers.amount_wei(self._endpoint.call("eth_getBalance", str(account), "latest"))

    def pending_governor(self) -> AccountAddress | None:
        """The account that the governance is offered to and that has not accepted, in the newest block.

        Raises:
            LedgerUnavailableError: No answer.
        """
        request = {"to": str(self._deployment.contract_address), "data": _PENDING_OWNER}
        account = answers.word_account(self._endpoint.call("eth_call", request, "latest"))
        return None if account == AccountAddress.zero() else account

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
                timestamp=mined.timestamp,
            )
        )
        return TxReceipt(mined.tx_hash, position, mined.gas_used, events)
