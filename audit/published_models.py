"""The published models of a lineage one after another: fetched, checked against the chain, and let go again."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from audit.findings import Difference, Missing, Piece
from audit.models import ModelShelf
from audit.pieces import FetchLimits, Pieces
from gateways.data_folder import store_error
from protocol.history import LineageView
from protocol.identifiers import CID, Digest
from protocol.ledger_events import RoundFinalized
from protocol.ports import BlockStore


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """A model as the chain names it."""

    round: int
    """That published it; of genesis, the lineage's genesis round."""
    digest: Digest
    cid: CID
    parent: Digest | None
    """The model that it was made from; None for genesis."""
    piece: Piece


def published_models(lineage: LineageView) -> tuple[PublishedModel, ...]:
    """Genesis and what each round published, oldest first."""
    created = lineage.created
    models = [PublishedModel(created.genesis_round, created.model_digest, created.model_cid, None, Piece.GENESIS_MODEL)]
    for number, view in sorted(lineage.rounds.items()):
        if isinstance(view.outcome, RoundFinalized):
            made = view.outcome
            models.append(
                PublishedModel(number, made.model_digest, made.model_cid, view.opened.parent_digest, Piece.GLOBAL_MODEL)
            )
    return tuple(models)


def fetch_models(
    stores: Sequence[BlockStore], models: Sequence[PublishedModel], limits: FetchLimits, work_folder: Path | None
) -> Generator[tuple[PublishedModel, Path | Difference | Missing], None, None]:
    """Each model's file, or why there is none. A file is gone once the next one is asked for.

    Args:
        stores: IPFS endpoints, asked in this order.
        models: Which, in this order; the next one is fetched meanwhile.
        limits: What the auditor allows.
        work_folder: Takes two models at once; None takes the system's temporary folder.

    Raises:
        BlockStoreUnavailableError: No endpoint answers at all.
        StoreError: The work folder is full or refuses.
    """
    try:
        folder = tempfile.TemporaryDirectory(prefix="fedrx-models-", dir=work_folder)
    except OSError as error:
        raise store_error(error, work_folder or Path(tempfile.gettempdir())) from error
    with folder as name, Pieces(stores, Path(name), limits) as pieces:
        shelf = ModelShelf(pieces, Path(name))
        for place, model in enumerate(models):
            for following in models[place : place + 2]:
                shelf.begin(following.digest, following.cid)
            yield model, shelf.find(model.digest, model.cid, model.piece)
            shelf.keep_only()
