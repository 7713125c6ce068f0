"""The chain as the page shows it: read without a key, every few seconds at most; the last answer when it is silent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from protocol.errors import LedgerError

if TYPE_CHECKING:
    from gateways.chain_follower import ChainFollower
    from protocol.history import History

FRESH_SECONDS = 3.0
SILENT_SECONDS = 15.0
"""After no answer the next question waits so long: everybody's page waits for it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of the chain."""

    history: History | None
    """None when it never answered."""
    now: int
    """Timestamp of the newest block seen, seconds since 1970; 0 without a history."""
    trouble: str
    """Why this may be old, or empty."""


class ChainView:
    """The chain, for everybody who looks at the page.

    Args:
        connect: Opens a follower of the chain; asked again as long as it fails.
        clock: Seconds of a steady clock.
    """

    def __init__(self, connect: Callable[[], ChainFollower], clock: Callable[[], float]) -> None:
        self._connect = connect
        self._clock = clock
        self._follower: ChainFollower | None = None
        self._synced = False
        self._trouble = ""
        self._next_at = 0.0
        self._lock = threading.Lock()

    @contextmanager
    def seen(self) -> Iterator[Seen]:
        """What is known now. Nobody changes the history while the block lasts; keep it short."""
        with self._lock:
            if self._clock() >= self._next_at:
                self._look()
            if self._follower is None or not self._synced:
                yield Seen(None, 0, self._trouble)
            else:
                yield Seen(self._follower.history, self._follower.head.timestamp, self._trouble)

    def _look(self) -> None:
        try:
            if self._follower is None:
                self._follower = self._connect()
            self._follower.sync()
        except LedgerError as error:
            self._trouble = str(error)
            self._next_at = self._clock() + SILENT_SECONDS
            return
        self._synced, self._trouble = True, ""
        self._next_at = self._clock() + FRESH_SECONDS
