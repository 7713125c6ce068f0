"""Members, their accounts, aggregator sets and auditor keys."""

from __future__ import annotations

from dataclasses import replace

from protocol import reverts
from protocol.identifiers import AggregatorId, Digest, aggregator_id_of, site_id_of
from protocol.ledger_calls import (
    AcceptOwnership,
    AdmitAggregator,
    AdmitSite,
    DeclareAuditorKeyUse,
    LeaveNetwork,
    PublishAuditorKey,
    ReinstateSite,
    RevokeUpdate,
    RotateSiteAccount,
    SetAggregators,
    SuspendSite,
    TransferOwnership,
    WithdrawConsents,
)
from protocol.standing import SiteStatus
from tests.contracts.refusals.cases import CaseTable
from tests.contracts.refusals.parties import CHAIR, FOREVER, FRESH, KEY, UNCHOSEN
from tests.contracts.refusals.scene import LIVE, register_in
from tests.contracts.setting import cid, consent_call

TABLE = CaseTable()
refuse, missing, only_governor = TABLE.refuse, TABLE.missing, TABLE.only_governor

NEW_SITE = AdmitSite(site_id_of("new"), FRESH, KEY)

only_governor(TransferOwnership(FRESH))
refuse(
    "governance was not offered to the caller",
    "governor",
    AcceptOwnership(),
    lambda s: reverts.OwnableUnauthorizedAccountError(s.account("governor")),
)

only_governor(NEW_SITE)
missing("governor", NEW_SITE, "site_id", "account", "key_digest")
refuse(
    "the site was admitted before",
    "governor",
    AdmitSite(site_id_of("site-0"), FRESH, KEY),
    reverts.SiteAlreadyAdmittedError(site_id_of("site-0")),
)
for who, owner in (
    ("site-0", site_id_of("site-0")),
    ("spent", site_id_of("rotated")),
    ("second", aggregator_id_of("second")),
):
    refuse(
        f"the account of {who} is used",
        "governor",
        lambda s, who=who: AdmitSite(site_id_of("new"), s.account(who), KEY),
        lambda s, who=who, owner=owner: reverts.AccountAlreadyUsedError(s.account(who), Digest(owner)),
    )

ROTATE = RotateSiteAccount(site_id_of("site-0"), FRESH, KEY)
missing("site-0", ROTATE, "account", "key_digest")
missing("governor", ROTATE, "account", "key_digest")
refuse(
    "nobody rotates an unknown site",
    "governor",
    NEW_ROTATE := replace(ROTATE, site_id=site_id_of("new")),
    reverts.SiteNotFoundError(NEW_ROTATE.site_id),
)
for who in ("stranger", "site-1", "aggregator-0"):
    refuse(
        f"{who} rotates no other site",
        who,
        ROTATE,
        lambda s, who=who: reverts.NotSiteOrGovernorError(site_id_of("site-0"), s.account(who)),
    )
refuse(
    "a rotated-out account does not rotate its site",
    "spent",
    replace(ROTATE, site_id=site_id_of("rotated")),
    lambda s: reverts.NotSiteOrGovernorError(site_id_of("rotated"), s.spent_account),
)
for who in ("governor", "left"):
    refuse(
        "a site that left keeps its account",
        who,
        replace(ROTATE, site_id=site_id_of("left")),
        reverts.SiteHasLeftError(site_id_of("left")),
    )
refuse(
    "a site does not return to its old account",
    "governor",
    lambda s: RotateSiteAccount(site_id_of("rotated"), s.spent_account, KEY),
    lambda s: reverts.AccountAlreadyUsedError(s.spent_account, Digest(site_id_of("rotated"))),
)

only_governor(SuspendSite(site_id_of("site-0")))
for who, status in (("new", SiteStatus.NONE), ("suspended", SiteStatus.SUSPENDED), ("left", SiteStatus.LEFT)):
    refuse(
        f"a site that is {status.name} cannot be suspended",
        "governor",
        SuspendSite(site_id_of(who)),
        reverts.SiteNotActiveError(site_id_of(who), status),
    )
only_governor(ReinstateSite(site_id_of("suspended")))
for who, status in (("new", SiteStatus.NONE), ("site-0", SiteStatus.ACTIVE), ("left", SiteStatus.LEFT)):
    refuse(
        f"a site that is {status.name} cannot be reinstated",
        "governor",
        ReinstateSite(site_id_of(who)),
        reverts.SiteNotSuspendedError(site_id_of(who), status),
    )
NOT_SITES = ("stranger", "aggregator-0", "governor", "spent")
for who in NOT_SITES:
    for call in (
        LeaveNetwork(),
        WithdrawConsents(),
        consent_call(KEY, FOREVER),
        RevokeUpdate(LIVE, 1),
        register_in("site-2", LIVE),
    ):
        refuse(f"{who} is no site", who, call, lambda s, who=who: reverts.NotASiteError(s.account(who)))
refuse("a site leaves once", "left", LeaveNetwork(), reverts.SiteHasLeftError(site_id_of("left")))

NEW_AGGREGATOR = AdmitAggregator(aggregator_id_of("new"), FRESH, KEY)
only_governor(NEW_AGGREGATOR)
missing("governor", NEW_AGGREGATOR, "aggregator_id", "account", "key_digest")
refuse(
    "an aggregator takes no site's account",
    "governor",
    lambda s: replace(NEW_AGGREGATOR, account=s.account("site-0")),
    lambda s: reverts.AccountAlreadyUsedError(s.account("site-0"), Digest(site_id_of("site-0"))),
)

only_governor(SetAggregators((CHAIR,), 1))
refuse("the set is too large", "governor", SetAggregators((CHAIR,) * 33, 1), reverts.TooManyAggregatorsError(33, 32))
for count, threshold in ((0, 0), (0, 1), (1, 0), (1, 2)):
    refuse(
        f"{threshold} of {count}",
        "governor",
        SetAggregators((CHAIR,) * count, threshold),
        reverts.ThresholdOutOfRangeError(threshold, count),
    )
for unknown in (aggregator_id_of("new"), AggregatorId.zero(), AggregatorId(site_id_of("site-0"))):
    refuse(
        "the set names no aggregator",
        "governor",
        SetAggregators((CHAIR, unknown), 1),
        reverts.AggregatorNotFoundError(unknown),
    )
refuse(
    "the set names one twice",
    "governor",
    SetAggregators((CHAIR, UNCHOSEN, CHAIR), 1),
    reverts.AggregatorRepeatedError(CHAIR),
)

AUDITOR = PublishAuditorKey(FRESH, KEY, cid("auditor"))
only_governor(AUDITOR)
missing("governor", AUDITOR, "auditor", "key_digest", "key_cid")
for who, epoch in (("governor", 1), ("auditor", 0), ("auditor", 2), ("stranger", 1)):
    refuse(
        f"{who} is not the auditor of epoch {epoch}",
        who,
        DeclareAuditorKeyUse(epoch, LIVE, 1, 1),
        lambda s, who=who, epoch=epoch: reverts.NotTheAuditorError(epoch, s.account(who)),
    )
refuse(
    "rounds are named backwards", "auditor", DeclareAuditorKeyUse(1, LIVE, 2, 1), reverts.RoundRangeReversedError(2, 1)
)
