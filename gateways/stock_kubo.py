"""The operator's own ``ipfs`` program (stock Kubo) as a child process, in a repository of its own."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Final

from gateways.data_folder import write_atomically
from gateways.embedded_kubo.repository import make_private, read_swarm_key
from gateways.kubo_process import KuboProcess
from gateways.local_kubo import LocalKubo
from protocol.errors import BlockStoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_INIT_SECONDS: Final = 60.0
_START_SECONDS: Final = 60.0


class StockKubo(LocalKubo):
    """``ipfs daemon`` on loopback in a private swarm, never in the operator's ~/.ipfs.

    Beside those of ``LocalKubo``:

    Args:
        program: The ``ipfs`` program; its IPFS_PATH is the repository, initialised when missing.

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
        super().__init__(repo, swarm_key, rpc_port=rpc_port, swarm_port=swarm_port, peers=peers)
        self._program = program

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
