"""Refusals that depend on the block's time, on limits, or that are final; and the moments at which they begin."""

from __future__ import annotations

from dataclasses import replace

import eth_abi.abi
import pytest
from eth_utils.crypto import keccak

from gateways.ledger.contract_abi import contract_abi
from gateways.ledger.deploying import deploy
from gateways.ledger.rpc import RPCEndpoint, RPCRefusedError
from gateways.ledger.signers import UnlockedAccount
from protocol import reverts
from protocol.deployment import Predecessor
from protocol.identifiers import AccountAddress, lineage_id_of
from protocol.ledger_calls import (
    AbortRound,
    AcceptOwnership,
    AdmitSite,
    AnnounceRoundKey,
    SealSuite,
    SetAggregators,
    TransferOwnership,
)
from protocol.round import MAX_ROUND_SECONDS
from protocol.standing import RoundState
from tests.contracts.setting import (
    DAY,
    LINEAGE,
    ROUND_SECONDS,
    admit_site,
    attest_call,
    bitmap,
    cid,
    consent_call,
    digest,
    lineage_call,
    register_call,
    set_up,
)
from tests.fixtures_chain import ContractWorld

pytestmark = pytest.mark.chain

SITE_COUNT_SLOT = 8
SITE_COUNT_SHIFT = 32


def test_a_consent_root_must_expire_after_the_block(contract: ContractWorld) -> None:
    site = set_up(contract).sites[0]
    at = contract.now() + 100
    for valid_until in (at, at - 1, 0):
        contract.next_block_at(at)
        with pytest.raises(reverts.ConsentAlreadyExpiredError) as caught:
            site.ledger.send(consent_call(digest("root"), valid_until))
        assert (caught.value.valid_until, caught.value.timestamp) == (valid_until, at)
    contract.next_block_at(at)
    site.ledger.send(consent_call(digest("root"), at + 1))


def test_a_consent_root_is_in_force_at_its_last_second_and_not_after(contract: ContractWorld) -> None:
    network = set_up(contract)
    valid_until = contract.now() + 1_000
    for site in network.sites[:2]:
        site.ledger.send(consent_call(digest("short"), valid_until))
    network.open_round()
    contract.next_block_at(valid_until)
    network.sites[0].ledger.send(register_call("site-0", consent_version=2))
    contract.next_block_at(valid_until + 1)
    with pytest.raises(reverts.ConsentNotInForceError) as caught:
        network.sites[1].ledger.send(register_call("site-1", consent_version=2))
    assert caught.value.valid_until == valid_until


def test_a_deadline_must_be_after_the_block(contract: ContractWorld) -> None:
    network = set_up(contract)
    at = contract.now() + 100
    for deadline in (at, at - 1, 0):
        contract.next_block_at(at)
        with pytest.raises(reverts.DeadlineInPastError) as caught:
            network.open_round(deadline=deadline)
        assert (caught.value.deadline, caught.value.timestamp) == (deadline, at)
    contract.next_block_at(at)
    network.open_round(deadline=at + 1)


def test_a_round_can_be_aborted_within_ninety_days_of_its_opening(contract: ContractWorld) -> None:
    network = set_up(contract)
    at = contract.now() + 100
    latest = at + MAX_ROUND_SECONDS
    assert MAX_ROUND_SECONDS == 90 * DAY
    for times in (
        {"attest_by": latest + 1},
        {"attest_by": 2**64 - 1},
        {"deadline": latest, "attest_by": latest + 1},
        {"deadline": 2**64 - 2, "attest_by": 2**64 - 1},
    ):
        contract.next_block_at(at)
        with pytest.raises(reverts.AttestByTooLateError) as caught:
            network.open_round(**times)
        assert (caught.value.attest_by, caught.value.latest) == (times["attest_by"], latest)
    contract.next_block_at(at)
    network.open_round(deadline=latest - 1, attest_by=latest)


def test_a_lineage_that_its_opener_held_up_is_free_again_after_ninety_days(contract: ContractWorld) -> None:
    network = set_up(contract)
    opened = network.open_call()
    network.aggregators[0].ledger.send(replace(opened, attest_by=opened.deadline - ROUND_SECONDS + MAX_ROUND_SECONDS))
    contract.advance(MAX_ROUND_SECONDS)
    network.sites[0].ledger.send(AbortRound(LINEAGE, 1))
    network.open_round(2)


