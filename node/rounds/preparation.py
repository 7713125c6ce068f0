"""From an open round to a sealed envelope at this site: plan, consent root, samples, training, scoring, sealing.

A failure of this site or of the plan makes the site sit the round out, with the reason in the journal. Nothing is sent
here but a consent root.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import structlog

from node.consent.published_trees import keep_tree
from node.data.samples import trainable, trainable_sample_ids
from node.rounds.features import FeaturesProgress
from node.rounds.plan_check import check_plan
from node.rounds.records import RoundRecord, Stage, is_approved
from node.rounds.sealing import seal_update
from node.rounds.training_note import training_noted
from node.store.sample_uses import keep_uses
from protocol.dataset import dataset_tree
from protocol.errors import BlockStoreError, ConfigError, ConsentError, LearningError, MalformedError
from protocol.plan import MAX_PLAN_BYTES, RoundPlan, parse_plan, plan_digest

if TYPE_CHECKING:
    from learning.evaluation import Score
    from learning.training import TrainingProgress
    from node.consent.publication import PublishedConsent
    from node.data.samples import TrainableSample
    from node.parts import SiteParts
    from node.rounds.local_training import LocalUpdate
    from node.store.local_store import LocalStore
    from protocol.history import History, RoundView
    from protocol.identifiers import RoundId

logger = structlog.get_logger(__name__)

_SCORING_EFFORT = 2
"""A held-out word costs at most so many times what a trained one did, its way through the front included."""

ShowProgress = Callable[["RoundId", "TrainingProgress"], None]


class Preparation:
    """Prepares rounds, one at a time.

    Args:
        parts: The site.
        progress: Called while training.
    """

    def __init__(self, parts: SiteParts, progress: ShowProgress) -> None:
        self._parts = parts
        self._progress = progress
        self._failed: set[RoundId] = set()

    def step(self, history: History, view: RoundView, now: int) -> bool:
        """Does what is next before an update is sealed; returns whether anything was done.

        Raises:
            BlockStoreError: The plan or the parent model is not delivered; the next step tries again.
            LedgerError: The consent root was not published.
            StoreError: The disk is full or refuses.
        """
        round_id = view.round_id
        if round_id in self._failed:
            return False
        if self._parts.settings.participation == "ask" and not is_approved(self._parts.journal, round_id):
            return self._sit_out(round_id, "waits for a yes (fedrx node participate)")
        try:
            return self._prepare(history, view, now)
        except (ConfigError, ConsentError, LearningError, MalformedError) as reason:
            return self._sit_out(round_id, str(reason))
        except BlockStoreError as reason:
            self._sit_out(round_id, str(reason))
            raise

    def _prepare(self, history: History, view: RoundView, now: int) -> bool:
        parts = self._parts
        plan = self._fetch_plan(view)
        backbone = parts.trainers.of(
            history.lineages[view.opened.lineage_id].created.backbone_digest, plan.scope
        ).backbone
        check_plan(
            plan,
            view,
            history,
            backbone_digest=backbone.digest,
            scope=backbone.scope_tensors(),
            limits=parts.settings.training,
        )
        # Words first: a site that cannot train publishes no root, whose time could tell of a visit.
        purpose = parts.settings.consent.purpose
        self._expect_enough(len(trainable_sample_ids(parts.store, view.opened.deadline, purpose=purpose)))
        if parts.consents.needs_root_for(history, view, now):
            return parts.consents.publish_root_for(history, view)
        consent = parts.consents.published(history, now)
        if consent is None:
            raise ConsentError("no consent root is in force")
        with training_noted(parts.journal, view.round_id) as note:
            trained = self._train(plan, view, consent, now, note)
            return trained is None or self._seal(plan, view, consent, trained)

    def _train(
        self,
        plan: RoundPlan,
        view: RoundView,
        consent: PublishedConsent,
        now: int,
        note: Callable[[TrainingProgress | FeaturesProgress], None],
    ) -> _Trained | None:
        """Trains on words below the published root only, and on none whose consent ends before the round does.

        Returns:
            The update, or None when a patient withdrew meanwhile.
        """
        parts, round_id = self._parts, view.round_id
        found = trainable(
            parts.store,
            view.opened.deadline,
            parts.settings.training.held_out_percent,
            purpose=parts.settings.consent.purpose,
            receipt_ids=consent.receipt_ids,
        )
        trainer = parts.trainers.of(plan.backbone_digest, plan.scope)
        samples = trainer.writable(found.train)
        self._expect_enough(len(samples))
        watch = _Watch(parts.store, found.withdrawal_count, time.monotonic() + self._last_moment(view) - now)
        parent = parts.models.fetch(parts.block_store, plan.parent_cid, plan.parent_digest)

        def progress(step: TrainingProgress | FeaturesProgress) -> None:
            note(step)
            if not isinstance(step, FeaturesProgress):
                self._progress(round_id, step)
            watch.check()

        logger.info(
            "round.training", round=round_id.number, words=len(samples), left_out=len(found.train) - len(samples)
        )
        started = time.monotonic()
        try:
            update = trainer.fit(parent, samples, plan, parts.site_id, progress)
            _check_norm(update, plan)
            # The round is worth more than the news of it.
            effort = _SCORING_EFFORT * (time.monotonic() - started) / len(samples)
            in_time = watch.leaves(effort * len(found.held_out))
            own_score = trainer.score_own(parent, update, found.held_out) if found.held_out and in_time else None
        except LearningError:
            if watch.withdrawn:
                logger.info("round.training_ended", round=round_id.number, reason="a consent was withdrawn")
                return None
            # The same words and plan would fail again: once a round and process is enough.
            self._failed.add(round_id)
            raise
        return _Trained(update, samples, found.withdrawal_count, own_score)

    def _seal(self, plan: RoundPlan, view: RoundView, consent: PublishedConsent, trained: _Trained) -> bool:
        parts = self._parts
        used = [sample.training_sample for sample in trained.samples]
        tree = dataset_tree(used, parts.audit_key)
        # Before the root can leave the site: without its leaves and their meaning nothing below it could be shown.
        keep_tree(parts.journal, tree)
        with parts.store.write() as transaction:
            keep_uses(transaction, tree.root, used)
        try:
            sealed = seal_update(
                trained.update,
                plan,
                view,
                parts.identity,
                parts.site_id,
                tree.root,
                (consent.version, consent.root),
                trained.withdrawal_count,
                parts.rounds.envelope(view.round_id),
            )
        except MalformedError:
            self._failed.add(view.round_id)
            raise
        parts.rounds.put(RoundRecord(view.round_id, Stage.SEALED, sealed=sealed, own_score=trained.own_score))
        logger.info("round.sealed", round=view.opened.round, envelope=str(sealed.envelope_digest))
        return True

    def _fetch_plan(self, view: RoundView) -> RoundPlan:
        path = self._parts.rounds.plan(view.round_id)
        wanted = view.opened.plan_digest
        if not path.exists() or plan_digest(path.read_bytes()) != wanted:
            self._parts.block_store.fetch(
                view.opened.plan_cid,
                path,
                max_bytes=MAX_PLAN_BYTES,
                timeout_seconds=self._parts.settings.fetch_timeout_seconds,
            )
        data = path.read_bytes()
        if plan_digest(data) != wanted:
            raise MalformedError("the pinned plan is not the one that the round names")
        return parse_plan(data)

    def _expect_enough(self, count: int) -> None:
        least = self._parts.settings.training.min_examples
        if count < least:
            raise LearningError(
                f"{count} reviewed words of consenting patients may train, {least} are needed",
                hint="import and review pages (fedrx node review list), or record consents",
            )

    def _sit_out(self, round_id: RoundId, reason: str) -> bool:
        if self._parts.rounds.get(round_id).reason == reason:
            return False
        self._parts.rounds.put(RoundRecord(round_id, Stage.SAT_OUT, reason))
        logger.info("round.sat_out", round=round_id.number, reason=reason)
        return True

    def _last_moment(self, view: RoundView) -> int:
        return view.opened.deadline - self._parts.settings.deadline_margin_seconds


@dataclass(frozen=True, slots=True)
class _Trained:
    """What waits to be sealed."""

    update: LocalUpdate
    samples: tuple[TrainableSample, ...]
    withdrawal_count: int
    """Withdrawals that the store knew when the samples were read."""
    own_score: Score | None
    """None without held-out words, or without the time to read them."""


@dataclass(slots=True)
class _Watch:
    """Ends a training that has become pointless: what it raises passes through ``train`` and nothing is kept."""

    store: LocalStore
    withdrawal_count: int
    ends_at: float
    """By the time of ``time.monotonic``."""
    withdrawn: bool = False

    def leaves(self, seconds: float) -> bool:
        """Whether there is so much time still."""
        return time.monotonic() + seconds <= self.ends_at

    def check(self) -> None:
        """Called after each training step."""
        if self.store.withdrawal_count() != self.withdrawal_count:
            self.withdrawn = True
            raise LearningError("a consent was withdrawn while training")
        if not self.leaves(0):
            raise LearningError(
                "the round closes before the training would be done",
                hint="the plan asks for more than this machine can do in the time: tell the aggregator",
            )


def _check_norm(update: LocalUpdate, plan: RoundPlan) -> None:
    """An update that the aggregators would refuse is not sent."""
    norm = math.sqrt(sum(float(np.square(delta, dtype=np.float64).sum()) for delta in update.delta.values()))
    if norm > float(plan.max_norm):
        raise LearningError(
            f"the trained update has norm {norm:.3g}, the plan allows {plan.max_norm}",
            hint="check the labels of the last reviews",
        )
