"""Starts and ends an embedded Kubo core for whoever needs a block store: a daemon, the demo, a test."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Final

from gateways.embedded_kubo.repository import read_swarm_key
from gateways.kubo_process import KuboProcess
from gateways.local_kubo import LocalKubo
from protocol.errors import BlockStoreError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_START_SECONDS: Final = 60.0


class EmbeddedKubo(LocalKubo):
    """One embedded core in a process of its own. It also ends when the process that started it ends.

    Beside those of ``LocalKubo``:

    Args:
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
        super().__init__(repo, swarm_key, rpc_port=rpc_port, swarm_port=swarm_port, peers=peers)
        self._limits = ["--max-content-bytes", str(max_content_bytes), "--max-fetches", str(max_fetches)]
        self._checks = [] if hash_on_read else ["--no-hash-on-read"]
        self._peer_id: str | None = None

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

    def _command(self) -> list[str]:
        command = [sys.executable, "-m", "gateways.embedded_kubo", "--repo", str(self._repo.resolve())]
        command += ["--port", str(self._rpc_port), "--swarm-port", str(self._swarm_port)]
        command += ["--swarm-key", str(self._swarm_key.resolve()), "--die-with-parent", str(os.getpid())]
        command += [*self._limits, *self._checks]
        return [*command, "--peers", *self._peers] if self._peers else command
