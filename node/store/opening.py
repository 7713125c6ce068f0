"""Opens the local store, and tells a site that lost it: a store is made once in a keystore's life.

The keystore says that it was made. An empty store in the place of a lost one would look well, and hold no consent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from gateways.data_folder import store_error
from node.store.local_store import LocalStore
from protocol.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from gateways.key_ring import KeyRing

logger = structlog.get_logger(__name__)

STORE_KEY = "store-key"
STORE_MADE = "store-made"
"""A secret without a meaning of its own: that it is there says that the store was made."""


def open_store(path: Path, key_ring: KeyRing) -> LocalStore:
    """The site's store; made when it never was.

    Args:
        path: The SQLite file.
        key_ring: Holds the store's key.

    Raises:
        ConfigError: It was made, and is missing or empty.
        StoreError: It cannot be opened, or belongs to another keystore.
    """
    if STORE_MADE not in key_ring.names():
        store = LocalStore(path, key_ring.get(STORE_KEY))
        key_ring.put(STORE_MADE, b"1")
        return store
    if not _holds_something(path):
        raise ConfigError(
            f"the local store {path} is {'empty' if path.exists() else 'missing'}",
            hint="put it back from the backup; if there is none, fedrx node new-store begins anew",
        )
    return LocalStore(path, key_ring.get(STORE_KEY))


def begin_anew(path: Path, key_ring: KeyRing) -> None:
    """Makes an empty store in the place of one that was lost.

    Args:
        path: The SQLite file.
        key_ring: Holds the store's key.

    Raises:
        ConfigError: There is a store.
        StoreError: The disk is full or refuses.
    """
    if _holds_something(path):
        raise ConfigError(f"there is a local store {path}", hint="keep it; to begin anew, move it away first")
    # Logs of the lost file belong to no other.
    try:
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    except OSError as error:
        raise store_error(error, path) from error
    if STORE_MADE in key_ring.names():
        key_ring.delete(STORE_MADE)
    open_store(path, key_ring).close()
    logger.warning("store.begun_anew")


def _holds_something(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0
