"""A round's plan from the settings, the lineage and the parent model's header. Pure: the same plan every time."""

from __future__ import annotations

from dataclasses import replace

from aggregator.settings import LineageSettings
from protocol.envelope import sealed_length
from protocol.history import LineageView
from protocol.plan import PlannedTensor, Recipient, RoundPlan, TrainingSettings
from protocol.tensors import TensorShape
from protocol.update import update_length

STRATEGY = "fedavg"
"""The weighted mean of protocol/aggregation.py, without a filter of its own (FedAvg, arXiv:1602.05629)."""


def build_plan(
    lineage: LineageView,
    settings: LineageSettings,
    number: int,
    shapes: tuple[TensorShape, ...],
    recipients: tuple[Recipient, ...],
) -> RoundPlan:
    """The plan of a lineage's round.

    Args:
        lineage: As the chain tells it; its head is the parent.
        settings: This aggregator's template.
        number: The round.
        shapes: Of the parent model's tensors, which are the ones that are shared.
        recipients: Who opens the envelopes.

    Raises:
        MalformedError: A value is out of the protocol's bounds.
    """
    plan = RoundPlan(
        lineage_id=settings.lineage_id,
        round=number,
        parent_digest=lineage.head_digest,
        parent_cid=lineage.head_cid,
        backbone_digest=lineage.created.backbone_digest,
        scope=settings.scope,
        tensors=tuple(PlannedTensor(shape, settings.scale_bits) for shape in shapes),
        weighting=settings.weighting,
        max_weight=settings.max_weight,
        examples_per_weight=settings.examples_per_weight,
        max_abs=settings.max_abs,
        max_norm=settings.max_norm,
        near_duplicate_cosine=settings.near_duplicate_cosine,
        min_accepted=settings.min_accepted,
        max_envelope_bytes=0,
        fetch_timeout_seconds=settings.fetch_timeout_seconds,
        strategy=STRATEGY,
        training=TrainingSettings(
            epochs=settings.training.epochs,
            batch_size=settings.training.batch_size,
            learning_rate=settings.training.learning_rate,
            clip_norm=settings.training.clip_norm,
            seed=settings.training.seed,
        ),
        recipients=recipients,
        max_rounds=settings.max_rounds,
    )
    return replace(plan, max_envelope_bytes=sealed_length(update_length(plan), len(recipients)))