def test_registration_ends_at_the_deadline_and_not_a_second_earlier(contract: ContractWorld) -> None:
    network = set_up(contract)
    opened = network.open_round()
    contract.next_block_at(opened.deadline - 1)
    network.sites[0].ledger.send(register_call("site-0"))
    assert contract.view("state", LINEAGE, 1) == RoundState.OPEN
    contract.next_block_at(opened.deadline)
    with pytest.raises(reverts.RoundNotOpenError) as caught:
        network.sites[1].ledger.send(register_call("site-1"))
    assert caught.value.state is RoundState.CLOSED


def test_a_round_can_be_aborted_from_attest_by_on_and_not_a_second_earlier(contract: ContractWorld) -> None:
    network = set_up(contract)
    opened = network.open_round()
    stranger = contract.fresh_ledger()
    contract.next_block_at(opened.attest_by - 1)
    with pytest.raises(reverts.AttestationStillDueError) as caught:
        stranger.send(AbortRound(LINEAGE, 1))
    assert (caught.value.attest_by, caught.value.timestamp) == (opened.attest_by, opened.attest_by - 1)
    contract.next_block_at(opened.attest_by)
    stranger.send(AbortRound(LINEAGE, 1))
    assert contract.view("state", LINEAGE, 1) == RoundState.ABORTED
    with pytest.raises(reverts.RoundNotLiveError) as again:
        stranger.send(AbortRound(LINEAGE, 1))
    assert again.value.state is RoundState.ABORTED


def test_a_late_vote_still_counts_until_somebody_aborts(contract: ContractWorld) -> None:
    network = set_up(contract)
    opened = network.closed_round()
    contract.next_block_at(opened.attest_by + 1_000)
    network.aggregators[0].ledger.send(attest_call())
    assert contract.view("state", LINEAGE, 1) == RoundState.FINALIZED


def test_an_aborted_round_takes_no_votes_and_its_number_is_spent(contract: ContractWorld) -> None:
    network = set_up(contract)
    opened = network.closed_round()
    contract.advance(opened.attest_by - contract.now())
    network.sites[0].ledger.send(AbortRound(LINEAGE, 1))
    with pytest.raises(reverts.RoundNotClosedError):
        network.aggregators[0].ledger.send(attest_call())
    with pytest.raises(reverts.RoundOutOfOrderError):
        network.open_round(1)
    network.open_round(2)


def test_a_sealed_suite_finishes_its_round_and_opens_no_other(contract: ContractWorld) -> None:
    network = set_up(contract)
    network.closed_round()
    successor = AccountAddress(b"\x05" * 20)
    contract.governor.send(SealSuite(7, successor))
    network.aggregators[0].ledger.send(attest_call())
    for caller, call in (
        (network.aggregators[0].ledger, network.open_call(2, parent_digest=digest("model 1"))),
        (contract.governor, lineage_call(lineage_id_of("another"))),
        (contract.governor, SealSuite(8, AccountAddress(b"\x06" * 20))),
    ):
        with pytest.raises(reverts.SuiteIsSealedError) as caught:
            caller.send(call)
        assert (caught.value.successor_chain_id, caught.value.successor) == (7, successor)


def test_the_last_ordinal_is_the_last_site(contract: ContractWorld) -> None:
    admit_site(contract, "first", consent=False)
    slot = hex(SITE_COUNT_SLOT)
    value = (16_384 - 1) << SITE_COUNT_SHIFT
    contract.chain.rpc("hardhat_setStorageAt", str(contract.deployment.contract_address), slot, f"0x{value:064x}")
    assert contract.view("siteCount") == 16_383
    admit_site(contract, "last", consent=False)
    with pytest.raises(reverts.TooManySitesError) as caught:
        admit_site(contract, "one more", consent=False)
    assert caught.value.max_sites == 16_384


def test_a_selection_reaches_beyond_the_first_word(contract: ContractWorld) -> None:
    """Ordinals 255, 256 and 511: both sides of two word borders."""
    network = set_up(contract, sites=1)
    parties = []
    for ordinal in (255, 256, 511):
        contract.chain.rpc(
            "hardhat_setStorageAt",
            str(contract.deployment.contract_address),
            hex(SITE_COUNT_SLOT),
            f"0x{ordinal << SITE_COUNT_SHIFT:064x}",
        )
        parties.append(admit_site(contract, f"ordinal-{ordinal}"))
    network.open_round(selected=bitmap([255, 256, 511]))
    with pytest.raises(reverts.SiteNotSelectedError):
        network.sites[0].ledger.send(register_call("site-0"))
    for party in parties:
        party.ledger.send(register_call(party.name))
    assert contract.view("state", LINEAGE, 1) == RoundState.CLOSED


