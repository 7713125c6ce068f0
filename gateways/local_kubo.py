"""A Kubo of our own on this machine: what the embedded core and a stock ``ipfs`` have in common."""

from __future__ import annotations

import math
import threading
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final, Self

import structlog

from gateways.kubo_process import KuboProcess, free_loopback_port
from protocol.errors import BlockStoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

_LOG = structlog.get_logger(__name__)
_FIRST_PAUSE_SECONDS: Final = 1.0
_MAX_PAUSE_SECONDS: Final = 60.0
_STEADY_SECONDS: Final = 300.0


class LocalKubo(ABC):
    """One Kubo as a child process on loopback in a private swarm; as a context manager it ends with the block.

    Args:
        repo: Its repository folder, made when missing; one Kubo at a time runs in it.
        swarm_key: Key file of the private swarm (``embedded_kubo.repository.write_swarm_key``).
        rpc_port: RPC port on 127.0.0.1; None takes a free one, kept over restarts of this object.
        swarm_port: The same for the swarm.
        peers: Multiaddresses (with /p2p/ID) that it stays connected to.
    """

    def __init__(
        self,
        repo: Path,
        swarm_key: Path,
        *,
        rpc_port: int | None = None,
        swarm_port: int | None = None,
        peers: Sequence[str] = (),
    ) -> None:
        self._repo = repo
        self._swarm_key = swarm_key
        self._rpc_port = rpc_port or free_loopback_port()
        self._swarm_port = swarm_port or free_loopback_port()
        self._peers = tuple(peers)
        self._process: KuboProcess | None = None
        self._lock = threading.RLock()
        self._pause_seconds = _FIRST_PAUSE_SECONDS
        self._next_start = -math.inf

    @property
    def rpc_url(self) -> str:
        """Where the Kubo RPC answers."""
        return f"http://127.0.0.1:{self._rpc_port}"

    @abstractmethod
    def start(self) -> None:
        """Starts it and waits until its RPC answers.

        Raises:
            ConfigError: The swarm key is missing or malformed.
            BlockStoreUnavailableError: It does not start.
        """

    def revive(self) -> None:
        """Starts it again, in its repository and on its ports, when its process ended although nobody ended it.

        The first time at once; when it ends again soon, after pauses that grow from a second to a minute.

        Raises:
            ConfigError: The swarm key is missing or malformed.
            BlockStoreUnavailableError: It does not start, or the pause is not over.
        """
        with self._lock:
            ended, now = self._process, time.monotonic()
            if ended is None or ended.runs:
                return
            if now < self._next_start:
                raise BlockStoreUnavailableError(
                    f"the IPFS process ended again, and is started again in {math.ceil(self._next_start - now)} s",
                    hint=f"it said: {ended.last_words}",
                )
            if now - self._next_start > _STEADY_SECONDS:
                self._pause_seconds = _FIRST_PAUSE_SECONDS
            self._next_start = now + self._pause_seconds
            self._pause_seconds = min(2 * self._pause_seconds, _MAX_PAUSE_SECONDS)
            _LOG.warning("ipfs process ended, starting it again", url=self.rpc_url, said=ended.last_words)
            try:
                self.start()
            finally:
                # After a start that failed there is still one to bring back.
                self._process = self._process or ended

    def stop(self) -> None:
        """Ends it: TERM, then KILL. Content stays in the repository."""
        with self._lock:
            if self._process is not None:
                self._process.stop()
                self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
