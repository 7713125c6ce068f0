"""One round from its opening to its end, as far as this aggregator has a part in it.

Each call does at most one thing on chain and says whether it did; what is next follows from the chain and the journal,
so a call may be cut off anywhere and made again.
"""

from __future__ import annotations

import structlog

from aggregator.collecting import Collection, Collector, patience_ends
from aggregator.judging import Judge
from aggregator.models import Models, cid_of_model
from aggregator.parts import Parts
from aggregator.round_keys import RoundKeys
from aggregator.settings import LineageSettings
from protocol.errors import MalformedError
from protocol.history import History, LineageView, RoundView
from protocol.ledger_calls import AbortRound
from protocol.ledger_events import RoundFailed, RoundFinalized
from protocol.plan import RoundPlan
from protocol.recipient_keys import RecipientPrivateKey
from protocol.result import RoundResult, differences
from protocol.round import RoundState
from protocol.verification import RoundContext

logger = structlog.get_logger(__name__)


class RoundTender:
    """Collects, judges, attests, compares, aborts.

    Args:
        parts: The aggregator's.
        keys: Its round keys.
        models: Its models.
    """

    def __init__(self, parts: Parts, keys: RoundKeys, models: Models) -> None:
        self._parts = parts
        self._keys = keys
        self._models = models
        self._collector = Collector(parts)
        self._judge = Judge(parts)
        self._compared: set[str] = set()

    def tend(
        self, history: History, lineage: LineageView, view: RoundView, settings: LineageSettings, now: int
    ) -> bool:
        """Does what is next for a round; says whether the chain or the journal moved.

        Raises:
            MalformedError: Plan, parent or sum do not fit; the round then ends by being aborted.
            VerificationError: A fetched file changed while it was read.
            TransactionRevertedError: The contract refused.
        """
        number, slug = view.opened.round, settings.slug
        if view.outcome is None and now >= view.opened.attest_by:
            self._parts.fetcher.abandon(self._parts.files.envelopes(slug, number))
            call = AbortRound(settings.lineage_id, number)
            return self._parts.outbox.send(f"abort/{slug}/{number}", call, lineage=slug, round=number) is not None
        if view.outcome is not None:
            return self._tend_ended(history, lineage, view, settings, now)
        result = self._result(history, lineage, view, settings, now)
        return result is not None and self._attest(view, settings, result)

    def _tend_ended(
        self, history: History, lineage: LineageView, view: RoundView, settings: LineageSettings, now: int
    ) -> bool:
        """Holds this aggregator's own result against the one on chain, whoever attested it."""
        outcome, number = view.outcome, view.opened.round
        key = f"compared/{settings.slug}/{number}"
        if key in self._compared:
            return False
        if isinstance(outcome, RoundFinalized | RoundFailed) and self._parts.journal.get(key) is None:
            try:
                result = self._result(history, lineage, view, settings, now)
            except MalformedError as error:
                # Not worth holding up the rounds that follow.
                logger.warning("result.not_compared", lineage=settings.slug, round=number, what=str(error))
                self._parts.journal.record(key, {"differences": [], "not_compared": str(error)})
                return True
            if result is None:
                return False
            self._compare(outcome, settings, result, key)
        self._parts.fetcher.abandon(self._parts.files.envelopes(settings.slug, number))
        self._compared.add(key)
        return True

    def _result(
        self,
        history: History,
        lineage: LineageView,
        view: RoundView,
        settings: LineageSettings,
        now: int,
    ) -> RoundResult | None:
        """This aggregator's own result, or None while it has none or has no part in the round."""
        key = self._keys.private_key(settings.slug, view.opened.round)
        members = history.aggregator_sets[view.opened.aggregator_set_version].aggregator_ids
        if key is None or self._parts.me not in members:
            return None
        remembered = self._judge.remembered(settings.slug, view)
        if remembered is not None:
            return remembered
        ready = self._gather(lineage, view, settings, now)
        return None if ready is None else self._compute(history, lineage, view, settings, *ready, key)

    def _gather(
        self, lineage: LineageView, view: RoundView, settings: LineageSettings, now: int
    ) -> tuple[RoundPlan, Collection] | None:
        """Plan and envelopes of a closed round, once all have arrived or the time for it is over."""
        # Asked for while sites train: the first round after a restart may not have its parent here.
        parent_is_here = self._models.is_here(cid_of_model(lineage, view.opened.parent_digest))
        plan = self._collector.plan(view)
        if plan is None:
            return None
        collection = self._collector.collect(view, plan, settings)
        open_still = view.outcome is None and view.state(now) is RoundState.OPEN
        may_come = now < patience_ends(view, settings)
        # After a pause the time may be over before anything was asked for: an own absence is not the sites' fault.
        to_seek = bool(collection.unsought) and now < view.opened.attest_by - settings.attest_margin_seconds
        if open_still or not parent_is_here or (collection.missing and (may_come or to_seek)):
            return None
        damaged = self._collector.drop_damaged(view.registrations, collection.held, settings.slug)
        return None if damaged else (plan, collection)

    def _compute(
        self,
        history: History,
        lineage: LineageView,
        view: RoundView,
        settings: LineageSettings,
        plan: RoundPlan,
        collection: Collection,
        key: RecipientPrivateKey,
    ) -> RoundResult | None:
        context = RoundContext(self._parts.ledger.identity, history, view, plan)
        public_key = key.public_key()
        if all(recipient.public_key != public_key for recipient in plan.recipients):
            raise MalformedError(
                f"round {plan.round} was opened without this aggregator's key", hint="it cannot judge that round"
            )
        cid = cid_of_model(lineage, view.opened.parent_digest)
        if cid != plan.parent_cid:
            raise MalformedError(f"the plan of round {plan.round} names another CID for the parent than the chain")
        parent = self._models.get(cid, view.opened.parent_digest)
        if parent is None:
            return None
        with parent.open("rb") as stream:
            return self._judge.judge(settings.slug, context, key, collection, stream)

    def _attest(self, view: RoundView, settings: LineageSettings, result: RoundResult) -> bool:
        if any(event.aggregator_id == self._parts.me for event, _ in view.attestations):
            return False
        number = view.opened.round
        said = {"lineage": settings.slug, "round": number, "accepted": result.accepted.bit_count()}
        return self._parts.outbox.send(f"attest/{settings.slug}/{number}", result.to_call(), **said) is not None

    def _compare(
        self, outcome: RoundFinalized | RoundFailed, settings: LineageSettings, result: RoundResult, key: str
    ) -> None:
        found = differences(result, outcome)
        said = {"lineage": settings.slug, "round": outcome.round}
        if found:
            logger.error(
                "result.differs",
                fields=found,
                own_model=str(result.model_digest),
                own_codes=result.codes.hex(),
                chain_codes=outcome.codes.hex(),
                **said,
            )
        else:
            logger.info("result.agrees", **said)
        self._parts.journal.record(key, {"differences": list(found), "not_compared": ""})
