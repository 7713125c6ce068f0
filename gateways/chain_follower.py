"""Keeps a ``History`` in step with the chain."""

from __future__ import annotations

import structlog

from protocol.history import History
from protocol.ledger_events import LocatedEvent
from protocol.ports import BlockHeader, Ledger

logger = structlog.get_logger(__name__)


class ChainFollower:
    """Applies new event logs to a history; starts over when the chain reorganised below what it has seen.

    Args:
        ledger: A reader or signer of the deployment.
        keep_events: Whether ``events`` holds everything seen, for an auditor.
    """

    def __init__(self, ledger: Ledger, *, keep_events: bool = False) -> None:
        self._ledger = ledger
        self._keep_events = keep_events
        self._head: BlockHeader | None = None
        self._next_block = 0
        self._restart()

    @property
    def head(self) -> BlockHeader:
        """The block up to which the history reaches; ``now`` comes from its timestamp.

        Raises:
            RuntimeError: Before the first ``sync``.
        """
        if self._head is None:
            raise RuntimeError("sync first")
        return self._head

    def sync(self) -> History:
        """Reads new logs and returns the history up to the newest block at the configured finality.

        Raises:
            LedgerUnavailableError: No answer; the history stays as it was.
            WrongChainError: Blocks went because another chain answers now.
        """
        head = self._ledger.head()
        if self._head is not None and self._ledger.block_hash(self._head.number) != self._head.block_hash:
            self._ledger.check_chain()
            logger.warning("chain.reorganised", was=self._head.number, now=head.number)
            self._restart()
        if self._head is not None and head.number < self._head.number:
            # Another backend of the endpoint lags behind; what was seen is still on the chain.
            return self.history
        fresh = list(self._ledger.events(self._next_block, head.number)) if self._next_block <= head.number else []
        for located in fresh:
            self.history.apply(located)
        if self._keep_events:
            self.events.extend(fresh)
        self._next_block = head.number + 1
        self._head = head
        return self.history

    def _restart(self) -> None:
        self.history = History()
        self.events: list[LocatedEvent] = []
        self._next_block = self._ledger.identity.deployment_block_number
        self._head = None
