"""Opens a lineage's next round: recipients, plan, one transaction."""

from __future__ import annotations

from typing import cast

import structlog

from aggregator.fetcher import Delivery
from aggregator.models import Models, shapes_of_file
from aggregator.parts import Parts, admission_obstacle
from aggregator.planning import build_plan
from aggregator.scheduler import NotYet, Opening, next_opening, patience_seconds, selection_words, turn_of
from aggregator.settings import LineageSettings
from gateways.data_folder import write_atomically
from protocol.errors import MalformedError
from protocol.history import History, LineageView
from protocol.identifiers import CID, Digest
from protocol.ledger_calls import OpenRound
from protocol.plan import Recipient, auditor_recipient_id, encode_plan, plan_digest, recipients_digest
from protocol.recipient_keys import PUBLIC_KEY_BYTES, check_public_key, public_key_digest

logger = structlog.get_logger(__name__)

_KEY_TIMEOUT_SECONDS = 60.0


class Opener:
    """Opens rounds.

    Args:
        parts: The aggregator's.
        models: Its models.
    """

    def __init__(self, parts: Parts, models: Models) -> None:
        self._parts = parts
        self._models = models
        self._said: dict[str, str] = {}

    def open_next(self, history: History, lineage: LineageView, settings: LineageSettings, now: int) -> bool:
        """Opens the next round when it is time and this aggregator's turn; says whether a transaction was sent.

        Raises:
            TransactionRevertedError: Another aggregator was faster, or the chain moved on.
            MalformedError: The parent model is none, or the settings do not make a plan.
        """
        found = self.obstacle(history, lineage, settings, now)
        if isinstance(found, NotYet):
            self._say(settings.slug, found.why)
            return False
        recipients = self._recipients(history, found, settings.slug)
        if recipients is None or not self._is_time(found, recipients, settings, now):
            return False
        parent = self._models.get(lineage.head_cid, lineage.head_digest)
        if parent is None:
            self._say(settings.slug, f"the model of round {lineage.head_round} is being fetched")
            return False
        plan = build_plan(lineage, settings, found.round_id.number, shapes_of_file(parent), recipients)
        encoded = encode_plan(plan)
        path = self._parts.files.plan_draft(settings.slug, plan.round)
        write_atomically(path, encoded)
        deadline = now + settings.round_seconds
        call = OpenRound(
            lineage_id=plan.lineage_id,
            round=plan.round,
            parent_digest=plan.parent_digest,
            plan_digest=plan_digest(encoded),
            plan_cid=self._parts.block_store.add(path),
            recipients_digest=recipients_digest(recipients),
            deadline=deadline,
            attest_by=deadline + settings.attest_seconds,
            min_accepted=plan.min_accepted,
            selected=selection_words(found.sites),
        )
        said = {"lineage": settings.slug, "round": plan.round, "sites": len(found.sites)}
        return self._parts.outbox.send(f"open/{settings.slug}/{plan.round}", call, **said) is not None

    def obstacle(self, history: History, lineage: LineageView, settings: LineageSettings, now: int) -> Opening | NotYet:
        """What may be opened, or why nothing can be by this aggregator."""
        if (why := admission_obstacle(history, self._parts.me, self._parts.ledger.account)) is not None:
            return NotYet(why)
        require = self._parts.settings.require_auditor_key
        return next_opening(history, lineage, settings, now, require_auditor_key=require)

    def _is_time(
        self, opening: Opening, recipients: tuple[Recipient, ...], settings: LineageSettings, now: int
    ) -> bool:
        number = opening.round_id.number
        key = f"ready/{settings.slug}/{number}"
        ready_at = cast("int | None", self._parts.journal.get(key))
        if ready_at is None:
            self._parts.journal.record(key, now)
            ready_at = now
        members = opening.members.aggregator_ids
        aggregators = sum(recipient.role == "aggregator" for recipient in recipients)
        patience = patience_seconds(
            my_turn=turn_of(members, number) == self._parts.me,
            all_keys=aggregators == len(members),
            grace_seconds=self._parts.settings.opener_grace_seconds,
        )
        if now >= ready_at + patience:
            return True
        self._say(settings.slug, "another aggregator's turn or key is waited for")
        return False

    def _recipients(self, history: History, opening: Opening, slug: str) -> tuple[Recipient, ...] | None:
        """All whose keys are here and right; None while too few or a needed one is not."""
        keys = {event.aggregator_id: self._public_key(event.key_cid, event.key_digest) for event in opening.keys}
        mine = keys.get(self._parts.me)
        if mine is None:
            self._say(slug, "this aggregator's round key is being announced")
            return None
        auditor = history.auditor_key
        auditor_key = None if auditor is None else self._public_key(auditor.key_cid, auditor.key_digest)
        if auditor is not None and auditor_key is None:
            self._say(slug, "the auditor's key is being fetched")
            return None
        # A member that announces a copy of another's key must not make the plan malformed: its copy is left out.
        taken = {mine, auditor_key}
        found: list[Recipient] = []
        for aggregator_id, public_key in keys.items():
            if public_key is not None and (aggregator_id == self._parts.me or public_key not in taken):
                found.append(Recipient("aggregator", Digest(aggregator_id), public_key))
                taken.add(public_key)
        if len(found) < opening.members.threshold:
            self._say(slug, "the aggregators' round keys are being fetched")
            return None
        if auditor is not None and auditor_key is not None:
            found.append(Recipient("auditor", auditor_recipient_id(auditor.epoch), auditor_key))
        return tuple(found)

    def _public_key(self, cid: CID, digest: Digest) -> bytes | None:
        path = self._parts.files.public_key(cid)
        delivery = self._parts.fetcher.request(
            cid, path, max_bytes=PUBLIC_KEY_BYTES, longest_timeout_seconds=_KEY_TIMEOUT_SECONDS
        )
        if delivery is not Delivery.HELD:
            return None
        public_key = path.read_bytes()
        if len(public_key) != PUBLIC_KEY_BYTES or public_key_digest(public_key) != digest:
            logger.error("recipient_key.differs", cid=str(cid), digest=str(digest))
            return None
        try:
            return check_public_key(public_key)
        except MalformedError:
            # A plan that names it could be sealed by nobody: one member must not stop everybody's rounds.
            logger.warning("recipient_key.is_none", cid=str(cid), digest=str(digest))
            return None

    def _say(self, slug: str, why: str) -> None:
        """One line for each change of the reason."""
        if self._said.get(slug) != why:
            self._said[slug] = why
            logger.info("round.not_opened", lineage=slug, why=why)
