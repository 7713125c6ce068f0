"""One round at a site: train, seal, journal, register, then pin (docs/spec/round.md, section 3).

The order is the point. The envelope is a complete local file before the journal names it, the journal names it before
the chain does, and it reaches IPFS only after its registration is in a block: nobody can open an update, or copy one,
before it is registered. A crash between any two steps resumes at the step that the journal and the chain show.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import structlog

from gateways.data_folder import DataFolder
from gateways.journal import Journal
from node.consent_publication import ConsentPublisher
from node.global_models import GlobalModels
from node.local_training import LocalUpdate, Trainer
from node.plan_check import check_plan
from node.samples import trainable
from node.sealing import SealedUpdate, seal_update
from node.sent import SentLog
from protocol.errors import ConfigError, ConsentError, LearningError, MalformedError
from protocol.history import History, RoundView
from protocol.identifiers import TxHash
from protocol.ledger_calls import RegisterUpdate
from protocol.plan import MAX_PLAN_BYTES, RoundPlan, parse_plan, plan_digest
from protocol.round import RoundState

if TYPE_CHECKING:
    from learning.backbone import Backbone
    from learning.training import TrainingProgress
    from node.local_store import LocalStore
    from node.settings import NodeSettings
    from protocol.canonical_json import JSONValue
    from protocol.identifiers import RoundId, SiteId
    from protocol.ports import BlockStore, ChainIdentity, Ledger

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SiteParts:
    """What a round needs of the site."""

    settings: NodeSettings
    site_id: SiteId
    identity: ChainIdentity
    folder: DataFolder
    journal: Journal
    store: LocalStore
    audit_key: bytes
    ledger: Ledger
    block_store: BlockStore
    backbone: Backbone
    trainer: Trainer
    models: GlobalModels
    consents: ConsentPublisher
    sent: SentLog


class Participation:
    """Takes a site through rounds; ``step`` does the next thing and returns whether it did something.

    Args:
        parts: The site.
        progress: Called while training, with the round and its progress.
    """

    def __init__(self, parts: SiteParts, progress: Callable[[RoundId, TrainingProgress], None]) -> None:
        self._parts = parts
        self._progress = progress
        self._envelopes = parts.folder.subfolder("envelopes")

    def step(self, history: History, view: RoundView, now: int) -> bool:
        """Does what is next in a live round."""
        entry = self._entry(view.round_id)
        stage = entry.get("stage")
        mine = view.registration_of(self._parts.site_id)
        if stage in {"pinned", "lost"}:
            return False
        if mine is not None and stage is not None and mine.event.envelope_digest.hex() == entry["envelope_digest"]:
            return self._pin(view.round_id, SealedUpdate.from_value(entry), mine.position.tx_hash)
        site = history.sites.get(self._parts.site_id)
        if mine is not None or site is None or not site.active or not view.selects(site):
            return False
        if view.state(now) is not RoundState.OPEN or now >= self._last_moment(view):
            return stage is not None and stage != "sat-out" and self._give_up(view.round_id)
        if stage == "sealed":
            return self._register(view, SealedUpdate.from_value(entry), now)
        return self._train_and_seal(history, view, now)

    def resume_pinning(self, view: RoundView) -> bool:
        """Pins an update that was registered before a crash, even when its round is over: audits need it."""
        entry = self._entry(view.round_id)
        mine = view.registration_of(self._parts.site_id)
        if entry.get("stage") not in {"sealed", "registered"} or mine is None:
            return False
        if mine.event.envelope_digest.hex() != entry["envelope_digest"]:
            return False
        return self._pin(view.round_id, SealedUpdate.from_value(entry), mine.position.tx_hash)

    def _train_and_seal(self, history: History, view: RoundView, now: int) -> bool:
        round_id = view.round_id
        if self._parts.settings.participation == "ask" and not self._parts.journal.get(_approval_key(round_id)):
            return self._sit_out(round_id, "waits for a yes (fedrx node participate)")
        try:
            plan = self._fetch_plan(view)
            self._check(plan, view, history)
            if self._parts.consents.ensure_current_root(history, now):
                # The new root is in a block; the next step reads it and trains under it.
                return True
            return self._train_with(plan, history, view, now)
        except (ConfigError, ConsentError, LearningError, MalformedError) as reason:
            return self._sit_out(round_id, str(reason))

    def _train_with(self, plan: RoundPlan, history: History, view: RoundView, now: int) -> bool:
        parts = self._parts
        samples = trainable(parts.store, now, parts.settings.training.held_out_percent).train
        if len(samples) < parts.settings.training.min_examples:
            raise LearningError(
                f"{len(samples)} reviewed words of consenting patients, {parts.settings.training.min_examples} needed",
                hint="import and review pages: fedrx node review list",
            )
        version = parts.consents.root_in_force(history, now)
        if version is None:
            raise ConsentError("no consent root is in force")
        parent = parts.models.fetch(parts.block_store, plan.parent_cid, plan.parent_digest)
        logger.info("round.training", round=view.opened.round, words=len(samples))
        update: LocalUpdate = parts.trainer.fit(
            parent, samples, plan, parts.site_id, lambda progress: self._progress(view.round_id, progress)
        )
        sealed = seal_update(
            update,
            plan,
            view,
            parts.identity,
            parts.site_id,
            tuple(sample.training_sample for sample in samples),
            parts.audit_key,
            (version, parts.consents.root_of(history, version)),
            parts.store.withdrawal_count(),
            self._path(view.round_id),
        )
        parts.journal.record(_entry_key(view.round_id), sealed.to_value("sealed"))
        return True

    def _register(self, view: RoundView, sealed: SealedUpdate, now: int) -> bool:
        parts, round_id = self._parts, view.round_id
        if parts.store.withdrawal_count() != sealed.withdrawal_count or not self._path(round_id).exists():
            # Somebody withdrew while we trained: this update may hold their words.
            logger.info("round.retraining", round=round_id.number)
            self._path(round_id).unlink(missing_ok=True)
            parts.journal.forget(_entry_key(round_id))
            return True
        receipt = parts.ledger.send(
            RegisterUpdate(
                lineage_id=round_id.lineage_id,
                round=round_id.number,
                envelope_digest=sealed.envelope_digest,
                envelope_cid=sealed.envelope_cid,
                parameters_commitment=sealed.parameters_commitment,
                weight=sealed.weight,
                dataset_root=sealed.dataset_root,
                consent_version=sealed.consent_version,
            )
        )
        parts.journal.record(_entry_key(round_id), sealed.to_value("registered", tx_hash=str(receipt.tx_hash)))
        logger.info("round.registered", round=round_id.number, tx=str(receipt.tx_hash), at=now)
        return self._pin(round_id, sealed, receipt.tx_hash)

    def _pin(self, round_id: RoundId, sealed: SealedUpdate, tx_hash: TxHash) -> bool:
        parts, path = self._parts, self._path(round_id)
        if not path.exists():
            parts.journal.record(_entry_key(round_id), sealed.to_value("lost", reason="the sealed file is gone"))
            logger.error("round.envelope_lost", round=round_id.number)
            return True
        cid = parts.block_store.add(path)
        parts.sent.add(
            "sealed update",
            round_number=round_id.number,
            size_bytes=path.stat().st_size,
            digest=sealed.envelope_digest,
            cid=cid,
            tx_hash=tx_hash,
        )
        parts.journal.record(_entry_key(round_id), sealed.to_value("pinned", tx_hash=str(tx_hash)))
        logger.info("round.pinned", round=round_id.number, cid=str(cid))
        return True

    def _fetch_plan(self, view: RoundView) -> RoundPlan:
        path = self._envelopes / f"{_file_stem(view.round_id)}.plan"
        self._parts.block_store.fetch(
            view.opened.plan_cid,
            path,
            max_bytes=MAX_PLAN_BYTES,
            timeout_seconds=self._parts.settings.fetch_timeout_seconds,
        )
        data = path.read_bytes()
        if plan_digest(data) != view.opened.plan_digest:
            raise MalformedError("the pinned plan is not the one that the round names")
        return parse_plan(data)

    def _check(self, plan: RoundPlan, view: RoundView, history: History) -> None:
        backbone = self._parts.backbone
        check_plan(
            plan,
            view,
            history,
            backbone_digest=backbone.digest,
            scope=backbone.scope_tensors(),
            limits=self._parts.settings.training,
        )

    def _sit_out(self, round_id: RoundId, reason: str) -> bool:
        entry = self._entry(round_id)
        if entry.get("reason") == reason:
            return False
        self._parts.journal.record(_entry_key(round_id), {"stage": "sat-out", "reason": reason})
        logger.info("round.sat_out", round=round_id.number, reason=reason)
        return True

    def _give_up(self, round_id: RoundId) -> bool:
        self._path(round_id).unlink(missing_ok=True)
        return self._sit_out(round_id, "the round closed before the update was ready")

    def _last_moment(self, view: RoundView) -> int:
        return view.opened.deadline - self._parts.settings.deadline_margin_seconds

    def _path(self, round_id: RoundId) -> Path:
        return self._envelopes / f"{_file_stem(round_id)}.envelope"

    def _entry(self, round_id: RoundId) -> dict[str, JSONValue]:
        return cast("dict[str, JSONValue]", self._parts.journal.get(_entry_key(round_id)) or {})


def approve(journal: Journal, round_id: RoundId) -> None:
    """Says yes to one round when the site asks before it takes part."""
    journal.record(_approval_key(round_id), value=True)


def entry_of(journal: Journal, round_id: RoundId) -> dict[str, JSONValue]:
    """What the journal says of a round, for ``status``."""
    return cast("dict[str, JSONValue]", journal.get(_entry_key(round_id)) or {})


def _entry_key(round_id: RoundId) -> str:
    return f"round/{round_id.lineage_id.hex()}/{round_id.number:08d}"


def _approval_key(round_id: RoundId) -> str:
    return f"approved/{round_id.lineage_id.hex()}/{round_id.number:08d}"


def _file_stem(round_id: RoundId) -> str:
    return f"{round_id.lineage_id.hex()[:16]}-{round_id.number:08d}"
