"""Every refusal of every function, alone, with its arguments; on the contract and on the fake.

One network holds a site, an aggregator and a lineage in each state. A refused call changes nothing, so all cases share
it, and each case names who calls what and the exception in full.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, cast

import pytest

from gateways.ledger.contract_abi import load_artifact
from protocol import reverts
from protocol.deployment import Deployment
from protocol.identifiers import (
    CID,
    AccountAddress,
    AggregatorId,
    Digest,
    LineageId,
    SiteId,
    aggregator_id_of,
    lineage_id_of,
    site_id_of,
)
from protocol.ledger_calls import (
    AbortRound,
    AcceptOwnership,
    AdmitAggregator,
    AdmitSite,
    AnnounceRoundKey,
    DeclareAuditorKeyUse,
    LeaveNetwork,
    LedgerCall,
    PublishAuditorKey,
    PublishConsentRoot,
    ReinstateSite,
    RevokeUpdate,
    RotateSiteAccount,
    SealSuite,
    SetAggregators,
    SuspendSite,
    TransferOwnership,
    WithdrawConsents,
)
from protocol.ports import Ledger
from protocol.standing import RoundState, SiteStatus
from scripts.local_chain import LocalChain
from tests.contracts.setting import (
    DAY,
    GENESIS,
    LINEAGE,
    Network,
    admit_aggregator,
    admit_site,
    attest_call,
    bitmap,
    cid,
    digest,
    failed_call,
    lineage_call,
    register_call,
    set_up,
)
from tests.fakes.ledger_world import FakeWorld
from tests.fixtures_chain import ContractWorld

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
FOREVER = 2**40


@dataclass
class Scene:
    network: Network
    callers: dict[str, Ledger]
    spent_account: AccountAddress

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
    return Scene(network, callers, spent)


def register_in(name: str, lineage_id: LineageId, **changes: Any) -> LedgerCall:
    envelope = {"envelope_digest": digest(f"{name} in {lineage_id}")}
    return register_call(name, lineage_id=lineage_id, **envelope | changes)


@pytest.fixture(scope="module", params=["fake", pytest.param("contract", marks=pytest.mark.chain)])
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    if request.param == "fake":
        yield build_scene(FakeWorld())
        return
    chain: LocalChain = request.getfixturevalue("hardhat_chain")
    deployment: Deployment = request.getfixturevalue("suite_deployment")
    snapshot = chain.rpc("evm_snapshot")
    yield build_scene(ContractWorld(chain, deployment, deployment.governor))
    assert chain.rpc("evm_revert", snapshot)


@dataclass(frozen=True)
class Case:
    name: str
    caller: str
    call: Callable[[Scene], LedgerCall]
    refusal: Callable[[Scene], reverts.ContractError]


CASES: list[Case] = []
KEY = digest("any key")


def refuse(name: str, caller: str, call: Any, refusal: Any) -> None:
    """Values may be given as they are, or as functions of the scene."""
    CASES.append(
        Case(
            name,
            caller,
            call if callable(call) else lambda scene: call,
            refusal if callable(refusal) and not isinstance(refusal, Exception) else lambda scene: refusal,
        )
    )


def only_governor(call: Any) -> None:
    build = call if callable(call) else lambda scene: call
    CASES.append(
        Case(
            "a stranger governs nothing",
            "stranger",
            build,
            lambda scene: reverts.OwnableUnauthorizedAccountError(scene.account("stranger")),
        )
    )


def missing(caller: str, call: LedgerCall, *names: str) -> None:
    """Each named field alone is zero."""
    for name in names:
        solidity = name.split("_")[0] + "".join(word.capitalize() for word in name.split("_")[1:])
        value = getattr(call, name)
        zero = type(value)(bytes(len(value))) if isinstance(value, bytes) else 0
        refuse(f"{name} is zero", caller, replace(call, **{name: zero}), reverts.MissingValueError(solidity))


def site(name: str) -> SiteId:
    return site_id_of(name)


FRESH = AccountAddress(b"\x0f" * 20)
NEW_SITE = AdmitSite(site("new"), FRESH, KEY)

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
    AdmitSite(site("site-0"), FRESH, KEY),
    reverts.SiteAlreadyAdmittedError(site("site-0")),
)
for who, owner in (("site-0", site("site-0")), ("spent", site("rotated")), ("second", aggregator_id_of("second"))):
    refuse(
        f"the account of {who} is used",
        "governor",
        lambda s, who=who: AdmitSite(site("new"), s.account(who), KEY),
        lambda s, who=who, owner=owner: reverts.AccountAlreadyUsedError(s.account(who), Digest(owner)),
    )

ROTATE = RotateSiteAccount(site("site-0"), FRESH, KEY)
missing("site-0", ROTATE, "account", "key_digest")
missing("governor", ROTATE, "account", "key_digest")
refuse(
    "nobody rotates an unknown site",
    "governor",
    NEW_ROTATE := replace(ROTATE, site_id=site("new")),
    reverts.SiteNotFoundError(NEW_ROTATE.site_id),
)
for who in ("stranger", "site-1", "aggregator-0"):
    refuse(
        f"{who} rotates no other site",
        who,
        ROTATE,
        lambda s, who=who: reverts.NotSiteOrGovernorError(site("site-0"), s.account(who)),
    )
refuse(
    "a rotated-out account does not rotate its site",
    "spent",
    replace(ROTATE, site_id=site("rotated")),
    lambda s: reverts.NotSiteOrGovernorError(site("rotated"), s.spent_account),
)
for who in ("governor", "left"):
    refuse(
        "a site that left keeps its account",
        who,
        replace(ROTATE, site_id=site("left")),
        reverts.SiteHasLeftError(site("left")),
    )
refuse(
    "a site does not return to its old account",
    "governor",
    lambda s: RotateSiteAccount(site("rotated"), s.spent_account, KEY),
    lambda s: reverts.AccountAlreadyUsedError(s.spent_account, Digest(site("rotated"))),
)

only_governor(SuspendSite(site("site-0")))
for who, status in (("new", SiteStatus.NONE), ("suspended", SiteStatus.SUSPENDED), ("left", SiteStatus.LEFT)):
    refuse(
        f"a site that is {status.name} cannot be suspended",
        "governor",
        SuspendSite(site(who)),
        reverts.SiteNotActiveError(site(who), status),
    )
only_governor(ReinstateSite(site("suspended")))
for who, status in (("new", SiteStatus.NONE), ("site-0", SiteStatus.ACTIVE), ("left", SiteStatus.LEFT)):
    refuse(
        f"a site that is {status.name} cannot be reinstated",
        "governor",
        ReinstateSite(site(who)),
        reverts.SiteNotSuspendedError(site(who), status),
    )

NOT_SITES = ("stranger", "aggregator-0", "governor", "spent")
for who in NOT_SITES:
    for call in (
        LeaveNetwork(),
        WithdrawConsents(),
        PublishConsentRoot(KEY, FOREVER),
        RevokeUpdate(LIVE, 1),
        register_in("site-2", LIVE),
    ):
        refuse(f"{who} is no site", who, call, lambda s, who=who: reverts.NotASiteError(s.account(who)))
refuse("a site leaves once", "left", LeaveNetwork(), reverts.SiteHasLeftError(site("left")))

NEW_AGGREGATOR = AdmitAggregator(aggregator_id_of("new"), FRESH, KEY)
only_governor(NEW_AGGREGATOR)
missing("governor", NEW_AGGREGATOR, "aggregator_id", "account", "key_digest")
refuse(
    "an aggregator takes no site's account",
    "governor",
    lambda s: replace(NEW_AGGREGATOR, account=s.account("site-0")),
    lambda s: reverts.AccountAlreadyUsedError(s.account("site-0"), Digest(site("site-0"))),
)

CHAIR = aggregator_id_of("aggregator-0")
UNCHOSEN = aggregator_id_of("unchosen")
only_governor(SetAggregators((CHAIR,), 1))
refuse("the set is too large", "governor", SetAggregators((CHAIR,) * 33, 1), reverts.TooManyAggregatorsError(33, 32))
for count, threshold in ((0, 0), (0, 1), (1, 0), (1, 2)):
    refuse(
        f"{threshold} of {count}",
        "governor",
        SetAggregators((CHAIR,) * count, threshold),
        reverts.ThresholdOutOfRangeError(threshold, count),
    )
for unknown in (aggregator_id_of("new"), AggregatorId.zero(), AggregatorId(site("site-0"))):
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

missing("site-0", PublishConsentRoot(KEY, FOREVER), "root")
refuse(
    "a suspended site publishes no root",
    "suspended",
    PublishConsentRoot(KEY, FOREVER),
    reverts.SiteNotActiveError(site("suspended"), SiteStatus.SUSPENDED),
)
refuse(
    "a site that left publishes no root",
    "left",
    PublishConsentRoot(KEY, FOREVER),
    reverts.SiteNotActiveError(site("left"), SiteStatus.LEFT),
)
refuse("nothing is left to withdraw", "site-2", WithdrawConsents(), reverts.NothingToWithdrawError(site("site-2"), 2))

ANNOUNCE = AnnounceRoundKey(IDLE, 1, KEY, cid("round key"))
for who in ("stranger", "site-0", "governor"):
    for build in (
        lambda s: ANNOUNCE,
        lambda s: s.network.open_call(lineage_id=IDLE),
        lambda s: attest_call(codes=bytes(4), lineage_id=READY),
    ):
        refuse(f"{who} is no aggregator", who, build, lambda s, who=who: reverts.NotAnAggregatorError(s.account(who)))
refuse(
    "an aggregator outside the set announces no key", "unchosen", ANNOUNCE, reverts.AggregatorNotInSetError(UNCHOSEN, 2)
)
refuse(
    "no key for an unknown lineage",
    "aggregator-0",
    replace(ANNOUNCE, lineage_id=NOWHERE),
    reverts.LineageNotFoundError(NOWHERE),
)
for number in (0, 1):
    refuse(
        "no key for a round that was opened",
        "aggregator-0",
        replace(ANNOUNCE, lineage_id=LIVE, round=number),
        reverts.RoundOutOfOrderError(LIVE, number, 2),
    )
missing("aggregator-0", ANNOUNCE, "key_digest", "key_cid")

LINE = lineage_call(NOWHERE)
only_governor(LINE)
missing("governor", LINE, "lineage_id", "model_digest", "model_cid", "backbone_digest", "plan_schema")
refuse("the lineage exists", "governor", lineage_call(LIVE), reverts.LineageAlreadyExistsError(LIVE))

only_governor(SealSuite(1, FRESH))
missing("governor", SealSuite(1, FRESH), "successor_chain_id", "successor")


def opening(**changes: Any) -> Callable[[Scene], LedgerCall]:
    return lambda scene: scene.network.open_call(
        **{"lineage_id": IDLE, "deadline": FOREVER, "attest_by": FOREVER + 1, "selected": (0b1111,)} | changes
    )


refuse(
    "an aggregator outside the set opens no round", "unchosen", opening(), reverts.AggregatorNotInSetError(UNCHOSEN, 2)
)
refuse(
    "no round of an unknown lineage", "aggregator-0", opening(lineage_id=NOWHERE), reverts.LineageNotFoundError(NOWHERE)
)
for number in (0, 2):
    refuse(
        f"round {number} is not the next",
        "aggregator-0",
        opening(round_number=number),
        reverts.RoundOutOfOrderError(IDLE, number, 1),
    )
refuse(
    "an open round is live",
    "aggregator-0",
    opening(lineage_id=LIVE, round_number=2),
    reverts.RoundStillLiveError(LIVE, 1, RoundState.OPEN),
)
refuse(
    "a closed round is live",
    "aggregator-0",
    opening(lineage_id=READY, round_number=2),
    reverts.RoundStillLiveError(READY, 1, RoundState.CLOSED),
)
refuse(
    "the parent is not the head",
    "aggregator-0",
    opening(lineage_id=DONE, round_number=2),
    reverts.ParentNotHeadError(DONE, GENESIS, digest("model 1")),
)
for zero_field, zero in (
    ("plan_digest", Digest.zero()),
    ("plan_cid", CID.zero()),
    ("recipients_digest", Digest.zero()),
):
    words = zero_field.split("_")
    refuse(
        f"{zero_field} is zero",
        "aggregator-0",
        opening(**{zero_field: zero}),
        reverts.MissingValueError(words[0] + words[1].capitalize()),
    )
refuse(
    "no time to attest",
    "aggregator-0",
    opening(attest_by=FOREVER),
    reverts.AttestByNotAfterDeadlineError(FOREVER, FOREVER),
)
refuse("the selection is too long", "aggregator-0", opening(selected=(0,) * 65), reverts.SelectionTooLongError(65, 64))
for selected in ((1 << 8,), (0b111, 1), (0b111, 0, 1 << 255), (1 << 255,)):
    refuse(
        "the selection names nobody's ordinal",
        "aggregator-0",
        opening(selected=selected),
        reverts.SelectionNamesUnknownSiteError(8),
    )
for selected, minimum in (((), 3), ((0b11,), 3), ((0b1111,), 2), ((0b1111,), 0), ((0b1111,), 5)):
    refuse(
        f"{minimum} of {selected}",
        "aggregator-0",
        opening(selected=selected, min_accepted=minimum),
        reverts.SelectionOutOfRangeError(sum(word.bit_count() for word in selected), minimum),
    )

for who, status in (("suspended", SiteStatus.SUSPENDED), ("left", SiteStatus.LEFT)):
    refuse(
        f"a site that is {status.name} registers nothing",
        who,
        register_in(who, LIVE),
        reverts.SiteNotActiveError(site(who), status),
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
    reverts.SiteNotSelectedError(LIVE, 1, site("unselected")),
)
for who in ("site-0", "site-1"):
    refuse(
        "one update a round, revoked or not",
        who,
        register_in(who, LIVE),
        reverts.UpdateAlreadyRegisteredError(LIVE, 1, site(who)),
    )
refuse(
    "the consent root was withdrawn",
    "site-2",
    register_in("site-2", LIVE),
    lambda s: reverts.ConsentNotInForceError(site("site-2"), 1, 2, expiry(s, "site-2")),
)
for version in (2, 2**32 - 1):
    refuse(
        "the consent root was never published",
        "site-3",
        register_in("site-3", LIVE, consent_version=version),
        reverts.ConsentNotInForceError(site("site-3"), version, 0, 0),
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
    reverts.EnvelopeAlreadyRegisteredError(site("site-3"), digest(f"site-3 in {DONE}")),
)
refuse("nothing to revoke", "site-2", RevokeUpdate(LIVE, 1), reverts.UpdateNotRegisteredError(LIVE, 1, site("site-2")))
refuse("revoked once", "site-1", RevokeUpdate(LIVE, 1), reverts.UpdateAlreadyRevokedError(LIVE, 1, site("site-1")))

GOOD = attest_call(codes=b"\0\1\0\0", lineage_id=READY)
BAD = failed_call(codes=b"\0\1\x5a\0", lineage_id=READY)
for lineage_id, number, state in (
    (NOWHERE, 1, RoundState.NONE),
    (LIVE, 1, RoundState.OPEN),
    (DONE, 1, RoundState.FINALIZED),
):
    refuse(
        f"no vote in a round that is {state.name}",
        "aggregator-0",
        replace(GOOD, lineage_id=lineage_id, round=number),
        reverts.RoundNotClosedError(lineage_id, number, state),
    )
for who in ("unchosen", "second"):
    refuse("only the round's own set votes", who, GOOD, reverts.AggregatorNotInSetError(aggregator_id_of(who), 1))
refuse(
    "one vote each",
    "aggregator-0",
    attest_call(codes=bytes(4), lineage_id=VOTED),
    reverts.AlreadyAttestedError(VOTED, 1, CHAIR),
)
for codes in (b"", b"\0\1\0", b"\0\1\0\0\0"):
    refuse(
        f"{len(codes)} codes",
        "aggregator-0",
        attest_call(codes=codes, lineage_id=READY),
        reverts.CodesLengthMismatchError(len(codes), 4),
    )
for accepted in (0, 0b0001, 0b1111, 0b11101, 1 << 255 | 0b1101):
    refuse(
        "the bitmap contradicts the codes",
        "aggregator-0",
        replace(GOOD, accepted=accepted),
        reverts.AcceptedContradictsCodesError(accepted, 0b1101),
    )
refuse(
    "a revoked update is accepted",
    "aggregator-0",
    attest_call(codes=bytes(4), lineage_id=READY),
    reverts.AcceptedButRevokedError(0b10),
)
refuse(
    "a model from too few",
    "aggregator-0",
    attest_call(codes=b"\0\1\x5a\0", lineage_id=READY),
    reverts.TooFewAcceptedError(2, 3),
)
refuse(
    "enough, but no model",
    "aggregator-0",
    failed_call(codes=b"\0\1\0\0", lineage_id=READY),
    reverts.QuorumWithoutModelError(3, 3),
)
for result in (GOOD, BAD):
    missing("aggregator-0", result, "verdicts_root", "verdicts_cid")
missing("aggregator-0", GOOD, "model_cid")
for changes in ({"model_cid": cid("model")}, {"state_digest": digest("state")}):
    refuse(
        "a failed result names a model", "aggregator-0", replace(BAD, **changes), reverts.FailedResultNamesModelError()
    )
for lineage_id, state in ((NOWHERE, RoundState.NONE), (DONE, RoundState.FINALIZED)):
    refuse(
        f"a round that is {state.name} is not aborted",
        "stranger",
        AbortRound(lineage_id, 1),
        reverts.RoundNotLiveError(lineage_id, 1, state),
    )


def expiry(scene: Scene, name: str) -> int:
    world = scene.network.world
    for located in world.governor.events(0, world.governor.head().number):
        if getattr(located.event, "site_id", None) == site_id_of(name) and hasattr(located.event, "valid_until"):
            return int(located.event.valid_until)
    raise LookupError(name)


ELSEWHERE = {
    "ConsentAlreadyExpiredError": "its argument is the block's time: test_time_and_limits",
    "DeadlineInPastError": "the same",
    "AttestationStillDueError": "the same",
    "TooManySitesError": "needs 16,384 sites: test_time_and_limits",
    "SuiteIsSealedError": "sealing is final: test_time_and_limits",
    "GovernorCannotRenounceError": "no call of ours: test_time_and_limits",
    "OwnableInvalidOwnerError": "the constructor's: test_time_and_limits",
}


@pytest.mark.parametrize("case", CASES, ids=[f"{case.caller}: {case.name}" for case in CASES])
def test_a_call_is_refused_with_its_reason(scene: Scene, case: Case) -> None:
    expected = case.refusal(scene)
    with pytest.raises(reverts.ContractError) as caught:
        scene.callers[case.caller].send(case.call(scene))
    assert type(caught.value) is type(expected)
    assert [getattr(caught.value, f.name) for f in fields(expected)] == [
        getattr(expected, f.name) for f in fields(expected)
    ]


def test_the_good_calls_beside_the_refused_ones_are_taken(scene: Scene) -> None:
    """So that no case above is refused for another reason than the one it changes."""
    network = scene.network
    sent = [
        ("governor", NEW_SITE),
        ("governor", replace(NEW_AGGREGATOR, account=AccountAddress(b"\x1f" * 20))),
        ("governor", AUDITOR),
        ("auditor", DeclareAuditorKeyUse(1, LIVE, 1, 1)),
        ("governor", LINE),
        ("aggregator-0", ANNOUNCE),
        ("aggregator-0", opening()(scene)),
        ("site-3", register_in("site-3", LIVE)),
        ("aggregator-0", GOOD),
        ("site-0", replace(ROTATE, account=AccountAddress(b"\x2f" * 20))),
    ]
    for caller, call in sent:
        assert scene.callers[caller].send(call).events, call
    del network


def test_every_error_of_the_contract_has_a_case() -> None:
    declared = {entry["name"] + "Error" for entry in load_artifact().abi if entry["type"] == "error"}
    network = Network(FakeWorld(), (), ())
    blank = FakeWorld().governor
    names = [case.caller for case in CASES]
    scene = Scene(network, dict.fromkeys([*names, "spent"], blank), AccountAddress(b"\x01" * 20))
    tried = set()
    for case in CASES:
        try:
            tried.add(type(case.refusal(scene)).__name__)
        except LookupError:
            tried.add("ConsentNotInForceError")
    assert tried | ELSEWHERE.keys() == declared
    assert not tried & ELSEWHERE.keys()


def test_bitmaps_of_the_setting_are_words_over_ordinals() -> None:
    assert bitmap([0, 2]) == (0b101,)
    assert bitmap([1, 256]) == (0b10, 1)
