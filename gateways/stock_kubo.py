"""The operator's own ``ipfs`` program (stock Kubo) as a child process, in a repository of its own."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Final, Self

from gateways.data_folder import write_atomically
from gateways.embedded_kubo.repository import make_private, read_swarm_key
from gateways.kubo_process import KuboProcess, free_loopback_port
from protocol.errors import BlockStoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

_INIT_SECONDS: Final = 60.0
_START_SECONDS: Final = 60.0


class StockKubo:
    """``ipfs daemon`` on loopback in a private swarm, never in the operator's ~/.ipfs.

    Args:
        program: The ``ipfs`` program.
        repo: Its IPFS_PATH, initialised when missing.
        swarm_key: Key file of the private swarm.
        rpc_port: RPC port on 127.0.0.1; None takes a free one.
        swarm_port: The same for the swarm.
        peers: Multiaddresses (with /p2p/ID) that it stays connected to.

    Unlike the embedded core it outlives a parent that is killed outright; the next start then says that its
    repository is locked.
    """

    def __init__(
        self,
        program: Path,
        repo: Path,
        swarm_key: Path,
        *,
        rpc_port: int | None = None,
        swarm_port: int | None = None,
        peers: Sequence[str] = (),
    ) -> None:
        self._program = program
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

    def start(self) -> None:
        """Initialises the repository where there is none, makes it private, runs the daemon until it answers.

        Raises:
            ConfigError: The swarm key is missing or malformed.
            BlockStoreUnavailableError: ``ipfs init`` or ``ipfs daemon`` fails.
        """
        self.stop()
        swarm_key = read_swarm_key(self._swarm_key)
        environment = {"IPFS_PATH": str(self._repo.resolve()), "LIBP2P_FORCE_PNET": "1"}
        self._repo.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (self._repo / "config").exists():
            self._initialise(environment)
        make_private(self._repo, swarm_key, swarm_port=self._swarm_port, hash_on_read=True)
        self._edit_config()
        process = KuboProcess(
            [str(self._program), "daemon"], environment, rpc_port=self._rpc_port, log_path=self._repo / "process.log"
        )
        process.start(_START_SECONDS)
        self._process = process

    def stop(self) -> None:
        """Ends the daemon: TERM, then KILL."""
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

    def _edit_config(self) -> None:
        config_path = self._repo / "config"
        config = json.loads(config_path.read_text("utf-8"))
        config["Addresses"]["API"] = f"/ip4/127.0.0.1/tcp/{self._rpc_port}"
        # AutoConf fetches public settings over the internet and refuses to run in a private swarm.
        config["AutoConf"] = {"Enabled": False}
        peers = [peer.rpartition("/p2p/") for peer in self._peers]
        config["Peering"] = {"Peers": [{"ID": peer_id, "Addrs": [address]} for address, _, peer_id in peers]}
        write_atomically(config_path, json.dumps(config, indent=2).encode("utf-8"))

    def _initialise(self, environment: dict[str, str]) -> None:
        try:
            subprocess.run(  # noqa: S603 - the operator's ipfs program
                [str(self._program), "init"], env=environment, check=True, capture_output=True, timeout=_INIT_SECONDS
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise BlockStoreUnavailableError(
                f"{self._program} init failed", hint="run it by hand, or configure the URL of a running Kubo"
            ) from error
