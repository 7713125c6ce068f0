"""What an aggregator keeps as files. Ciphertext, plans, models, verdict lists, public keys: no update in clear."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gateways.data_folder import DataFolder, store_error, sync_folder
from protocol.cid import CIDBuilder
from protocol.identifiers import CID, Digest, digest_state


@dataclass(frozen=True, slots=True)
class WrittenModel:
    """A model that is complete on disk."""

    path: Path
    digest: Digest
    """``parameters_digest`` of its encoding."""
    cid: CID


class RoundFiles:
    """Names and writes files below the data folder.

    Args:
        folder: The aggregator's own.
    """

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder

    def public_key(self, cid: CID) -> Path:
        """A recipient's raw public key, 1,216 bytes, fetched from another party."""
        return self._folder.subfolder("recipient-keys") / str(cid)

    def own_public_key(self, lineage: str, number: int) -> Path:
        """This aggregator's own public key for a round."""
        return self._folder.subfolder("round-keys") / f"{lineage}-{number}.pub"

    def plan(self, cid: CID) -> Path:
        """A round's plan."""
        return self._folder.subfolder("plans") / str(cid)

    def plan_draft(self, lineage: str, number: int) -> Path:
        """The plan that this aggregator means to open a round with."""
        return self._folder.subfolder("plans") / f"{lineage}-{number}.json"

    def model(self, cid: CID) -> Path:
        """A model's encoding."""
        return self._folder.subfolder("models") / str(cid)

    def verdicts(self, lineage: str, number: int) -> Path:
        """A round's verdict list as this aggregator found it."""
        return self._folder.subfolder("verdicts") / f"{lineage}-{number}.json"

    def envelope(self, lineage: str, number: int, index: int) -> Path:
        """A registered envelope as it was fetched."""
        return self._folder.subfolder(f"envelopes/{lineage}/{number}") / str(index)

    def envelopes(self, lineage: str, number: int) -> Path:
        """Folder of a round's fetched envelopes; it may not be there."""
        return self._folder.path / "envelopes" / lineage / str(number)

    def remove_round(self, lineage: str, number: int) -> None:
        """Removes a round's fetched envelopes and drafts; not an error when there are none.

        Raises:
            StoreError: The disk refuses.
        """
        folder = self.envelopes(lineage, number)
        try:
            if folder.exists():
                shutil.rmtree(folder)
            for path in (self.plan_draft(lineage, number), self.verdicts(lineage, number)):
                path.unlink(missing_ok=True)
            self.own_public_key(lineage, number).unlink(missing_ok=True)
        except OSError as error:
            raise store_error(error, folder) from error

    def write_model(self, lineage: str, number: int, pieces: Iterable[bytes]) -> WrittenModel:
        """Streams a model to disk; on return it is complete and durable under its CID's name.

        Raises:
            StoreError: The disk is full or refuses.
        """
        # One name a round: a crash leaves at most one partial file, and the next try overwrites it.
        partial = self._folder.subfolder("models") / f".{lineage}-{number}.partial"
        state, builder = digest_state("parameters"), CIDBuilder()
        try:
            with partial.open("wb") as stream:
                for piece in pieces:
                    state.update(piece)
                    builder.update(piece)
                    stream.write(piece)
                stream.flush()
                os.fsync(stream.fileno())
            cid = builder.finish()
            path = self.model(cid)
            partial.replace(path)
            sync_folder(path.parent)
        except OSError as error:
            raise store_error(error, partial) from error
        return WrittenModel(path, Digest(state.digest()), cid)

    def bytes_used(self) -> int:
        """Bytes of all files below the data folder."""
        return sum(path.stat().st_size for path in self._folder.path.rglob("*") if path.is_file())

    def bytes_free(self) -> int:
        """Bytes free on the data folder's disk."""
        return shutil.disk_usage(self._folder.path).free
