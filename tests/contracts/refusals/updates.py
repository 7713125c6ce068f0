"""Registering and revoking an update."""

from __future__ import annotations

from protocol import reverts
from protocol.identifiers import site_id_of
from protocol.ledger_calls import RevokeUpdate
from protocol.standing import RoundState, SiteStatus
from tests.contracts.refusals.cases import CaseTable
from tests.contracts.refusals.scene import DONE, LIVE, NOWHERE, READY, Scene, register_in
from tests.contracts.setting import digest

TABLE = CaseTable()
refuse, missing = TABLE.refuse, TABLE.missing

for who, status in (("suspended", SiteStatus.SUSPENDED), ("left", SiteStatus.LEFT)):
    refuse(
        f"a site that is {status.name} registers nothing",
        who,
        register_in(who, LIVE),
        reverts.SiteNotActiveError(site_id_of(who), status),
    )
for lineage_id, number, state in (
    (NOWHERE, 1, RoundState.NONE),
    (LIVE, 2, RoundState.NONE),
    (READY, 1, RoundState.CLOSED),
    (DONE, 1, RoundState.FINALIZED),
):
    refuse(
        f"no registration in a round that is {state.name}",
        "site-0",
        register_in("site-0", lineage_id, round=number),
        reverts.RoundNotOpenError(lineage_id, number, state),
    )
    refuse(
        f"no revocation in a round that is {state.name}",
        "site-0",
        RevokeUpdate(lineage_id, number),
        reverts.RoundNotOpenError(lineage_id, number, state),
    )
refuse(
    "the site was not selected",
    "unselected",
    register_in("unselected", LIVE),
    reverts.SiteNotSelectedError(LIVE, 1, site_id_of("unselected")),
)
for who in ("site-0", "site-1"):
    refuse(
        "one update a round, revoked or not",
        who,
        register_in(who, LIVE),
        reverts.UpdateAlreadyRegisteredError(LIVE, 1, site_id_of(who)),
    )
refuse(
    "the consent root was withdrawn",
    "site-2",
    register_in("site-2", LIVE),
    lambda s: reverts.ConsentNotInForceError(site_id_of("site-2"), 1, 2, expiry(s, "site-2")),
)
for version in (2, 2**32 - 1):
    refuse(
        "the consent root was never published",
        "site-3",
        register_in("site-3", LIVE, consent_version=version),
        reverts.ConsentNotInForceError(site_id_of("site-3"), version, 0, 0),
    )
missing(
    "site-3", register_in("site-3", LIVE), "envelope_digest", "envelope_cid", "parameters_commitment", "dataset_root"
)
for weight in (0, 2**20 + 1, 2**32 - 1):
    refuse(
        f"a weight of {weight}",
        "site-3",
        register_in("site-3", LIVE, weight=weight),
        reverts.WeightOutOfRangeError(weight, 2**20),
    )
refuse(
    "the site registered that envelope in another lineage",
    "site-3",
    register_in("site-3", LIVE, envelope_digest=digest(f"site-3 in {DONE}")),
    reverts.EnvelopeAlreadyRegisteredError(site_id_of("site-3"), digest(f"site-3 in {DONE}")),
)
refuse(
    "nothing to revoke",
    "site-2",
    RevokeUpdate(LIVE, 1),
    reverts.UpdateNotRegisteredError(LIVE, 1, site_id_of("site-2")),
)
refuse(
    "revoked once", "site-1", RevokeUpdate(LIVE, 1), reverts.UpdateAlreadyRevokedError(LIVE, 1, site_id_of("site-1"))
)


def expiry(scene: Scene, name: str) -> int:
    world = scene.network.world
    for located in world.governor.events(0, world.governor.head().number):
        if getattr(located.event, "site_id", None) == site_id_of(name) and hasattr(located.event, "valid_until"):
            return int(located.event.valid_until)
    raise LookupError(name)
