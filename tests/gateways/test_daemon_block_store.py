"""How a command finds the IPFS of the daemon beside which it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateways.daemon_block_store import block_store_beside_daemon, daemon_block_store
from gateways.data_folder import DataFolder
from gateways.settings import IPFSSettings
from protocol.errors import BlockStoreUnavailableError, ConfigError
from tests.fixtures_ipfs import IPFSSwarm

UNSET = IPFSSettings()


def test_without_a_daemon_there_is_no_ipfs(tmp_path: Path) -> None:
    with pytest.raises(BlockStoreUnavailableError, match="start the daemon"):
        block_store_beside_daemon(UNSET, DataFolder(tmp_path))


def test_a_configured_url_is_taken_whether_a_daemon_runs_or_not(tmp_path: Path) -> None:
    settings = IPFSSettings(url="http://127.0.0.1:5001")
    assert block_store_beside_daemon(settings, DataFolder(tmp_path)).url == "http://127.0.0.1:5001"


def test_what_a_killed_daemon_left_is_gone_after_a_start_that_fails(tmp_path: Path) -> None:
    (tmp_path / "ipfs.url").write_text("http://127.0.0.1:9")
    with pytest.raises(ConfigError, match="swarm key"), daemon_block_store(UNSET, DataFolder(tmp_path)):
        pytest.fail("there is no swarm key")
    with pytest.raises(BlockStoreUnavailableError, match="start the daemon"):
        block_store_beside_daemon(UNSET, DataFolder(tmp_path))


@pytest.mark.ipfs
def test_a_command_finds_the_daemons_ipfs_as_long_as_it_runs(tmp_path: Path, ipfs_swarm: IPFSSwarm) -> None:
    folder = DataFolder(tmp_path)
    with daemon_block_store(IPFSSettings(url=ipfs_swarm.here.rpc_url), folder) as store:
        assert block_store_beside_daemon(UNSET, folder).identity() == store.identity()
    with pytest.raises(BlockStoreUnavailableError):
        block_store_beside_daemon(UNSET, folder)
