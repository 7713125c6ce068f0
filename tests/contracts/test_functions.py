"""What every function writes: its event and the views afterwards."""

from __future__ import annotations

import pytest
from eth_abi import abi as eth_abi
from eth_utils.crypto import keccak

from gateways.ledger.result_digest import result_digest_of
from protocol import ledger_events as events
from protocol.identifiers import AccountAddress, Digest, aggregator_id_of, site_id_of
from protocol.ledger_calls import (
    AdmitAggregator,
    AdmitSite,
    AnnounceRoundKey,
    DeclareAuditorKeyUse,
    LeaveNetwork,
    PublishAuditorKey,
    PublishConsentRoot,
    ReinstateSite,
    RevokeUpdate,
    RotateSiteAccount,
    SealSuite,
    SetAggregators,
    SuspendSite,
    WithdrawConsents,
)
from protocol.standing import RoundState, SiteStatus
from tests.contracts.setting import (
    DAY,
    GENESIS,
    LINEAGE,
    admit_aggregator,
    admit_site,
    attest_call,
    cid,
    digest,
    failed_call,
    lineage_call,
    register_call,
    set_up,
)
from tests.fixtures_chain import ContractWorld

pytestmark = pytest.mark.chain

NOBODY = bytes(32)


def test_admitted_sites_get_dense_ordinals(contract: ContractWorld) -> None:
    for ordinal in range(3):
        account = contract.fresh_account()
        site_id = site_id_of(f"s{ordinal}")
        (located,) = contract.governor.send(AdmitSite(site_id, account, digest("key"))).events
        assert located.event == events.SiteAdmitted(site_id, account, ordinal, digest("key"))
        assert contract.view("site", site_id) == (str(account), ordinal, SiteStatus.ACTIVE)
        assert contract.view("siteOf", account) == site_id
    assert contract.view("siteCount") == 3


def test_a_rotated_site_acts_with_its_new_account_only(contract: ContractWorld) -> None:
    site = admit_site(contract, "s", consent=False)
    for by in (contract.governor, site.ledger):
        old = AccountAddress.from_hex(contract.view("site", site.site_id)[0])
        new = contract.fresh_account()
        (located,) = by.send(RotateSiteAccount(site.site_id, new, digest("key 2"))).events
        assert located.event == events.SiteAccountRotated(site.site_id, old, new, digest("key 2"))
        assert contract.view("siteOf", old) == NOBODY
        assert contract.view("siteOf", new) == site.site_id
        if by is contract.governor:
            # The second time the site rotates itself, with the account that the governor gave it.
            site = type(site)(site.name, contract.ledger(new))
            contract_site = site.ledger
            last = contract.fresh_account()
            contract_site.send(RotateSiteAccount(site.site_id, last, digest("key 3")))
            break
    assert contract.view("site", site.site_id)[0] == str(last)


def test_standing_goes_from_active_to_suspended_and_back_and_ends_with_left(contract: ContractWorld) -> None:
    site = admit_site(contract, "s", consent=False)
    steps = (
        (contract.governor, SuspendSite(site.site_id), events.SiteSuspended, SiteStatus.SUSPENDED),
        (contract.governor, ReinstateSite(site.site_id), events.SiteReinstated, SiteStatus.ACTIVE),
        (contract.governor, SuspendSite(site.site_id), events.SiteSuspended, SiteStatus.SUSPENDED),
        (site.ledger, LeaveNetwork(), events.SiteLeft, SiteStatus.LEFT),
    )
    for caller, call, event, status in steps:
        (located,) = caller.send(call).events
        assert located.event == event(site.site_id)
        assert contract.view("site", site.site_id)[2] == status


def test_a_site_that_left_can_still_withdraw_and_revoke(contract: ContractWorld) -> None:
    network = set_up(contract)
    network.open_round()
    site = network.sites[0]
    site.ledger.send(register_call(site.name))
    site.ledger.send(LeaveNetwork())
    site.ledger.send(WithdrawConsents())
    site.ledger.send(RevokeUpdate(LINEAGE, 1))
    assert contract.view("revokedUpdates", LINEAGE, 1) == 1


def test_an_aggregator_is_admitted_again_with_another_account(contract: ContractWorld) -> None:
    aggregator = admit_aggregator(contract, "a")
    new = contract.fresh_account()
    (located,) = contract.governor.send(AdmitAggregator(aggregator.aggregator_id, new, digest("key 2"))).events
    assert located.event == events.AggregatorAdmitted(aggregator.aggregator_id, new, digest("key 2"))
    assert contract.view("aggregatorOf", aggregator.account) == NOBODY
    assert contract.view("aggregatorOf", new) == aggregator.aggregator_id


