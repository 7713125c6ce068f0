"""contracts/Updates.sol, Endings.sol and Results.sol said again: updates, results and aborts."""

from __future__ import annotations

from gateways.ledger.result_digest import result_digest_of
from protocol import ledger_calls as calls
from protocol import ledger_events as events
from protocol import reverts
from protocol.identifiers import AccountAddress, LineageId
from protocol.standing import RoundState, SiteStatus
from tests.fakes.ledger_openings import COMMITMENT_SCHEME, OpeningRules
from tests.fakes.ledger_records import Round, require, values_of

MAX_WEIGHT = 1 << 20


class RoundRules(OpeningRules):
    """What may happen in a round."""

    def _register_update(self, sender: AccountAddress, call: calls.RegisterUpdate, now: int) -> events.UpdateRegistered:
        site_id, site = self._calling_site(sender)
        if site.status is not SiteStatus.ACTIVE:
            raise reverts.SiteNotActiveError(site_id, site.status)
        round_ = self._open_round_of(call.lineage_id, call.round, now)
        if site.ordinal not in round_.selected:
            raise reverts.SiteNotSelectedError(call.lineage_id, call.round, site_id)
        if site_id in round_.index_of:
            raise reverts.UpdateAlreadyRegisteredError(call.lineage_id, call.round, site_id)
        valid_until = site.valid_until.get(call.consent_version, 0)
        if call.consent_version < site.min_consent_version or valid_until < now:
            raise reverts.ConsentNotInForceError(site_id, call.consent_version, site.min_consent_version, valid_until)
        require(call.envelope_digest, "envelopeDigest")
        require(bytes(call.envelope_cid), "envelopeCid")
        require(call.parameters_commitment, "parametersCommitment")
        require(call.dataset_root, "datasetRoot")
        if not 1 <= call.weight <= MAX_WEIGHT:
            raise reverts.WeightOutOfRangeError(call.weight, MAX_WEIGHT)
        if call.envelope_digest in site.envelopes:
            raise reverts.EnvelopeAlreadyRegisteredError(site_id, call.envelope_digest)
        site.envelopes.add(call.envelope_digest)
        index = round_.index_of[site_id] = len(round_.index_of)
        return events.UpdateRegistered(
            call.lineage_id,
            call.round,
            site_id,
            index,
            call.envelope_digest,
            call.envelope_cid,
            call.parameters_commitment,
            call.weight,
            call.dataset_root,
            call.consent_version,
            COMMITMENT_SCHEME,
        )

    def _revoke_update(self, sender: AccountAddress, call: calls.RevokeUpdate, now: int) -> events.UpdateRevoked:
        site_id, _ = self._calling_site(sender)
        round_ = self._open_round_of(call.lineage_id, call.round, now)
        index = round_.index_of.get(site_id)
        if index is None:
            raise reverts.UpdateNotRegisteredError(call.lineage_id, call.round, site_id)
        if round_.revoked >> index & 1:
            raise reverts.UpdateAlreadyRevokedError(call.lineage_id, call.round, site_id)
        round_.revoked |= 1 << index
        return events.UpdateRevoked(call.lineage_id, call.round, site_id, index)

    def _attest_result(self, sender: AccountAddress, call: calls.AttestResult, now: int) -> list[events.LedgerEvent]:
        aggregator_id = self._calling_aggregator(sender)
        state = self.state(call.lineage_id, call.round, now)
        if state is not RoundState.CLOSED:
            raise reverts.RoundNotClosedError(call.lineage_id, call.round, state)
        round_ = self.rounds[call.lineage_id, call.round]
        self._in_set(round_.set_version, aggregator_id)
        if aggregator_id in round_.voted:
            raise reverts.AlreadyAttestedError(call.lineage_id, call.round, aggregator_id)
        _check_result(round_, call)
        round_.voted.add(aggregator_id)
        digest = result_digest_of(self.identity, call)
        vote = events.ResultAttested(call.lineage_id, call.round, aggregator_id, digest)
        round_.votes[digest] = round_.votes.get(digest, 0) + 1
        if round_.votes[digest] < round_.threshold:
            return [vote]
        if not any(call.model_digest):
            round_.recorded = RoundState.FAILED
            failed = events.RoundFailed(
                call.lineage_id, call.round, call.verdicts_root, call.verdicts_cid, call.accepted, call.codes
            )
            return [vote, failed]
        round_.recorded = RoundState.FINALIZED
        lineage = self.lineages[call.lineage_id]
        lineage.head_digest, lineage.head_round = call.model_digest, call.round
        return [vote, events.RoundFinalized(*values_of(call))]

    def _abort_round(self, sender: AccountAddress, call: calls.AbortRound, now: int) -> events.RoundAborted:
        state = self.state(call.lineage_id, call.round, now)
        if state not in (RoundState.OPEN, RoundState.CLOSED):
            raise reverts.RoundNotLiveError(call.lineage_id, call.round, state)
        round_ = self.rounds[call.lineage_id, call.round]
        if now < round_.attest_by:
            raise reverts.AttestationStillDueError(call.lineage_id, call.round, round_.attest_by, now)
        round_.recorded = RoundState.ABORTED
        return events.RoundAborted(call.lineage_id, call.round, sender)

    def _open_round_of(self, lineage_id: LineageId, number: int, now: int) -> Round:
        state = self.state(lineage_id, number, now)
        if state is not RoundState.OPEN:
            raise reverts.RoundNotOpenError(lineage_id, number, state)
        return self.rounds[lineage_id, number]


def _check_result(round_: Round, call: calls.AttestResult) -> None:
    if len(call.codes) != len(round_.index_of):
        raise reverts.CodesLengthMismatchError(len(call.codes), len(round_.index_of))
    by_codes = sum(1 << index for index, code in enumerate(call.codes) if code == 0)
    if call.accepted != by_codes:
        raise reverts.AcceptedContradictsCodesError(call.accepted, by_codes)
    if call.accepted & round_.revoked:
        raise reverts.AcceptedButRevokedError(call.accepted & round_.revoked)
    count = call.accepted.bit_count()
    names_model = any(call.model_digest)
    if names_model and count < round_.min_accepted:
        raise reverts.TooFewAcceptedError(count, round_.min_accepted)
    if not names_model and count >= round_.min_accepted:
        raise reverts.QuorumWithoutModelError(count, round_.min_accepted)
    require(call.verdicts_root, "verdictsRoot")
    require(bytes(call.verdicts_cid), "verdictsCid")
    if names_model:
        require(bytes(call.model_cid), "modelCid")
    elif any(call.model_cid) or any(call.state_digest):
        raise reverts.FailedResultNamesModelError
