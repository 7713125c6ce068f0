"""One federated run: each round through the sites' and the aggregator's own code, without chain and IPFS."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

from aggregator.models import shapes_of_file
from aggregator.planning import build_plan
from aggregator.round_files import RoundFiles, WrittenModel
from aggregator.settings import LineageSettings, TrainingTable
from benchmarks.federated.data import Shares
from benchmarks.federated.event_log import AGGREGATOR, AUDITOR, CONSENT_VERSION, IDENTITY, EventLog, consent_root
from benchmarks.federated.rows import Row
from learning.backbone import Backbone
from learning.training import TrainingProgress
from node.rounds.local_training import LocalUpdate, Trainer
from node.rounds.plan_check import check_plan
from node.rounds.sealing import seal_update
from node.settings import TrainingLimits
from protocol.aggregation import NO_SERVER_STATE, aggregate
from protocol.cid import cid_of_bytes
from protocol.dataset import dataset_tree
from protocol.history import Registration, RoundView
from protocol.identifiers import Digest, digest_of, site_id_of
from protocol.judgement import Judgement, judge_round
from protocol.plan import Recipient, RoundPlan
from protocol.recipient_keys import RecipientPrivateKey
from protocol.result import RoundResult, encode_verdicts
from protocol.verification import RoundContext

GLOBAL = "global"
Numbers = dict[str, Any]
"""What is written down of a round: JSON."""
LIMITS = TrainingLimits()
"""What sites are willing to do: the node's defaults."""


def lineage_settings(row: Row, seed: int) -> LineageSettings:
    """The aggregator's settings of a row. The caps are wide: what is compared is learning, not what they cut off."""
    training = TrainingTable(epochs=row.epochs, learning_rate=row.learning_rate, seed=seed)
    return LineageSettings(
        slug=row.name, scope=row.scope, weighting=row.weighting, max_weight=64, max_norm="100", training=training
    )


class FederatedRun:
    """A lineage of one row and seed.

    Args:
        settings: The aggregator's.
        shares: The sites' words, at least ``LIMITS.min_examples`` each.
        backbone: The lineage's.
        trainer: The sites'.
        files: The aggregator's.
        parent: The model to go on from.
        start_round: The round that made it; 0 is genesis.
    """

    def __init__(
        self,
        settings: LineageSettings,
        shares: Shares,
        backbone: Backbone,
        trainer: Trainer,
        files: RoundFiles,
        parent: WrittenModel,
        start_round: int,
    ) -> None:
        self._settings, self._shares, self._slugs = settings, shares, tuple(shares)
        self._backbone, self._trainer, self._files, self._parent = backbone, trainer, files, parent
        self._roots = {slug: dataset_root(slug, shares) for slug in shares}
        self._auditor_key = RecipientPrivateKey.generate().public_key()
        self._log = EventLog(
            settings.lineage_id,
            self._slugs,
            backbone.digest,
            self._auditor_key,
            (parent.digest, parent.cid),
            start_round,
        )

    def round(self, number: int) -> tuple[dict[str, WrittenModel], Numbers]:
        """Runs the next round; the new model is complete on disk when it returns."""
        key = RecipientPrivateKey.generate()
        plan, view = self._open(number, key.public_key())
        sites = {slug: self._take_part(slug, plan, view) for slug in self._slugs}
        started = time.monotonic()
        model, judgement = self._judge(plan, view, key)
        seconds = time.monotonic() - started
        for update in judgement.accepted:
            said = {"delta_digest": update.manifest.delta_digest.hex(), "weight": update.manifest.weight}
            sites[self._slugs[update.index]].update(said)
        for verdict in judgement.verdicts:
            sites[self._slugs[verdict.index]]["verdict"] = verdict.code.name
        self._files.remove_round(self._settings.slug, number)
        self._parent = model
        numbers = {
            "sites": sites,
            "model_bytes": model.path.stat().st_size,
            "aggregator_seconds": round(seconds, 3),
        }
        return {GLOBAL: model}, numbers

    def _open(self, number: int, public_key: bytes) -> tuple[RoundPlan, RoundView]:
        recipients = (
            Recipient("aggregator", Digest(AGGREGATOR), public_key),
            Recipient("auditor", AUDITOR, self._auditor_key),
        )
        self._log.announce(number, public_key)
        shapes = shapes_of_file(self._parent.path)
        plan = build_plan(self._log.lineage, self._settings, number, shapes, recipients)
        view = self._log.open(plan)
        check_plan(
            plan,
            view,
            self._log.history,
            backbone_digest=self._backbone.digest,
            scope=self._backbone.scope_tensors(),
            limits=LIMITS,
        )
        return plan, view

    def _take_part(self, slug: str, plan: RoundPlan, view: RoundView) -> Numbers:
        started = time.monotonic()
        update = self._trainer.fit(self._parent.path, self._shares[slug], plan, site_id_of(slug), unwatched)
        trained = time.monotonic()
        path = self._files.envelope(self._settings.slug, plan.round, len(view.registrations))
        consent = (CONSENT_VERSION, consent_root(slug))
        sealed = seal_update(update, plan, view, IDENTITY, site_id_of(slug), self._roots[slug], consent, 0, path)
        self._log.register(view, slug, sealed)
        return {
            **trained_numbers(update, trained - started),
            "seal_seconds": round(time.monotonic() - trained, 3),
            "sealed_bytes": path.stat().st_size,
        }

    def _judge(self, plan: RoundPlan, view: RoundView, key: RecipientPrivateKey) -> tuple[WrittenModel, Judgement]:
        slug = self._settings.slug
        with ExitStack() as streams:

            def fetched(registration: Registration) -> Any:
                path = self._files.envelope(slug, plan.round, registration.event.index)
                return streams.enter_context(path.open("rb"))

            judgement = judge_round(RoundContext(IDENTITY, self._log.history, view, plan), key, fetched)
            if not judgement.enough:
                raise SystemExit(f"{slug}, round {plan.round}: too few updates were accepted: {judgement.details}")
            parent = streams.enter_context(self._parent.path.open("rb"))
            model = self._files.write_model(slug, plan.round, aggregate(parent, judgement.accepted, plan))
        verdicts_cid = cid_of_bytes(encode_verdicts(view.round_id, judgement.verdicts))
        self._log.finalise(
            RoundResult(view.round_id, model.digest, model.cid, NO_SERVER_STATE, judgement.verdicts, verdicts_cid)
        )
        return model, judgement


def unwatched(_: TrainingProgress) -> None:
    """Nobody looks on while a benchmark trains."""


def dataset_root(slug: str, shares: Shares) -> Digest:
    """What a site's registrations say it trained on."""
    audit_key = digest_of("benchmark-audit-key", slug.encode())
    return dataset_tree([sample.training_sample for sample in shares[slug]], audit_key).root


def trained_numbers(update: LocalUpdate, seconds: float) -> Numbers:
    """What is written down of one site's training."""
    return {
        "num_examples": update.num_examples,
        "first_loss": update.report.first_loss,
        "last_loss": update.report.last_loss,
        "train_seconds": round(seconds, 3),
    }
