"""The contract's rules in memory: contracts/*.sol said again, check for check and in the same order.

The chain tests run random calls on both and compare every answer, so this is the reference that the contract is held
against, and the fake that the processes are tested with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

from gateways.ledger.result_digest import result_digest_of
from protocol import ledger_calls as calls
from protocol import ledger_events as events
from protocol import reverts
from protocol.identifiers import CID, AccountAddress, AggregatorId, Digest, LineageId, SiteId
from protocol.ports import ChainIdentity
from protocol.standing import RoundState, SiteStatus

COMMITMENT_SCHEME = 1
MAX_AGGREGATORS = 32
MAX_SITES = 16_384
MAX_WEIGHT = 1 << 20
MAX_SELECTED = 256
MAX_WORDS = 64


@dataclass
class Site:
    account: AccountAddress
    ordinal: int
    status: SiteStatus = SiteStatus.ACTIVE
    consent_version: int = 0
    min_consent_version: int = 0
    valid_until: dict[int, int] = field(default_factory=dict)
    envelopes: set[Digest] = field(default_factory=set)


@dataclass
class Lineage:
    head_digest: Digest
    genesis_round: int
    last_round: int
    head_round: int


@dataclass
class Round:
    deadline: int
    attest_by: int
    set_version: int
    threshold: int
    min_accepted: int
    selected: frozenset[int]
    recorded: RoundState = RoundState.OPEN
    index_of: dict[SiteId, int] = field(default_factory=dict)
    revoked: int = 0
    voted: set[AggregatorId] = field(default_factory=set)
    votes: dict[Digest, int] = field(default_factory=dict)

    def state(self, now: int) -> RoundState:
        if self.recorded is RoundState.OPEN and (now >= self.deadline or len(self.index_of) == len(self.selected)):
            return RoundState.CLOSED
        return self.recorded


def require(value: bytes | int | CID, name: str) -> None:
    if (not any(value)) if isinstance(value, bytes) else value == 0:
        raise reverts.MissingValueError(name)


class ContractRules:
    """The contract's state. ``apply`` either changes it and returns the events, or raises and changes nothing."""

    def __init__(self, identity: ChainIdentity, governor: AccountAddress) -> None:
        self.identity = identity
        self.governor = governor
        self.pending_governor = AccountAddress.zero()
        self.sites: dict[SiteId, Site] = {}
        self.aggregators: dict[AggregatorId, AccountAddress] = {}
        self.identity_of: dict[AccountAddress, bytes] = {}
        self.sets: list[tuple[tuple[AggregatorId, ...], int]] = [((), 0)]
        self.auditors: list[AccountAddress] = [AccountAddress.zero()]
        self.lineages: dict[LineageId, Lineage] = {}
        self.rounds: dict[tuple[LineageId, int], Round] = {}
        self.successor: tuple[int, AccountAddress] | None = None

    def apply(self, sender: AccountAddress, call: calls.LedgerCall, now: int) -> list[events.LedgerEvent]:
        name = "".join("_" + letter.lower() if letter.isupper() else letter for letter in type(call).__name__)
        rule: Callable[..., events.LedgerEvent | list[events.LedgerEvent] | None] = getattr(self, name)
        result = rule(sender, call, now)
        if result is None:
            return []
        return result if isinstance(result, list) else [result]

    def state(self, lineage_id: LineageId, number: int, now: int) -> RoundState:
        round_ = self.rounds.get((lineage_id, number))
        return RoundState.NONE if round_ is None else round_.state(now)

    # governance

    def _transfer_ownership(self, sender: AccountAddress, call: calls.TransferOwnership, now: int) -> None:
        self._only_governor(sender)
        self.pending_governor = call.new_owner

    def _accept_ownership(
        self, sender: AccountAddress, call: calls.AcceptOwnership, now: int
    ) -> events.GovernorChanged:
        if sender != self.pending_governor:
            raise reverts.OwnableUnauthorizedAccountError(sender)
        previous, self.governor, self.pending_governor = self.governor, sender, AccountAddress.zero()
        return events.GovernorChanged(previous, sender)

    def _seal_suite(self, sender: AccountAddress, call: calls.SealSuite, now: int) -> events.SuiteSealed:
        self._only_governor(sender)
        self._not_sealed()
        require(call.successor_chain_id, "successorChainId")
        require(call.successor, "successor")
        self.successor = (call.successor_chain_id, call.successor)
        return events.SuiteSealed(call.successor_chain_id, call.successor)

    # sites

    def _admit_site(self, sender: AccountAddress, call: calls.AdmitSite, now: int) -> events.SiteAdmitted:
        self._only_governor(sender)
        require(call.site_id, "siteId")
        require(call.key_digest, "keyDigest")
        if call.site_id in self.sites:
            raise reverts.SiteAlreadyAdmittedError(call.site_id)
        if len(self.sites) >= MAX_SITES:
            raise reverts.TooManySitesError(MAX_SITES)
        self._claim(call.account, call.site_id)
        self.sites[call.site_id] = site = Site(call.account, len(self.sites))
        return events.SiteAdmitted(call.site_id, call.account, site.ordinal, call.key_digest)

    def _rotate_site_account(
        self, sender: AccountAddress, call: calls.RotateSiteAccount, now: int
    ) -> events.SiteAccountRotated:
        site = self.sites.get(call.site_id)
        if site is None:
            raise reverts.SiteNotFoundError(call.site_id)
        if sender not in (site.account, self.governor):
            raise reverts.NotSiteOrGovernorError(call.site_id, sender)
        if site.status is SiteStatus.LEFT:
            raise reverts.SiteHasLeftError(call.site_id)
        require(call.key_digest, "keyDigest")
        self._claim(call.account, call.site_id)
        previous, site.account = site.account, call.account
        return events.SiteAccountRotated(call.site_id, previous, call.account, call.key_digest)

    def _suspend_site(self, sender: AccountAddress, call: calls.SuspendSite, now: int) -> events.SiteSuspended:
        self._only_governor(sender)
        site = self.sites.get(call.site_id)
        status = site.status if site else SiteStatus.NONE
        if site is None or status is not SiteStatus.ACTIVE:
            raise reverts.SiteNotActiveError(call.site_id, status)
        site.status = SiteStatus.SUSPENDED
        return events.SiteSuspended(call.site_id)

    def _reinstate_site(self, sender: AccountAddress, call: calls.ReinstateSite, now: int) -> events.SiteReinstated:
        self._only_governor(sender)
        site = self.sites.get(call.site_id)
        status = site.status if site else SiteStatus.NONE
        if site is None or status is not SiteStatus.SUSPENDED:
            raise reverts.SiteNotSuspendedError(call.site_id, status)
        site.status = SiteStatus.ACTIVE
        return events.SiteReinstated(call.site_id)

    def _leave_network(self, sender: AccountAddress, call: calls.LeaveNetwork, now: int) -> events.SiteLeft:
        site_id, site = self._calling_site(sender)
        if site.status is SiteStatus.LEFT:
            raise reverts.SiteHasLeftError(site_id)
        site.status = SiteStatus.LEFT
        return events.SiteLeft(site_id)

    # aggregators and the auditor

    def _admit_aggregator(
        self, sender: AccountAddress, call: calls.AdmitAggregator, now: int
    ) -> events.AggregatorAdmitted:
        self._only_governor(sender)
        require(call.aggregator_id, "aggregatorId")
        require(call.key_digest, "keyDigest")
        self._claim(call.account, call.aggregator_id)
        self.aggregators[call.aggregator_id] = call.account
        return events.AggregatorAdmitted(call.aggregator_id, call.account, call.key_digest)

    def _set_aggregators(
        self, sender: AccountAddress, call: calls.SetAggregators, now: int
    ) -> events.AggregatorSetChanged:
        self._only_governor(sender)
        count = len(call.aggregator_ids)
        if count > MAX_AGGREGATORS:
            raise reverts.TooManyAggregatorsError(count, MAX_AGGREGATORS)
        if not 1 <= call.threshold <= count:
            raise reverts.ThresholdOutOfRangeError(call.threshold, count)
        for place, aggregator_id in enumerate(call.aggregator_ids):
            if aggregator_id not in self.aggregators:
                raise reverts.AggregatorNotFoundError(aggregator_id)
            if aggregator_id in call.aggregator_ids[:place]:
                raise reverts.AggregatorRepeatedError(aggregator_id)
        self.sets.append((call.aggregator_ids, call.threshold))
        return events.AggregatorSetChanged(len(self.sets) - 1, call.threshold, call.aggregator_ids)

    def _publish_auditor_key(
        self, sender: AccountAddress, call: calls.PublishAuditorKey, now: int
    ) -> events.AuditorKeyPublished:
        self._only_governor(sender)
        require(call.auditor, "auditor")
        require(call.key_digest, "keyDigest")
        require(bytes(call.key_cid), "keyCid")
        self.auditors.append(call.auditor)
        return events.AuditorKeyPublished(len(self.auditors) - 1, call.auditor, call.key_digest, call.key_cid)

    def _declare_auditor_key_use(
        self, sender: AccountAddress, call: calls.DeclareAuditorKeyUse, now: int
    ) -> events.AuditorKeyUsed:
        if call.epoch >= len(self.auditors) or self.auditors[call.epoch] != sender:
            raise reverts.NotTheAuditorError(call.epoch, sender)
        if call.first_round > call.last_round:
            raise reverts.RoundRangeReversedError(call.first_round, call.last_round)
        return events.AuditorKeyUsed(call.epoch, call.lineage_id, call.first_round, call.last_round)

    # consents

    def _publish_consent_root(
        self, sender: AccountAddress, call: calls.PublishConsentRoot, now: int
    ) -> events.ConsentRootPublished:
        site_id, site = self._calling_site(sender)
        if site.status is not SiteStatus.ACTIVE:
            raise reverts.SiteNotActiveError(site_id, site.status)
        require(call.root, "root")
        if call.valid_until <= now:
            raise reverts.ConsentAlreadyExpiredError(site_id, call.valid_until, now)
        site.consent_version += 1
        site.valid_until[site.consent_version] = call.valid_until
        return events.ConsentRootPublished(site_id, site.consent_version, call.root, call.valid_until)

    def _withdraw_consents(
        self, sender: AccountAddress, call: calls.WithdrawConsents, now: int
    ) -> events.ConsentWithdrawn:
        site_id, site = self._calling_site(sender)
        if site.min_consent_version == site.consent_version + 1:
            raise reverts.NothingToWithdrawError(site_id, site.min_consent_version)
        site.min_consent_version = site.consent_version + 1
        return events.ConsentWithdrawn(site_id, site.min_consent_version)

    # rounds

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
        return events.LineageCreated(*_values(call), COMMITMENT_SCHEME)

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
        return events.RoundKeyAnnounced(aggregator_id, *_values(call))

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
        return [vote, events.RoundFinalized(*_values(call))]

    def _abort_round(self, sender: AccountAddress, call: calls.AbortRound, now: int) -> events.RoundAborted:
        state = self.state(call.lineage_id, call.round, now)
        if state not in (RoundState.OPEN, RoundState.CLOSED):
            raise reverts.RoundNotLiveError(call.lineage_id, call.round, state)
        round_ = self.rounds[call.lineage_id, call.round]
        if now < round_.attest_by:
            raise reverts.AttestationStillDueError(call.lineage_id, call.round, round_.attest_by, now)
        round_.recorded = RoundState.ABORTED
        return events.RoundAborted(call.lineage_id, call.round, sender)

    # who calls

    def _only_governor(self, sender: AccountAddress) -> None:
        if sender != self.governor:
            raise reverts.OwnableUnauthorizedAccountError(sender)

    def _not_sealed(self) -> None:
        if self.successor is not None:
            raise reverts.SuiteIsSealedError(*self.successor)

    def _claim(self, account: AccountAddress, identity: bytes) -> None:
        require(account, "account")
        if account in self.identity_of:
            raise reverts.AccountAlreadyUsedError(account, Digest(self.identity_of[account]))
        self.identity_of[account] = identity

    def _calling_site(self, sender: AccountAddress) -> tuple[SiteId, Site]:
        for site_id, site in self.sites.items():
            if site.account == sender:
                return site_id, site
        raise reverts.NotASiteError(sender)

    def _calling_aggregator(self, sender: AccountAddress) -> AggregatorId:
        for aggregator_id, account in self.aggregators.items():
            if account == sender:
                return aggregator_id
        raise reverts.NotAnAggregatorError(sender)

    def _in_set(self, version: int, aggregator_id: AggregatorId) -> None:
        if aggregator_id not in self.sets[version][0]:
            raise reverts.AggregatorNotInSetError(aggregator_id, version)

    def _open_round_of(self, lineage_id: LineageId, number: int, now: int) -> Round:
        state = self.state(lineage_id, number, now)
        if state is not RoundState.OPEN:
            raise reverts.RoundNotOpenError(lineage_id, number, state)
        return self.rounds[lineage_id, number]

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


def _values(call: Any) -> list[Any]:
    return [getattr(call, item.name) for item in fields(call)]