def test_every_set_is_a_new_version_and_older_ones_stay(contract: ContractWorld) -> None:
    names = [f"a{number}" for number in range(32)]
    ids = tuple(admit_aggregator(contract, name).aggregator_id for name in names)
    (first,) = contract.governor.send(SetAggregators(ids, 17)).events
    assert first.event == events.AggregatorSetChanged(1, 17, ids)
    (second,) = contract.governor.send(SetAggregators(ids[5:7], 1)).events
    assert second.event == events.AggregatorSetChanged(2, 1, ids[5:7])
    assert contract.view("currentAggregatorSet") == (2, 1)
    assert contract.view("aggregatorSet", 1, ids[31]) == (True, 31)
    assert contract.view("aggregatorSet", 2, ids[6]) == (True, 1)
    assert contract.view("aggregatorSet", 2, ids[31]) == (False, 0)


def test_auditor_epochs_follow_each_other_and_each_keeps_its_auditor(contract: ContractWorld) -> None:
    auditors = [contract.fresh_ledger() for _ in range(2)]
    for epoch, auditor in enumerate(auditors, start=1):
        (located,) = contract.governor.send(PublishAuditorKey(auditor.account, digest("k"), cid("k"))).events
        assert located.event == events.AuditorKeyPublished(epoch, auditor.account, digest("k"), cid("k"))
    (used,) = auditors[0].send(DeclareAuditorKeyUse(1, LINEAGE, 3, 5)).events
    assert used.event == events.AuditorKeyUsed(1, LINEAGE, 3, 5)
    assert contract.view("auditorEpoch") == 2
    assert contract.view("auditorOf", 1) == str(auditors[0].account)


def test_consent_versions_grow_and_a_withdrawal_raises_the_lowest(contract: ContractWorld) -> None:
    site = admit_site(contract, "s", consent=False)
    expiry = contract.now() + DAY
    for version in (1, 2):
        counts = (12 * version, 1, version - 1)
        (located,) = site.ledger.send(PublishConsentRoot(digest("root"), expiry + version, *counts)).events
        assert located.event == events.ConsentRootPublished(
            site.site_id, version, digest("root"), expiry + version, *counts
        )
        assert contract.view("consentValidUntil", site.site_id, version) == expiry + version
    assert contract.view("consentOf", site.site_id) == (2, 0)
    (located,) = site.ledger.send(WithdrawConsents()).events
    assert located.event == events.ConsentWithdrawn(site.site_id, 3)
    assert contract.view("consentOf", site.site_id) == (2, 3)


def test_consents_can_be_withdrawn_before_any_was_published(contract: ContractWorld) -> None:
    site = admit_site(contract, "s", consent=False)
    site.ledger.send(WithdrawConsents())
    assert contract.view("consentOf", site.site_id) == (0, 1)


def test_a_lineage_starts_at_its_genesis_round(contract: ContractWorld) -> None:
    call = lineage_call(genesis_round=41)
    (located,) = contract.governor.send(call).events
    assert located.event == events.LineageCreated(
        LINEAGE, 41, GENESIS, call.model_cid, call.backbone_digest, call.plan_schema, 1
    )
    assert contract.view("lineage", LINEAGE) == (GENESIS, 41, 41, 41, True)


def test_a_key_announcement_is_an_event_only(contract: ContractWorld) -> None:
    network = set_up(contract)
    (located,) = network.aggregators[0].ledger.send(AnnounceRoundKey(LINEAGE, 4, digest("k"), cid("k"))).events
    assert located.event == events.RoundKeyAnnounced(
        aggregator_id_of("aggregator-0"), LINEAGE, 4, digest("k"), cid("k")
    )


def test_an_opened_round_snapshots_its_set_and_selection(contract: ContractWorld) -> None:
    network = set_up(contract, sites=4, aggregators=3, threshold=2)
    call = network.open_call(selected=(0b1011,))
    (located,) = network.aggregators[1].ledger.send(call).events
    opened = located.event
    assert isinstance(opened, events.RoundOpened)
    assert (opened.aggregator_id, opened.aggregator_set_version) == (network.aggregators[1].aggregator_id, 1)
    assert (opened.selected, opened.plan_cid, opened.deadline) == (call.selected, call.plan_cid, call.deadline)
    assert contract.view("roundOf", LINEAGE, 1) == (call.deadline, call.attest_by, 1, 0, 0, 3, 3, 2, RoundState.OPEN)
    assert [contract.view("isSelected", LINEAGE, 1, n) for n in range(5)] == [True, True, False, True, False]
    assert contract.view("lineage", LINEAGE) == (GENESIS, 0, 1, 0, True)
    assert contract.view("state", LINEAGE, 2) == RoundState.NONE


