"""Starts and ends an embedded Kubo core for whoever needs a block store: a daemon, the demo, a test."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final, Self

from gateways.embedded_kubo.repository import read_swarm_key
from gateways.kubo_process import KuboProcess, free_loopback_port
from protocol.errors import BlockStoreError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

_START_SECONDS: Final = 60.0


class EmbeddedKubo:
    """One embedded core in a process of its own. It also ends when the process that started it ends.

    Args:
        repo: Repository folder, made when missing; one core at a time runs in it.
        swarm_key: Key file of the private swarm (``repository.write_swarm_key``).
        rpc_port: RPC port on 127.0.0.1; None takes a free one, kept over restarts of this object.
        swarm_port: The same for the swarm.
        peers: Multiaddresses (with /p2p/ID) that it stays connected to.
        max_content_bytes: Longest content that is added or fetched.
        hash_on_read: Check each block when it is read from disk.
    """

    def __init__(
        self,
        repo: Path,
        swarm_key: Path,
        *,
        rpc_port: int | None = None,
        swarm_port: int | None = None,
        peers: Sequence[str] = (),
        max_content_bytes: int = 1 << 31,
        max_fetches: int = 64,
        hash_on_read: bool = True,
    ) -> None:
        self._repo = repo
        self._swarm_key = swarm_key
        self._rpc_port = rpc_port or free_loopback_port()
        self._swarm_port = swarm_port or free_loopback_port()
        self._peers = tuple(peers)
        self._limits = ["--max-content-bytes", str(max_content_bytes), "--max-fetches", str(max_fetches)]
        self._checks = [] if hash_on_read else ["--no-hash-on-read"]
        self._process: KuboProcess | None = None
        self._peer_id: str | None = None

    @property
    def rpc_url(self) -> str:
        """Where the Kubo RPC answers."""
        return f"http://127.0.0.1:{self._rpc_port}"

    @property
    def peer_addresses(self) -> tuple[str, ...]:
        """Multiaddresses at which a peer of the same swarm on this machine reaches it."""
        if self._peer_id is None:
            raise BlockStoreError("the embedded Kubo core was not started")
        return (f"/ip4/127.0.0.1/tcp/{self._swarm_port}/p2p/{self._peer_id}",)

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Starts the core and waits until its RPC answers.

        Raises:
            ConfigError: The swarm key is missing or malformed.
            BlockStoreUnavailableError: It does not start: the ports are taken, or the repository is in use.
        """
        self.stop()
        read_swarm_key(self._swarm_key)
        self._repo.mkdir(parents=True, exist_ok=True, mode=0o700)
        process = KuboProcess(
            self._command(), {"LIBP2P_FORCE_PNET": "1"}, rpc_port=self._rpc_port, log_path=self._repo / "process.log"
        )
        identity = process.start(_START_SECONDS)
        self._process = process
        self._peer_id = identity["ID"]

    def stop(self) -> None:
        """Ends the core: TERM, then KILL. Content stays in the repository."""
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

    def _command(self) -> list[str]:
        command = [sys.executable, "-m", "gateways.embedded_kubo", "--repo", str(self._repo.resolve())]
        command += ["--port", str(self._rpc_port), "--swarm-port", str(self._swarm_port)]
        command += ["--swarm-key", str(self._swarm_key.resolve()), "--die-with-parent", str(os.getpid())]
        command += [*self._limits, *self._checks]
        return [*command, "--peers", *self._peers] if self._peers else command
