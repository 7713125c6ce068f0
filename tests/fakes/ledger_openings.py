"""contracts/Openings.sol said again: lineages, round keys and openings."""

from __future__ import annotations

from protocol import ledger_calls as calls
from protocol import ledger_events as events
from protocol import reverts
from protocol.identifiers import AccountAddress
from protocol.round import MAX_ROUND_SECONDS
from protocol.standing import RoundState
from tests.fakes.ledger_consents import ConsentRules
from tests.fakes.ledger_records import Lineage, Round, require, values_of

COMMITMENT_SCHEME = 1
MAX_SELECTED = 256
MAX_WORDS = 64


class OpeningRules(ConsentRules):
    """Which round may open."""

    def _create_lineage(self, sender: AccountAddress, call: calls.CreateLineage, now: int) -> events.LineageCreated:
        self._only_governor(sender)
        self._not_sealed()
        require(call.lineage_id, "lineageId")
        require(call.model_digest, "modelDigest")
        require(bytes(call.model_cid), "modelCid")
        require(call.backbone_digest, "backboneDigest")
        require(call.plan_schema, "planSchema")
        if call.lineage_id in self.lineages:
            raise reverts.LineageAlreadyExistsError(call.lineage_id)
        genesis = call.genesis_round
        self.lineages[call.lineage_id] = Lineage(call.model_digest, genesis, genesis, genesis)
        return events.LineageCreated(*values_of(call), COMMITMENT_SCHEME)

    def _announce_round_key(
        self, sender: AccountAddress, call: calls.AnnounceRoundKey, now: int
    ) -> events.RoundKeyAnnounced:
        aggregator_id = self._calling_aggregator(sender)
        self._in_set(len(self.sets) - 1, aggregator_id)
        lineage = self.lineages.get(call.lineage_id)
        if lineage is None:
            raise reverts.LineageNotFoundError(call.lineage_id)
        if call.round <= lineage.last_round:
            raise reverts.RoundOutOfOrderError(call.lineage_id, call.round, lineage.last_round + 1)
        require(call.key_digest, "keyDigest")
        require(bytes(call.key_cid), "keyCid")
        return events.RoundKeyAnnounced(aggregator_id, *values_of(call))

    def _open_round(self, sender: AccountAddress, call: calls.OpenRound, now: int) -> events.RoundOpened:
        aggregator_id = self._calling_aggregator(sender)
        version = len(self.sets) - 1
        self._in_set(version, aggregator_id)
        self._not_sealed()
        lineage = self._next_round_of(call, now)
        require(call.plan_digest, "planDigest")
        require(bytes(call.plan_cid), "planCid")
        require(call.recipients_digest, "recipientsDigest")
        if call.deadline <= now:
            raise reverts.DeadlineInPastError(call.deadline, now)
        if call.attest_by <= call.deadline:
            raise reverts.AttestByNotAfterDeadlineError(call.attest_by, call.deadline)
        if call.attest_by > now + MAX_ROUND_SECONDS:
            raise reverts.AttestByTooLateError(call.attest_by, now + MAX_ROUND_SECONDS)
        selected = self._selection(call)
        lineage.last_round = call.round
        self.rounds[call.lineage_id, call.round] = Round(
            deadline=call.deadline,
            attest_by=call.attest_by,
            set_version=version,
            threshold=self.sets[version][1],
            min_accepted=call.min_accepted,
            selected=selected,
        )
        return events.RoundOpened(
            call.lineage_id,
            call.round,
            aggregator_id,
            call.parent_digest,
            call.plan_digest,
            call.plan_cid,
            call.recipients_digest,
            call.deadline,
            call.attest_by,
            call.min_accepted,
            version,
            call.selected,
        )

    def _next_round_of(self, call: calls.OpenRound, now: int) -> Lineage:
        lineage = self.lineages.get(call.lineage_id)
        if lineage is None:
            raise reverts.LineageNotFoundError(call.lineage_id)
        if call.round != lineage.last_round + 1:
            raise reverts.RoundOutOfOrderError(call.lineage_id, call.round, lineage.last_round + 1)
        state = self.state(call.lineage_id, lineage.last_round, now)
        if state in (RoundState.OPEN, RoundState.CLOSED):
            raise reverts.RoundStillLiveError(call.lineage_id, lineage.last_round, state)
        if call.parent_digest != lineage.head_digest:
            raise reverts.ParentNotHeadError(call.lineage_id, call.parent_digest, lineage.head_digest)
        return lineage

    def _selection(self, call: calls.OpenRound) -> frozenset[int]:
        if len(call.selected) > MAX_WORDS:
            raise reverts.SelectionTooLongError(len(call.selected), MAX_WORDS)
        bits = sum(word << (256 * place) for place, word in enumerate(call.selected))
        if bits >> len(self.sites):
            raise reverts.SelectionNamesUnknownSiteError(len(self.sites))
        count = bits.bit_count()
        if not 3 <= call.min_accepted <= count <= MAX_SELECTED:
            raise reverts.SelectionOutOfRangeError(count, call.min_accepted)
        return frozenset(ordinal for ordinal in range(len(self.sites)) if bits >> ordinal & 1)
