"""The network as the explorer knows it: the index, the history folded and checked from it, what transactions cost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from sqlalchemy import Engine

from audit.broken_rules import CheckedHistory
from audit.index.costs import CostSum, CostTable, TxCost
from audit.index.filling import fill
from audit.index.following import events_behind
from audit.index.searching import Search, search
from audit.index.tables import LAST_PLACE
from audit.names import Names
from audit.proofs.checkpoint import Checkpoint, checkpoint_at
from protocol.history import History
from protocol.identifiers import TxHash
from protocol.ledger_events import LocatedEvent
from protocol.ports import BlockHeader, ChainIdentity, Ledger

COSTS_AT_ONCE = 100


class CostReader(Protocol):
    """Who knows what transactions cost (``transactions.TransactionReader``)."""

    def costs(self, tx_hashes: list[TxHash]) -> list[TxCost]:
        """What transactions cost; one that is in no block any more is left out.

        Raises:
            LedgerUnavailableError: No usable answer.
        """


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known now."""

    history: History
    head: BlockHeader
    """Everything up to here is in the history; ``now`` is its time."""
    costs: CostSum
    trouble: str
    """Why this may be old, or empty."""
    broken: tuple[str, ...]
    """Which of the contract's rules the event logs break (``CheckedHistory.broken``)."""


class Chronicle:
    """The index of one deployment and what follows from it. One thread changes it, many look at it.

    Args:
        engine: Of the index.
        ledger: The deployment on its chain.
        reader: Knows what transactions cost.
        names: Labels for broken rules.
        progress: Called with the last block read and the head while the index is filled for the first time.

    Raises:
        LedgerUnavailableError: No answer.
        WrongChainError: Another chain answers.
        StoreError: The database refuses.
    """

    def __init__(
        self,
        engine: Engine,
        ledger: Ledger,
        reader: CostReader,
        names: Names,
        progress: Callable[[int, int], None],
    ) -> None:
        self._engine = engine
        self._ledger = ledger
        self._reader = reader
        self._names = names
        self._lock = threading.Lock()
        ledger.check_chain()
        self._number = fill(engine, ledger, progress)
        self.costs = CostTable(engine, self._number)
        self._unknown_below = LAST_PLACE
        self._checked = self._read_all()
        history, broken = self._checked.history, self._checked.broken()
        self._seen = Seen(history, ledger.head(), self.costs.progress(), "", broken)

    @property
    def identity(self) -> ChainIdentity:
        """Which contract on which chain."""
        return self._ledger.identity

    @contextmanager
    def seen(self) -> Iterator[Seen]:
        """What is known now. Nobody changes the history while the block lasts; keep it short."""
        with self._lock:
            yield self._seen

    def find(self, wanted: Search) -> list[LocatedEvent]:
        """The wanted events in chain order.

        Raises:
            StoreError: The database refuses.
        """
        return list(search(self._engine, self._number, wanted))

    def checkpoint(self, block: int) -> Checkpoint:
        """A block of the chain as it is now.

        Raises:
            LedgerUnavailableError: No answer, or no such block.
        """
        return checkpoint_at(self._ledger, block)

    def tell_trouble(self, trouble: str) -> None:
        """Says on every screen why what it shows may be old; empty when it is not."""
        with self._lock:
            self._seen = replace(self._seen, trouble=trouble)

    def look(self) -> None:
        """Reads the blocks since the last look.

        Raises:
            LedgerUnavailableError: No answer; what is known stays.
            WrongChainError: Another chain answers now.
            StoreError: The database refuses.
        """
        self._ledger.check_chain()
        fill(self._engine, self._ledger)
        head = self._ledger.head()
        news = events_behind(self._engine, self._number, self._checked.position)
        reorganised = news is None
        checked = self._read_all() if reorganised else self._checked
        costs, broken = self._seen.costs, self._seen.broken
        if reorganised or news:
            self._unknown_below = LAST_PLACE
            costs = self.costs.progress()
        with self._lock:
            for located in news or ():
                checked.take(located)
            if reorganised or news:
                broken = checked.broken()
            self._checked = checked
            self._seen = replace(self._seen, history=checked.history, head=head, costs=costs, broken=broken)

    def learn_costs(self) -> bool:
        """Asks for the costs of the newest transactions that are not known; whether there may be more.

        Raises:
            LedgerUnavailableError: No answer.
            StoreError: The database refuses.
        """
        unknown, oldest = self.costs.missing(self._unknown_below, COSTS_AT_ONCE)
        if unknown:
            found = self._reader.costs(unknown)
            self.costs.add(found)
            with self._lock:
                costs = self._seen.costs
                self._seen = replace(self._seen, costs=replace(costs, known=costs.known + len(found)))
        self._unknown_below = oldest if unknown else 0
        return bool(unknown)

    def _read_all(self) -> CheckedHistory:
        checked = CheckedHistory(self._ledger.identity, self._names)
        for located in search(self._engine, self._number, Search()):
            checked.take(located)
        return checked
