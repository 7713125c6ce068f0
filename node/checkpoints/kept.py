"""The site's signed checkpoints on disk (docs/spec/checkpoint.md): a file each, whole or not there, never replaced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateways.data_folder import store_error, sync_folder, write_atomically
from protocol.cosigning import CosignedCheckpoint, encode_cosigned, parse_cosigned
from protocol.errors import MalformedError, StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from gateways.data_folder import DataFolder
    from protocol.checkpoint import Checkpoint
    from protocol.ports import ChainIdentity

FOLDER: Final = "checkpoints"
FIRST: Final = "first"
"""The one that a site begins with; it covers all that was before. The others are a round's, ``LINEAGE.ROUND``."""
_ASIDE: Final = "put-aside"
_SUFFIX: Final = ".note"


@dataclass(frozen=True, slots=True)
class KeptCheckpoint:
    """One file."""

    name: str
    note: CosignedCheckpoint

    @property
    def checkpoint(self) -> Checkpoint:
        """The block."""
        return self.note.checkpoint

    @property
    def occasion(self) -> str:
        """When it was signed, for a person."""
        lineage, _, number = self.name.rpartition(".")
        return f"round {number} of {lineage}" if lineage else "the site's first checkpoint"


class KeptCheckpoints:
    """All of a site's checkpoints of one deployment; a later deployment begins anew beside them.

    Args:
        folder: The node's data folder.
        identity: The deployment.

    Raises:
        StoreError: A file is damaged: what was signed cannot be compared any more.
    """

    def __init__(self, folder: DataFolder, identity: ChainIdentity) -> None:
        self._folder = folder.subfolder(f"{FOLDER}/{identity.chain_id}-{identity.contract_address}")
        self._kept = {path.name.removesuffix(_SUFFIX): _read(path) for path in self._folder.glob(f"[!.]*{_SUFFIX}")}

    def all(self) -> tuple[KeptCheckpoint, ...]:
        """By block number, the oldest first."""
        return tuple(sorted(self._kept.values(), key=lambda one: (one.checkpoint.number, one.name)))

    def get(self, name: str) -> KeptCheckpoint | None:
        """One of them, or None."""
        return self._kept.get(name)

    def keep(self, name: str, note: CosignedCheckpoint) -> None:
        """Writes one that is not there yet; it is on disk on return.

        Raises:
            StoreError: The disk refuses, or there is one of this name: what was signed is never replaced.
        """
        if name in self._kept:
            raise StoreError(f"there is a checkpoint {name} already", hint="stop the other daemon of this folder")
        write_atomically(self._path(name), encode_cosigned(note), mode=0o644)
        self._kept[name] = KeptCheckpoint(name, note)

    def put_aside(self, name: str) -> Path:
        """Takes one out of those that the chain is compared with. It stays in a folder of its own, as evidence.

        Raises:
            StoreError: The disk refuses.
        """
        aside = self._folder / _ASIDE
        digits = self._kept[name].checkpoint.block_hash.hex()[:16]
        place = aside / f"{name}.{digits}{_SUFFIX}"
        try:
            aside.mkdir(mode=0o700, exist_ok=True)
            self._path(name).replace(place)
            sync_folder(aside)
            sync_folder(self._folder)
        except OSError as error:
            raise store_error(error, place) from error
        del self._kept[name]
        return place

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{_SUFFIX}"


def _read(path: Path) -> KeptCheckpoint:
    try:
        return KeptCheckpoint(path.name.removesuffix(_SUFFIX), parse_cosigned(path.read_bytes()))
    except OSError as error:
        raise store_error(error, path) from error
    except MalformedError as error:
        raise StoreError(f"the checkpoint {path} is damaged", hint="put it back from a backup or an export") from error