def test_a_registration_stores_the_digest_of_its_fields(contract: ContractWorld) -> None:
    network = set_up(contract)
    network.open_round()
    for index, site in enumerate(network.sites):
        assert contract.view("submissionDigest", LINEAGE, 1, site.site_id) == (bytes(30), 0)
        call = register_call(site.name, weight=2**20 - index)
        (located,) = site.ledger.send(call).events
        assert located.event == events.UpdateRegistered(
            LINEAGE,
            1,
            site.site_id,
            index,
            call.envelope_digest,
            call.envelope_cid,
            call.parameters_commitment,
            call.weight,
            call.dataset_root,
            1,
            1,
        )
        encoded = eth_abi.encode(
            ["bytes32", "bytes32", "bytes32", "uint32", "bytes32", "uint32"],
            [call.envelope_digest, call.envelope_cid, call.parameters_commitment, call.weight, call.dataset_root, 1],
        )
        assert contract.view("submissionDigest", LINEAGE, 1, site.site_id) == (keccak(encoded)[:30], index + 1)
    assert contract.view("state", LINEAGE, 1) == RoundState.CLOSED


def test_a_revocation_overwrites_nothing(contract: ContractWorld) -> None:
    network = set_up(contract)
    network.open_round()
    for site in network.sites[:2]:
        site.ledger.send(register_call(site.name))
    before = contract.view("submissionDigest", LINEAGE, 1, network.sites[1].site_id)
    (located,) = network.sites[1].ledger.send(RevokeUpdate(LINEAGE, 1)).events
    assert located.event == events.UpdateRevoked(LINEAGE, 1, network.sites[1].site_id, 1)
    assert contract.view("submissionDigest", LINEAGE, 1, network.sites[1].site_id) == before
    assert contract.view("revokedUpdates", LINEAGE, 1) == 0b10


def test_the_vote_that_reaches_the_threshold_finalises(contract: ContractWorld) -> None:
    network = set_up(contract, aggregators=3, threshold=2)
    network.closed_round()
    call = attest_call(state_digest=digest("state"))
    expected = result_digest_of(network.governor.identity, call)
    (vote,) = network.aggregators[2].ledger.send(call).events
    assert vote.event == events.ResultAttested(LINEAGE, 1, network.aggregators[2].aggregator_id, expected)
    assert contract.view("pendingVotes", expected) == 1
    assert contract.view("roundOf", LINEAGE, 1)[3] == 0b100
    assert contract.view("lineage", LINEAGE)[0] == GENESIS
    vote, final = network.aggregators[0].ledger.send(call).events
    assert vote.event == events.ResultAttested(LINEAGE, 1, network.aggregators[0].aggregator_id, expected)
    assert final.event == events.RoundFinalized(
        LINEAGE,
        1,
        call.model_digest,
        call.model_cid,
        digest("state"),
        call.verdicts_root,
        call.verdicts_cid,
        0b111,
        bytes(3),
    )
    assert contract.view("lineage", LINEAGE) == (call.model_digest, 0, 1, 1, True)
    assert contract.view("state", LINEAGE, 1) == RoundState.FINALIZED


def test_a_failed_round_leaves_the_head_and_frees_the_lineage(contract: ContractWorld) -> None:
    network = set_up(contract)
    network.closed_round()
    call = failed_call(codes=b"\x0a\x00\x65")
    failed = network.aggregators[0].ledger.send(call).events[-1]
    assert failed.event == events.RoundFailed(LINEAGE, 1, call.verdicts_root, call.verdicts_cid, 0b010, call.codes)
    assert contract.view("lineage", LINEAGE) == (GENESIS, 0, 1, 0, True)
    network.open_round(2)


def test_a_round_without_any_registration_can_fail(contract: ContractWorld) -> None:
    network = set_up(contract)
    opened = network.open_round()
    contract.advance(opened.deadline - contract.now())
    receipt = network.aggregators[0].ledger.send(failed_call(codes=b""))
    assert isinstance(receipt.events[-1].event, events.RoundFailed)


@pytest.mark.parametrize("sites", [31, 32, 33, 65])
def test_codes_and_bitmap_agree_across_words(contract: ContractWorld, sites: int) -> None:
    network = set_up(contract, sites=sites)
    network.closed_round()
    codes = bytes((index % 3 == 1) * (1 + index) for index in range(sites))
    final = network.aggregators[0].ledger.send(attest_call(codes=codes)).events[-1].event
    assert isinstance(final, events.RoundFinalized)
    assert final.accepted == sum(1 << index for index, code in enumerate(codes) if code == 0)


def test_a_sealed_suite_names_its_successor(contract: ContractWorld) -> None:
    successor = AccountAddress(b"\x05" * 20)
    (located,) = contract.governor.send(SealSuite(7, successor)).events
    assert located.event == events.SuiteSealed(7, successor)
    assert contract.view("suite")[3] == (7, str(successor))


def test_an_unknown_identity_is_nobody(contract: ContractWorld) -> None:
    nobody = AccountAddress.zero()
    assert contract.view("siteOf", nobody) == NOBODY
    assert contract.view("aggregatorOf", nobody) == NOBODY
    assert contract.view("auditorOf", 0) == str(nobody)
    assert contract.view("site", Digest.zero()) == (str(nobody), 0, SiteStatus.NONE)