def test_more_than_256_sites_cannot_be_selected(contract: ContractWorld) -> None:
    network = set_up(contract, sites=1)
    contract.chain.rpc(
        "hardhat_setStorageAt",
        str(contract.deployment.contract_address),
        hex(SITE_COUNT_SLOT),
        f"0x{600 << SITE_COUNT_SHIFT:064x}",
    )
    with pytest.raises(reverts.SelectionOutOfRangeError) as caught:
        network.open_round(selected=bitmap(range(257)))
    assert caught.value.selected_count == 257
    network.open_round(selected=bitmap(range(300, 556)), min_accepted=256)


def test_governance_is_handed_over_in_two_steps(contract: ContractWorld) -> None:
    heir = contract.fresh_ledger()
    contract.governor.send(TransferOwnership(heir.account))
    with pytest.raises(reverts.OwnableUnauthorizedAccountError):
        heir.send(AdmitSite(digest("site"), contract.fresh_account(), digest("key")))  # type: ignore[arg-type]
    (changed,) = heir.send(AcceptOwnership()).events
    assert (changed.event.previous_governor, changed.event.governor) == (contract.governor.account, heir.account)
    with pytest.raises(reverts.OwnableUnauthorizedAccountError):
        contract.governor.send(SetAggregators((), 0))
    assert contract.view("owner") == str(heir.account)


def test_the_governor_cannot_renounce(contract: ContractWorld) -> None:
    endpoint = RPCEndpoint(contract.chain.url, timeout_seconds=5)
    request = {
        "from": str(contract.governor.account),
        "to": str(contract.deployment.contract_address),
        "data": "0x" + keccak(b"renounceOwnership()")[:4].hex(),
    }
    with pytest.raises(RPCRefusedError) as caught:
        endpoint.call("eth_call", request, "latest")
    assert isinstance(
        contract_abi().decode_revert(caught.value.revert_data or b""), reverts.GovernorCannotRenounceError
    )


def test_a_deployment_needs_a_governor_and_the_deployer_keeps_nothing(contract: ContractWorld) -> None:
    deployer = contract.fresh_ledger()
    signer = UnlockedAccount(deployer.account)
    with pytest.raises(reverts.OwnableInvalidOwnerError):
        deploy(contract.chain.url, signer, governor=AccountAddress.zero())
    predecessor = Predecessor(5, AccountAddress(b"\x09" * 20))
    made = deploy(contract.chain.url, signer, governor=AccountAddress(b"\x08" * 20), predecessor=predecessor)
    world = ContractWorld(contract.chain, made, AccountAddress(b"\x08" * 20))
    assert world.view("owner") == "0x" + "08" * 20
    link = (5, "0x" + "09" * 20)
    assert world.view("suite") == (1, 1, link, (0, "0x" + "00" * 20))
    with pytest.raises(reverts.OwnableUnauthorizedAccountError):
        world.ledger(deployer.account).send(AdmitSite(digest("site"), deployer.account, digest("key")))  # type: ignore[arg-type]


def test_a_key_is_announced_for_a_coming_round_only(contract: ContractWorld) -> None:
    network = set_up(contract)
    chair = network.aggregators[0].ledger
    chair.send(AnnounceRoundKey(LINEAGE, 1, digest("key"), cid("key")))
    network.open_round()
    with pytest.raises(reverts.RoundOutOfOrderError):
        chair.send(AnnounceRoundKey(LINEAGE, 1, digest("key 2"), cid("key 2")))


def test_dirty_arguments_are_not_taken(contract: ContractWorld) -> None:
    """A weight of 2^32 + 1 cannot pass as 1: the decoder refuses bits above the type."""
    site = set_up(contract).sites[0]
    data = bytearray(contract_abi().encode_call(register_call(site.name)))
    data[4 + 5 * 32 + 27] = 1
    endpoint = RPCEndpoint(contract.chain.url, timeout_seconds=5)
    request = {
        "from": str(site.account),
        "to": str(contract.deployment.contract_address),
        "data": "0x" + bytes(data).hex(),
    }
    with pytest.raises(RPCRefusedError):
        endpoint.call("eth_call", request, "latest")
    assert eth_abi.abi.encode(["uint32"], [1])[-1] == 1
