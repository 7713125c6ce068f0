"""Consent roots and withdrawals."""

from __future__ import annotations

from protocol import reverts
from protocol.identifiers import site_id_of
from protocol.ledger_calls import WithdrawConsents
from protocol.standing import SiteStatus
from tests.contracts.refusals.cases import CaseTable
from tests.contracts.refusals.parties import FOREVER, KEY
from tests.contracts.setting import consent_call

TABLE = CaseTable()
refuse, missing = TABLE.refuse, TABLE.missing

missing("site-0", consent_call(KEY, FOREVER), "root")
refuse(
    "a suspended site publishes no root",
    "suspended",
    consent_call(KEY, FOREVER),
    reverts.SiteNotActiveError(site_id_of("suspended"), SiteStatus.SUSPENDED),
)
refuse(
    "a site that left publishes no root",
    "left",
    consent_call(KEY, FOREVER),
    reverts.SiteNotActiveError(site_id_of("left"), SiteStatus.LEFT),
)
refuse(
    "nothing is left to withdraw", "site-2", WithdrawConsents(), reverts.NothingToWithdrawError(site_id_of("site-2"), 2)
)
refuse(
    "a root stands over no receipt",
    "site-0",
    consent_call(KEY, FOREVER, patients=0),
    reverts.ConsentRootEmptyError(site_id_of("site-0")),
)
