"""What the outside world promises. ``gateways`` keeps these promises; tests/fakes/ keeps them too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from protocol.identifiers import CID, AccountAddress, BlockHash, TxHash
from protocol.ledger_calls import LedgerCall
from protocol.ledger_events import LocatedEvent, Position


@dataclass(frozen=True, slots=True)
class ChainIdentity:
    """Which contract on which chain. Two chains with the same chain id differ in their block hashes."""

    chain_id: int
    contract_address: AccountAddress
    genesis_block_hash: BlockHash
    deployment_block_number: int
    deployment_block_hash: BlockHash


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """A block at the configured finality."""

    number: int
    block_hash: BlockHash
    timestamp: int
    """Seconds since 1970; a daemon takes ``now`` from here, never from its own clock."""


@dataclass(frozen=True, slots=True)
class TxReceipt:
    """A transaction that is in a block and did not revert."""

    tx_hash: TxHash
    position: Position
    """Of the transaction's last event; ``log_index`` is 0 when it has none."""
    gas_used: int
    events: tuple[LocatedEvent, ...]


class Ledger(Protocol):
    """The contract on its chain.

    Every method may raise ``LedgerUnavailableError`` (retry is safe) and has a time-out. The identity of the chain
    was checked when the gateway was built (``WrongChainError``); whoever sees blocks go checks it again.
    """

    @property
    def identity(self) -> ChainIdentity:
        """Which contract on which chain this speaks to."""

    @property
    def account(self) -> AccountAddress | None:
        """The account that signs, or None for a reader."""

    def head(self) -> BlockHeader:
        """The newest block at the configured finality."""

    def block_hash(self, number: int) -> BlockHash | None:
        """The hash of a block on the chain as it is now, or None where there is none."""

    def check_chain(self) -> None:
        """Checks that the chain is still the one of ``identity``: a chain may be replaced while a process runs.

        Raises:
            WrongChainError: Its genesis or its deployment block is another. A block that is missing does not say so:
                the endpoint may lag behind.
        """

    def events(self, from_block: int, to_block: int) -> Iterator[LocatedEvent]:
        """All events of the contract in both blocks and between, in chain order, fetched page by page."""

    def send(self, call: LedgerCall) -> TxReceipt:
        """Signs, sends and waits until the transaction is in a block at the configured finality.

        Not idempotent: after ``ReceiptTimeoutError`` or a crash the caller reads events before it sends again.

        Raises:
            TransactionRevertedError: The contract refused; the subclass names the Solidity error.
            ReceiptTimeoutError: Sent, not yet in a block.
        """

    def balance_wei(self, account: AccountAddress) -> int:
        """Funds of an account, in wei."""


class BlockStore(Protocol):
    """IPFS behind the Kubo RPC. The store is not trusted: content is checked against its CID before it is returned."""

    def add(self, path: Path) -> CID:
        """Adds and pins a file; on return this store holds it durably.

        Idempotent. The returned CID equals ``protocol.cid.cid_of_file`` of the same bytes, or the call fails.

        Raises:
            BlockStoreUnavailableError: No answer; retry is safe.
            ContentMismatchError: The store answers with another CID.
        """

    def fetch(self, cid: CID, destination: Path, *, max_bytes: int, timeout_seconds: float) -> int:
        """Writes checked content to ``destination`` (complete or not at all) and returns its length in bytes.

        Raises:
            ContentMissingError: Not delivered in time.
            ContentMismatchError: Other bytes than the CID names.
            ContentTooLargeError: Longer than ``max_bytes``.
            BlockStoreUnavailableError: No answer from the endpoint at all.
        """

    def pin(self, cid: CID, *, timeout_seconds: float) -> None:
        """Keeps content that a peer holds; on return this store holds all of it.

        Raises:
            ContentMissingError: Not delivered in time.
        """

    def unpin(self, cid: CID) -> None:
        """Lets content go; not an error when it was not pinned."""

    def holds(self, cid: CID) -> bool:
        """Whether this store pins the content itself."""
