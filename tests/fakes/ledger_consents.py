"""contracts/Consents.sol said again: consent roots and withdrawals."""

from __future__ import annotations

from protocol import ledger_calls as calls
from protocol import ledger_events as events
from protocol import reverts
from protocol.identifiers import AccountAddress
from protocol.standing import SiteStatus
from tests.fakes.ledger_membership import MembershipRules
from tests.fakes.ledger_records import require, values_of


class ConsentRules(MembershipRules):
    """Which consents of a site are in force."""

    def _publish_consent_root(
        self, sender: AccountAddress, call: calls.PublishConsentRoot, now: int
    ) -> events.ConsentRootPublished:
        site_id, site = self._calling_site(sender)
        if site.status is not SiteStatus.ACTIVE:
            raise reverts.SiteNotActiveError(site_id, site.status)
        require(call.root, "root")
        if call.valid_until <= now:
            raise reverts.ConsentAlreadyExpiredError(site_id, call.valid_until, now)
        if not (call.patients or call.guardians or call.waivers):
            raise reverts.ConsentRootEmptyError(site_id)
        site.consent_version += 1
        site.valid_until[site.consent_version] = call.valid_until
        return events.ConsentRootPublished(site_id, site.consent_version, *values_of(call))

    def _withdraw_consents(
        self, sender: AccountAddress, call: calls.WithdrawConsents, now: int
    ) -> events.ConsentWithdrawn:
        site_id, site = self._calling_site(sender)
        if site.min_consent_version == site.consent_version + 1:
            raise reverts.NothingToWithdrawError(site_id, site.min_consent_version)
        site.min_consent_version = site.consent_version + 1
        return events.ConsentWithdrawn(site_id, site.min_consent_version)
