"""A Kubo of our own on this machine: what the embedded core and a stock ``ipfs`` have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

from gateways.kubo_process import KuboProcess, free_loopback_port

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType


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

    def stop(self) -> None:
        """Ends it: TERM, then KILL. Content stays in the repository."""
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
