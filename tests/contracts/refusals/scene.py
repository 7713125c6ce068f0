"""One network with a site, an aggregator and a lineage in each state, for calls that are refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from protocol.identifiers import AccountAddress, LineageId, aggregator_id_of, lineage_id_of, site_id_of
from protocol.ledger_calls import (
    LeaveNetwork,
    LedgerCall,
    PublishAuditorKey,
    RevokeUpdate,
    RotateSiteAccount,
    SetAggregators,
    SuspendSite,
    WithdrawConsents,
)
from protocol.ports import Ledger
from tests.contracts.setting import (
    DAY,
    LINEAGE,
    Network,
    admit_aggregator,
    admit_site,
    attest_call,
    cid,
    digest,
    lineage_call,
    register_call,
    set_up,
)

LIVE = LINEAGE
"""Round 1 is open: site-0 registered, site-1 registered and revoked, site-2 not."""
READY = lineage_id_of("ready")
"""Round 1 is closed, its aggregator has not voted; site-1 revoked; three of four would be accepted."""
DONE = lineage_id_of("done")
"""Round 1 is finalised."""
IDLE = lineage_id_of("idle")
"""No round yet."""
VOTED = lineage_id_of("voted")
"""Round 1 is closed with one vote of two."""
NOWHERE = lineage_id_of("nowhere")


@dataclass
class Scene:
    network: Network
    callers: dict[str, Ledger]
    spent_account: AccountAddress
    deadline: int
    """Of a round that opens now: a few days away."""

    def account(self, name: str) -> AccountAddress:
        return cast("AccountAddress", self.callers[name].account)


def build_scene(world: Any) -> Scene:
    network = set_up(world, sites=4)
    governor = world.governor
    callers: dict[str, Ledger] = {party.name: party.ledger for party in (*network.sites, *network.aggregators)}
    callers |= {"governor": governor, "stranger": world.fresh_ledger(), "auditor": world.fresh_ledger()}
    for name in ("unselected", "suspended", "left", "rotated"):
        callers[name] = admit_site(world, name).ledger
    unchosen = admit_aggregator(world, "unchosen")
    second = admit_aggregator(world, "second")
    callers |= {"unchosen": unchosen.ledger, "second": second.ledger}
    spent = cast("AccountAddress", callers["rotated"].account)
    callers["spent"] = callers["rotated"]
    callers["rotated"] = world.fresh_ledger()
    governor.send(RotateSiteAccount(site_id_of("rotated"), callers["rotated"].account, digest("key 2")))
    governor.send(SuspendSite(site_id_of("suspended")))
    callers["left"].send(LeaveNetwork())
    governor.send(PublishAuditorKey(callers["auditor"].account, digest("auditor key"), cid("auditor key")))
    for lineage_id in (READY, DONE, IDLE, VOTED):
        governor.send(lineage_call(lineage_id))
    times = {"deadline": world.now() + DAY, "attest_by": world.now() + 2 * DAY, "selected": (0b1111,)}
    chair = callers["aggregator-0"]
    for lineage_id in (LIVE, READY, DONE):
        chair.send(network.open_call(lineage_id=lineage_id, **times))
    governor.send(SetAggregators((aggregator_id_of("aggregator-0"), aggregator_id_of("second")), 2))
    chair.send(network.open_call(lineage_id=VOTED, **times))
    for lineage_id, sites in ((LIVE, 2), (READY, 3), (DONE, 4), (VOTED, 4)):
        for party in network.sites[:sites]:
            party.ledger.send(register_in(party.name, lineage_id))
        if lineage_id in (LIVE, READY):
            callers["site-1"].send(RevokeUpdate(lineage_id, 1))
    callers["site-3"].send(register_in("site-3", READY))
    chair.send(attest_call(codes=bytes(4), lineage_id=DONE))
    chair.send(attest_call(codes=bytes(4), lineage_id=VOTED))
    callers["site-2"].send(WithdrawConsents())
    return Scene(network, callers, spent, world.now() + 3 * DAY)


def register_in(name: str, lineage_id: LineageId, **changes: Any) -> LedgerCall:
    envelope = {"envelope_digest": digest(f"{name} in {lineage_id}")}
    return register_call(name, lineage_id=lineage_id, **envelope | changes)
