"""A site decides for itself: each new global model is scored on the site's own held-out words, then adopted or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from node.data.samples import trainable
from node.rounds.global_models import ModelRecord
from protocol.errors import LearningError, MalformedError

if TYPE_CHECKING:
    from pathlib import Path

    from node.parts import SiteParts
    from protocol.history import LineageView
    from protocol.identifiers import LineageId

logger = structlog.get_logger(__name__)


def adopt_head(parts: SiteParts, lineage: LineageView, now: int) -> bool:
    """Judges the lineage's head if this site has not yet; returns whether it did.

    Without held-out words a newer model is adopted: there is nothing to judge it by. A head that is no model of this
    site's backbone is kept back with the reason, and does not stop the node. A file of the model in use that is gone,
    as a reader leaves a damaged one, is fetched again.

    Raises:
        BlockStoreError: Nobody delivers the model, or the one in use; the next step tries again.
    """
    lineage_id = lineage.created.lineage_id
    if any(record.round == lineage.head_round for record in parts.models.records(lineage_id)):
        return _fetch_again(parts, lineage_id)
    try:
        path = parts.models.fetch(parts.block_store, lineage.head_cid, lineage.head_digest)
        # Every site keeps the models that the network published: an auditor may ask any of them.
        parts.block_store.pin(lineage.head_cid, timeout_seconds=parts.settings.fetch_timeout_seconds)
        record = _judged(parts, lineage, path, now)
    except (LearningError, MalformedError) as error:
        record = _record(lineage, adopted=False, reason=str(error))
    parts.models.record(lineage_id, record)
    parts.models.drop_old_files(lineage_id, parts.settings.keep_rounds)
    return True


def _fetch_again(parts: SiteParts, lineage_id: LineageId) -> bool:
    in_use = parts.models.in_use(lineage_id)
    if in_use is None or parts.models.path_of(in_use.digest).exists():
        return False
    parts.models.fetch(parts.block_store, in_use.cid, in_use.digest)
    return True


def _judged(parts: SiteParts, lineage: LineageView, path: Path, now: int) -> ModelRecord:
    percent, purpose = parts.settings.training.held_out_percent, parts.settings.consent.purpose
    held_out = trainable(parts.store, now, percent, purpose=purpose).held_out
    trainer = parts.trainers.of_model(lineage.created.backbone_digest, path)
    if not held_out:
        trainer.check(path)
        return _record(lineage, adopted=True)
    correct, kept = trainer.score(path, held_out).correct, -1
    in_use = parts.models.in_use(lineage.created.lineage_id)
    if in_use is not None:
        kept = trainer.score(parts.models.fetch(parts.block_store, in_use.cid, in_use.digest), held_out).correct
    return _record(lineage, adopted=correct >= kept, correct=correct, kept=kept, total=len(held_out))


def _record(
    lineage: LineageView, *, adopted: bool, correct: int = 0, kept: int = -1, total: int = 0, reason: str = ""
) -> ModelRecord:
    return ModelRecord(
        round=lineage.head_round,
        digest=lineage.head_digest,
        cid=lineage.head_cid,
        adopted=adopted,
        correct=correct,
        kept_correct=kept,
        total=total,
        reason=reason,
    )
