"""A site decides for itself: each new global model is scored on the site's own held-out words, then adopted or not."""

from __future__ import annotations

import structlog

from node.global_models import ModelRecord
from node.participation import SiteParts
from node.samples import trainable
from protocol.history import LineageView

logger = structlog.get_logger(__name__)


def adopt_head(parts: SiteParts, lineage: LineageView, now: int) -> bool:
    """Judges the lineage's head if this site has not yet; returns whether it did.

    Without held-out words a newer model is adopted: there is nothing to judge it by.

    Raises:
        ContentMissingError: Nobody delivers the model; the next step tries again.
    """
    lineage_id = lineage.created.lineage_id
    if any(record.round == lineage.head_round for record in parts.models.records(lineage_id)):
        return False
    path = parts.models.fetch(parts.block_store, lineage.head_cid, lineage.head_digest)
    held_out = trainable(parts.store, now, parts.settings.training.held_out_percent).held_out
    correct, kept = 0, -1
    in_use = parts.models.in_use(lineage_id)
    if held_out:
        correct = parts.trainer.score(path, held_out).correct
        if in_use is not None and parts.models.path_of(in_use.digest).exists():
            kept = parts.trainer.score(parts.models.path_of(in_use.digest), held_out).correct
    # Every site keeps the models that the network published: an auditor may ask any of them.
    parts.block_store.pin(lineage.head_cid, timeout_seconds=parts.settings.fetch_timeout_seconds)
    record = ModelRecord(
        round=lineage.head_round,
        digest=lineage.head_digest,
        cid=lineage.head_cid,
        adopted=correct >= kept,
        correct=correct,
        kept_correct=kept,
        total=len(held_out),
    )
    parts.models.record(lineage_id, record)
    return True
