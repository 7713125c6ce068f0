"""One round at a site: prepare, register, then pin (docs/adr/0010-order-of-a-round-at-a-site.md).

The order is the point. The envelope is a complete local file before the journal names it, the journal names it before
the chain does, and it reaches IPFS only after its registration is in a block: nobody can open an update, or copy one,
before it is registered. What was registered is read from the event logs: a crash between any two steps resumes at the
step that the journal and the chain show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from node.consent.lost_withdrawals import lost_noted
from node.rounds.preparation import Preparation, ShowProgress
from node.rounds.records import UNDELIVERED, RoundRecord, Stage
from node.sent import REVOCATION
from protocol.ledger_calls import RegisterUpdate, RevokeUpdate
from protocol.ledger_events import RoundAborted
from protocol.round import RoundState

if TYPE_CHECKING:
    from node.parts import SiteParts
    from node.rounds.sealing import SealedUpdate
    from protocol.history import History, LineageView, Registration, RoundView

logger = structlog.get_logger(__name__)


class Participation:
    """Takes a site through rounds.

    Args:
        parts: The site.
        progress: Called while training, with the round and its progress.
    """

    def __init__(self, parts: SiteParts, progress: ShowProgress) -> None:
        self._parts = parts
        self._preparation = Preparation(parts, progress)

    def step(self, history: History, view: RoundView, now: int) -> bool:
        """Does what is next in a live round before its registration; returns whether anything was done.

        Raises:
            BlockStoreError: IPFS does not answer or deliver.
            LedgerError: The chain did not take a transaction.
            StoreError: The disk is full or refuses.
        """
        record = self._parts.rounds.get(view.round_id)
        site = history.sites[self._parts.site_id]
        if view.registration_of(site.site_id) is not None or not site.active or not view.selects(site):
            return False
        if record.stage not in {Stage.NEW, Stage.SAT_OUT, Stage.SEALED}:
            return False
        last_moment = view.opened.deadline - self._parts.settings.deadline_margin_seconds
        if view.state(now) is not RoundState.OPEN or now >= last_moment:
            return self._miss(record)
        if record.stage is Stage.SEALED and record.sealed is not None:
            return self._register(history, record, record.sealed, now)
        return self._preparation.step(history, view, now)

    def settle(self, lineage: LineageView, now: int) -> bool:
        """Goes on with every registered update, in the live round and in earlier ones; returns whether it did.

        Raises:
            BlockStoreError: IPFS does not take an envelope.
            LedgerError: The chain did not take a revocation.
        """
        done = False
        for record in self._parts.rounds.of(lineage.created.lineage_id):
            view = lineage.rounds.get(record.round_id.number)
            mine = None if view is None else view.registration_of(self._parts.site_id)
            if view is None or mine is None or record.sealed is None:
                continue
            if mine.event.envelope_digest == record.sealed.envelope_digest:
                done |= self._after_registration(view, mine, record, record.sealed, now)
        return done

    def _after_registration(
        self, view: RoundView, mine: Registration, record: RoundRecord, sealed: SealedUpdate, now: int
    ) -> bool:
        if self._withdrawn_since(sealed):
            done = record.stage in UNDELIVERED and self._withhold(
                record, "a patient withdrew before it was given to IPFS"
            )
            return self._revoke(view, mine, now) or done
        if record.stage not in UNDELIVERED:
            return False
        if isinstance(view.outcome, RoundAborted):
            return self._withhold(record, "the round was aborted before it was given to IPFS")
        return self._deliver(mine, record, sealed)

    def _register(self, history: History, record: RoundRecord, sealed: SealedUpdate, now: int) -> bool:
        parts, round_id = self._parts, record.round_id
        key = f"register/{round_id.lineage_id.hex()}/{round_id.number}/{sealed.envelope_digest.hex()[:16]}"
        stale = self._withdrawn_since(sealed) or not parts.consents.may_name(history, sealed.consent_version, now)
        if stale or not parts.rounds.envelope(round_id).exists():
            if parts.outbox.may_be_under_way(key):
                # It may still come into a block, and a site registers once a round: this one is given up.
                return self._withhold(record, "its consent ended while it was being registered")
            logger.info("round.retraining", round=round_id.number)
            parts.rounds.forget(round_id)
            return True
        call = RegisterUpdate(
            lineage_id=round_id.lineage_id,
            round=round_id.number,
            envelope_digest=sealed.envelope_digest,
            envelope_cid=sealed.envelope_cid,
            parameters_commitment=sealed.parameters_commitment,
            weight=sealed.weight,
            dataset_root=sealed.dataset_root,
            consent_version=sealed.consent_version,
        )
        receipt = parts.outbox.send(key, call)
        if receipt is None:
            return False
        # Nothing to journal: the next step finds the registration in the event logs and goes on from there.
        logger.info("round.registered", round=round_id.number, tx=str(receipt.tx_hash))
        return True

    def _deliver(self, mine: Registration, record: RoundRecord, sealed: SealedUpdate) -> bool:
        parts, number = self._parts, record.round_id.number
        path = parts.rounds.envelope(record.round_id)
        if not path.exists():
            parts.rounds.move(record, Stage.LOST, "the sealed file is gone")
            logger.error("round.envelope_lost", round=number)
            return True
        cid = parts.block_store.add(path)
        parts.sent.add(
            "sealed update",
            round_number=number,
            size_bytes=path.stat().st_size,
            digest=sealed.envelope_digest,
            cid=cid,
            tx_hash=mine.position.tx_hash,
            at=mine.position.timestamp,
        )
        parts.rounds.move(record, Stage.PINNED)
        logger.info("round.pinned", round=number, cid=str(cid))
        return True

    def _withhold(self, record: RoundRecord, reason: str) -> bool:
        # The journal first: a file that is left over is deleted with the old rounds, and never given to IPFS.
        self._parts.rounds.move(record, Stage.WITHHELD, reason)
        self._parts.rounds.envelope(record.round_id).unlink(missing_ok=True)
        logger.info("round.withheld", round=record.round_id.number, reason=reason)
        return True

    def _revoke(self, view: RoundView, mine: Registration, now: int) -> bool:
        """Takes the update back while the round is open, so that no aggregator opens it."""
        if mine.event.index in view.revoked or view.state(now) is not RoundState.OPEN:
            return False
        opened = view.opened
        call = RevokeUpdate(opened.lineage_id, opened.round)
        receipt = self._parts.outbox.send(f"revoke/{opened.lineage_id.hex()}/{opened.round}", call)
        if receipt is None:
            return False
        self._parts.sent.add(
            REVOCATION,
            round_number=opened.round,
            digest=mine.event.envelope_digest,
            tx_hash=receipt.tx_hash,
            at=receipt.position.timestamp,
        )
        logger.info("round.revoked", round=opened.round, tx=str(receipt.tx_hash))
        return True

    def _miss(self, record: RoundRecord) -> bool:
        if record.stage is not Stage.SEALED:
            return False
        # The file stays: a registration of unknown fate may still turn out to be in a block before the deadline.
        self._parts.rounds.move(record, Stage.MISSED, "the round closed before the update was registered")
        logger.info("round.missed", round=record.round_id.number)
        return True

    def _withdrawn_since(self, sealed: SealedUpdate) -> bool:
        # What a store that is older than the chain calls sealed is from before a withdrawal that it lost.
        lost = lost_noted(self._parts.journal) > 0
        return lost or self._parts.store.withdrawal_count() != sealed.withdrawal_count
