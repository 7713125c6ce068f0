"""A chain in memory that keeps the ledger port's promises, with a clock that tests set."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from protocol.errors import LedgerError, LedgerUnavailableError, WrongChainError
from protocol.identifiers import AccountAddress, BlockHash, TxHash
from protocol.ledger_calls import LedgerCall
from protocol.ledger_events import GovernorChanged, LedgerEvent, LocatedEvent, Position
from protocol.ports import BlockHeader, ChainIdentity, TxReceipt
from tests.fakes.ledger_rules import ContractRules

START = 1_800_000_000


class FakeChain:
    """One chain with one contract; ``ledger(account)`` gives each party its door.

    Attributes:
        now: Seconds since 1970 of the next block; set it, or call ``advance``.
        down: While true, every call raises ``LedgerUnavailableError``.
        rules: The contract's state.
    """

    def __init__(self, governor: AccountAddress, *, now: int = START, seed: bytes = b"") -> None:
        self.now = now
        self.down = False
        self._seed = seed
        self._blocks: list[BlockHeader] = []
        self._events: list[LocatedEvent] = []
        self._balances: dict[AccountAddress, int] = {}
        self._sent = 0
        genesis = self._mine()
        deployment = self._mine()
        self.identity = ChainIdentity(
            chain_id=31337,
            contract_address=AccountAddress(hashlib.sha256(b"contract" + seed).digest()[:20]),
            genesis_block_hash=genesis.block_hash,
            deployment_block_number=deployment.number,
            deployment_block_hash=deployment.block_hash,
        )
        self.rules = ContractRules(self.identity, governor)
        self._log(deployment, self._next_tx_hash(), [GovernorChanged(AccountAddress.zero(), governor)])

    def ledger(self, account: AccountAddress | None = None) -> FakeLedger:
        """The chain as seen by one account, or by a reader."""
        return FakeLedger(self, account)

    def advance(self, seconds: int) -> None:
        """Moves the clock and mines an empty block."""
        self.now += seconds
        self._mine()

    def head(self) -> BlockHeader:
        return self._blocks[-1]

    def block_hash(self, number: int) -> BlockHash | None:
        return self._blocks[number].block_hash if number < len(self._blocks) else None

    def execute(self, sender: AccountAddress, call: LedgerCall) -> TxReceipt:
        emitted = self.rules.apply(sender, call, self.now)
        block, tx_hash = self._mine(), self._next_tx_hash()
        located = self._log(block, tx_hash, emitted)
        return TxReceipt(tx_hash, located[-1].position if located else _position(block, tx_hash, 0), 21_000, located)

    def transfer(self, to: AccountAddress, value_wei: int) -> TxReceipt:
        self._balances[to] = self._balances.get(to, 0) + value_wei
        block, tx_hash = self._mine(), self._next_tx_hash()
        return TxReceipt(tx_hash, _position(block, tx_hash, 0), 21_000, ())

    def balance_wei(self, account: AccountAddress) -> int:
        return self._balances.get(account, 0)

    def events_between(self, from_block: int, to_block: int) -> list[LocatedEvent]:
        return [located for located in self._events if from_block <= located.position.block_number <= to_block]

    def reorganize(self, depth: int) -> None:
        """Drops the newest blocks and their events. The contract's state stays: for readers' tests only."""
        del self._blocks[-depth:]
        last = self._blocks[-1].number
        self._events = [located for located in self._events if located.position.block_number <= last]
        self._seed += b"fork"

    def begin_anew(self) -> None:
        """Another chain answers now: a genesis block of its own and no contract, as when a local chain is restarted."""
        self._blocks.clear()
        self._events.clear()
        self._seed += b"anew"
        self._mine()

    def _mine(self) -> BlockHeader:
        number = len(self._blocks)
        block_hash = BlockHash(hashlib.sha256(b"block%d" % number + self._seed).digest())
        self._blocks.append(BlockHeader(number, block_hash, self.now))
        return self._blocks[-1]

    def _next_tx_hash(self) -> TxHash:
        self._sent += 1
        return TxHash(hashlib.sha256(b"tx%d" % self._sent + self._seed).digest())

    def _log(self, block: BlockHeader, tx_hash: TxHash, emitted: list[LedgerEvent]) -> tuple[LocatedEvent, ...]:
        located = tuple(
            LocatedEvent(_position(block, tx_hash, log_index), event) for log_index, event in enumerate(emitted)
        )
        self._events += located
        return located


class FakeLedger:
    """The ledger port on a ``FakeChain``."""

    def __init__(self, chain: FakeChain, account: AccountAddress | None) -> None:
        self.chain = chain
        self._account = account

    @property
    def identity(self) -> ChainIdentity:
        return replace(self.chain.identity)

    @property
    def account(self) -> AccountAddress | None:
        return self._account

    def head(self) -> BlockHeader:
        self._reach()
        return self.chain.head()

    def block_hash(self, number: int) -> BlockHash | None:
        self._reach()
        return self.chain.block_hash(number)

    def check_chain(self) -> None:
        identity = self.chain.identity
        for number, expected in (
            (0, identity.genesis_block_hash),
            (identity.deployment_block_number, identity.deployment_block_hash),
        ):
            found = self.block_hash(number)
            if found is None:
                raise LedgerUnavailableError(f"the fake chain has no block {number}")
            if found != expected:
                raise WrongChainError("the fake chain is another one now")

    def events(self, from_block: int, to_block: int) -> Iterator[LocatedEvent]:
        self._reach()
        return iter(self.chain.events_between(from_block, to_block))

    def send(self, call: LedgerCall) -> TxReceipt:
        self._reach()
        if self._account is None:
            raise LedgerError("this ledger only reads")
        return self.chain.execute(self._account, call)

    def transfer(self, to: AccountAddress, value_wei: int) -> TxReceipt:
        self._reach()
        return self.chain.transfer(to, value_wei)

    def balance_wei(self, account: AccountAddress) -> int:
        self._reach()
        return self.chain.balance_wei(account)

    def _reach(self) -> None:
        if self.chain.down:
            raise LedgerUnavailableError("the fake chain is down")


def _position(block: BlockHeader, tx_hash: TxHash, log_index: int) -> Position:
    return Position(block.number, log_index, block.block_hash, tx_hash, block.timestamp)
