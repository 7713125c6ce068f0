"""Model files of one lineage: fetched or recomputed, checked against their digests, kept only while needed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from audit.findings import Difference, Missing, Piece, Topic
from audit.pieces import NotFetched, Pieces
from gateways.data_folder import store_error
from protocol.cid import CIDBuilder
from protocol.errors import MalformedError
from protocol.identifiers import CID, Digest, digest_state
from protocol.parameters import parameters_digest_of_stream


class ModelShelf:
    """Hands out model files by digest.

    Args:
        pieces: Where fetched models come from.
        folder: Takes recomputed models.
    """

    def __init__(self, pieces: Pieces, folder: Path) -> None:
        self._pieces = pieces
        self._folder = folder
        self._files: dict[Digest, Path] = {}
        self._fetched: dict[Digest, CID] = {}

    def begin(self, digest: Digest, cid: CID) -> None:
        """Starts to fetch a model in the background, unless it is on the shelf."""
        if digest not in self._files:
            self._pieces.begin(cid)

    def find(self, digest: Digest, cid: CID, piece: Piece) -> Path | Difference | Missing:
        """A model's file, from the shelf or from IPFS, or why there is none."""
        if digest in self._files:
            return self._files[digest]
        checked = self.check_published(digest, cid, piece)
        return checked if checked is not None else self._files[digest]

    def check_published(self, digest: Digest, cid: CID, piece: Piece) -> Difference | Missing | None:
        """Fetches a published model and compares its bytes with its digest; None when they are its own."""
        fetched = self._pieces.get(cid)
        if isinstance(fetched, NotFetched):
            return fetched.as_missing(piece)
        with fetched.path.open("rb") as stream:
            found = parameters_digest_of_stream(stream)
        if found != digest:
            self._pieces.let_go(cid)
            what = piece.value.replace("-", " ")
            return Difference(Topic.MODEL, f"the bytes at {cid} are not the {what} whose digest is on chain")
        if digest not in self._files:
            self._files[digest] = fetched.path
            self._fetched[digest] = cid
        elif self._fetched.get(digest) != cid:
            # When updates cancel out, a round publishes its parent: that file is still on the shelf.
            self._pieces.let_go(cid)
        return None

    def write(self, stem: str, blocks: Iterable[bytes]) -> tuple[Digest, CID]:
        """Writes a recomputed model block by block, puts it on the shelf and returns its digest and CID.

        Args:
            stem: Names the file among those of the folder.
            blocks: The model's encoding, piece by piece.

        Raises:
            MalformedError: From ``blocks``: no model follows from the updates.
            StoreError: The work folder is full or refuses.
        """
        path = self._folder / f"{stem}.model"
        state, builder = digest_state("parameters"), CIDBuilder()
        try:
            with path.open("wb") as stream:
                for block in blocks:
                    state.update(block)
                    builder.update(block)
                    stream.write(block)
        except MalformedError:
            path.unlink()
            raise
        except OSError as error:
            raise store_error(error, path) from error
        digest = Digest(state.digest())
        if digest in self._files:
            path.unlink()
        else:
            self._files[digest] = path
        return digest, builder.finish()

    def keep_only(self, *digests: Digest) -> None:
        """Removes all other models' files."""
        for digest in [found for found in self._files if found not in digests]:
            self._files.pop(digest).unlink(missing_ok=True)
            cid = self._fetched.pop(digest, None)
            if cid is not None:
                self._pieces.let_go(cid)
