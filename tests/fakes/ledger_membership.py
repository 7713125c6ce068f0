"""contracts/Membership.sol said again: governance, sites, aggregators and the auditor."""

from __future__ import annotations

from protocol import ledger_calls as calls
from protocol import ledger_events as events
from protocol import reverts
from protocol.identifiers import AccountAddress, AggregatorId, Digest, LineageId, SiteId
from protocol.ports import ChainIdentity
from protocol.standing import RoundState, SiteStatus
from tests.fakes.ledger_records import Lineage, Round, Site, require

MAX_AGGREGATORS = 32
MAX_SITES = 16_384


class MembershipRules:
    """Who may act, and what the whole contract knows."""

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
