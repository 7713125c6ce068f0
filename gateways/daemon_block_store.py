"""The IPFS that a daemon works with, and how commands that run beside the daemon find it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gateways.data_folder import DataFolder, write_atomically
from protocol.errors import BlockStoreUnavailableError

if TYPE_CHECKING:
    from gateways.block_store import KuboBlockStore
    from gateways.settings import IPFSSettings

SWARM_KEY_FILE = "swarm.key"
"""The private swarm's key in a data folder, unless the settings name another file."""
_URL_FILE = "ipfs.url"


@contextmanager
def daemon_block_store(ipfs: IPFSSettings, folder: DataFolder) -> Iterator[KuboBlockStore]:
    """The configured IPFS, or one that is started here and ends with the block; its URL is told to commands.

    Raises:
        ConfigError: The URL or the swarm key is none.
        BlockStoreUnavailableError: No IPFS, and none could be started.
    """
    from gateways.block_store_choice import LocalKuboOptions, resolve_block_store  # noqa: PLC0415 - as below

    local = LocalKuboOptions(
        repo=folder / "ipfs",
        swarm_key=ipfs.swarm_key_file or folder / SWARM_KEY_FILE,
        rpc_port=ipfs.rpc_port,
        swarm_port=ipfs.swarm_port,
        peers=ipfs.peers,
    )
    try:
        with resolve_block_store(ipfs.url, local) as resolved:
            write_atomically(folder / _URL_FILE, resolved.store.url.encode("ascii"))
            yield resolved.store
    finally:
        (folder / _URL_FILE).unlink(missing_ok=True)


def block_store_beside_daemon(ipfs: IPFSSettings, folder: DataFolder) -> KuboBlockStore:
    """The IPFS at the configured URL, or the one that the running daemon started.

    Raises:
        BlockStoreUnavailableError: No URL is configured, and no daemon runs.
    """
    from gateways.block_store import KuboBlockStore  # noqa: PLC0415 - its client loads for a fifth of a second

    if ipfs.url is not None:
        return KuboBlockStore(ipfs.url)
    try:
        url = (folder / _URL_FILE).read_text(encoding="ascii")
    except FileNotFoundError as error:
        raise BlockStoreUnavailableError(
            "no IPFS is running here", hint="start the daemon, or set ipfs.url in the settings"
        ) from error
    return KuboBlockStore(url)
