"""What every ledger promises. Runs on the fake always and on the real contract under ``-m chain``.

A module that subclasses ``LedgerBehavior`` gives it the ``world`` fixture.
"""

from __future__ import annotations

import pytest

from protocol import ledger_events as events
from protocol import reverts
from protocol.errors import LedgerError, TransactionRevertedError
from protocol.identifiers import AccountAddress, SiteId
from protocol.ledger_calls import (
    AbortRound,
    AdmitSite,
    LeaveNetwork,
    RevokeUpdate,
    SetAggregators,
    SuspendSite,
    WithdrawConsents,
)
from protocol.standing import RoundState, SiteStatus
from tests.contracts.setting import (
    DAY,
    GENESIS,
    LINEAGE,
    ROUND_SECONDS,
    World,
    admit_aggregator,
    attest_call,
    consent_call,
    digest,
    register_call,
    set_up,
)


def all_events(world: World) -> list[events.LocatedEvent]:
    reader = world.governor
    return list(reader.events(0, reader.head().number))


class LedgerBehavior:
    """The port's promises, and the contract's rules as a process meets them."""

    def test_a_receipt_holds_the_event_with_its_place_and_time(self, world: World) -> None:
        account = world.fresh_account()
        receipt = world.governor.send(AdmitSite(SiteId(b"s" * 32), account, digest("key")))
        (located,) = receipt.events
        assert located.event == events.SiteAdmitted(SiteId(b"s" * 32), account, 0, digest("key"))
        assert located.position == receipt.position
        assert located.position.tx_hash == receipt.tx_hash
        head = world.governor.head()
        assert (located.position.block_number, located.position.block_hash) == (head.number, head.block_hash)
        assert located.position.timestamp == head.timestamp

    def test_events_come_whole_and_in_chain_order(self, world: World) -> None:
        network = set_up(world)
        network.closed_round()
        network.aggregators[0].ledger.send(attest_call())
        located = all_events(world)
        names = [type(item.event).__name__ for item in located]
        assert names == (
            ["GovernorChanged"]
            + ["SiteAdmitted", "ConsentRootPublished"] * 3
            + ["AggregatorAdmitted", "AggregatorSetChanged", "LineageCreated", "RoundOpened"]
            + ["UpdateRegistered"] * 3
            + ["ResultAttested", "RoundFinalized"]
        )
        positions = [item.position for item in located]
        assert positions == sorted(positions)
        assert len(set(positions)) == len(positions)

    def test_events_of_a_range_include_both_ends_and_nothing_else(self, world: World) -> None:
        network = set_up(world)
        receipt = network.open_round()
        del receipt
        last = all_events(world)[-1].position.block_number
        only = list(world.governor.events(last, last))
        assert [type(item.event).__name__ for item in only] == ["RoundOpened"]
        assert list(world.governor.events(last + 1, last)) == []

    def test_a_refused_call_changes_nothing(self, world: World) -> None:
        network = set_up(world)
        before = all_events(world)
        with pytest.raises(TransactionRevertedError):
            network.sites[0].ledger.send(register_call("site-0"))
        assert all_events(world) == before

    def test_a_refusal_says_what_happened_and_what_to_do_in_one_line(self, world: World) -> None:
        network = set_up(world)
        with pytest.raises(reverts.RoundNotOpenError) as caught:
            network.sites[0].ledger.send(register_call("site-0"))
        assert (caught.value.lineage_id, caught.value.round, caught.value.state) == (LINEAGE, 1, RoundState.NONE)
        assert caught.value.what
        assert caught.value.hint
        assert "\n" not in str(caught.value)

    def test_a_stranger_is_no_site_and_no_aggregator(self, world: World) -> None:
        network = set_up(world)
        stranger = world.fresh_ledger()
        with pytest.raises(reverts.NotASiteError) as site_error:
            stranger.send(consent_call(digest("root"), world.now() + DAY))
        with pytest.raises(reverts.NotAnAggregatorError):
            stranger.send(network.open_call())
        assert site_error.value.account == stranger.account

    def test_a_round_runs_to_a_new_head_and_the_next_round_opens_on_it(self, world: World) -> None:
        network = set_up(world)
        network.closed_round()
        receipt = network.aggregators[0].ledger.send(attest_call())
        finalized = receipt.events[-1].event
        assert isinstance(finalized, events.RoundFinalized)
        with pytest.raises(reverts.ParentNotHeadError):
            network.open_round(2)
        network.open_round(2, parent_digest=finalized.model_digest)

    def test_a_withdrawal_stops_the_sites_registration_at_once(self, world: World) -> None:
        network = set_up(world)
        network.open_round()
        site = network.sites[0]
        site.ledger.send(WithdrawConsents())
        with pytest.raises(reverts.ConsentNotInForceError) as caught:
            site.ledger.send(register_call(site.name))
        assert (caught.value.version, caught.value.min_version) == (1, 2)
        site.ledger.send(consent_call(digest("without that patient"), world.now() + DAY))
        site.ledger.send(register_call(site.name, consent_version=2))

    def test_an_expired_consent_root_is_not_in_force(self, world: World) -> None:
        network = set_up(world)
        site = network.sites[0]
        site.ledger.send(consent_call(digest("short"), world.now() + 600))
        network.open_round()
        world.advance(1_200)
        with pytest.raises(reverts.ConsentNotInForceError):
            site.ledger.send(register_call(site.name, consent_version=2))
        site.ledger.send(register_call(site.name, consent_version=1))

    def test_the_deadline_closes_a_round_without_a_transaction(self, world: World) -> None:
        network = set_up(world)
        network.open_round()
        world.advance(ROUND_SECONDS)
        with pytest.raises(reverts.RoundNotOpenError) as caught:
            network.sites[0].ledger.send(register_call("site-0"))
        assert caught.value.state is RoundState.CLOSED

    def test_a_revoked_update_cannot_be_accepted(self, world: World) -> None:
        network = set_up(world, sites=4)
        network.open_round()
        for site in network.sites[:3]:
            site.ledger.send(register_call(site.name))
        network.sites[1].ledger.send(RevokeUpdate(LINEAGE, 1))
        network.sites[3].ledger.send(register_call("site-3"))
        aggregator = network.aggregators[0].ledger
        with pytest.raises(reverts.AcceptedButRevokedError) as caught:
            aggregator.send(attest_call(codes=b"\0\0\0\0"))
        assert caught.value.indices == 0b10
        aggregator.send(attest_call(codes=b"\0\1\0\0"))

    def test_two_of_three_votes_for_one_result_finalise(self, world: World) -> None:
        network = set_up(world, aggregators=3, threshold=2)
        network.closed_round()
        first, second, third = (party.ledger for party in network.aggregators)
        assert len(first.send(attest_call()).events) == 1
        other = attest_call(model_digest=digest("another model"))
        assert len(second.send(other).events) == 1
        with pytest.raises(reverts.AlreadyAttestedError):
            first.send(other)
        assert isinstance(third.send(attest_call()).events[-1].event, events.RoundFinalized)

    def test_a_set_chosen_later_does_not_attest_an_open_round(self, world: World) -> None:
        network = set_up(world)
        network.open_round()
        newcomer = admit_aggregator(world, "newcomer")
        world.governor.send(SetAggregators((newcomer.aggregator_id,), 1))
        network.register_all()
        with pytest.raises(reverts.AggregatorNotInSetError):
            newcomer.ledger.send(attest_call())
        network.aggregators[0].ledger.send(attest_call())

    def test_anyone_aborts_after_attest_by_and_the_head_stays(self, world: World) -> None:
        network = set_up(world)
        opened = network.closed_round()
        stranger = world.fresh_ledger()
        with pytest.raises(reverts.AttestationStillDueError) as caught:
            stranger.send(AbortRound(LINEAGE, 1))
        assert caught.value.attest_by == opened.attest_by
        world.advance(opened.attest_by - world.now())
        stranger.send(AbortRound(LINEAGE, 1))
        network.open_round(2, parent_digest=GENESIS)

    def test_a_suspended_site_can_withdraw_and_leave_but_not_register(self, world: World) -> None:
        network = set_up(world)
        network.open_round()
        site = network.sites[0]
        world.governor.send(SuspendSite(site.site_id))
        with pytest.raises(reverts.SiteNotActiveError) as caught:
            site.ledger.send(register_call(site.name))
        assert caught.value.status is SiteStatus.SUSPENDED
        site.ledger.send(WithdrawConsents())
        site.ledger.send(LeaveNetwork())

    def test_digests_registered_first_by_another_site_keep_nobody_out(self, world: World) -> None:
        network = set_up(world)
        network.open_round()
        honest = register_call("site-1")
        network.sites[0].ledger.send(honest)
        network.sites[1].ledger.send(honest)

    def test_a_reader_has_no_account_and_cannot_send(self, world: World) -> None:
        reader = self.reader(world)
        assert reader.account is None
        assert reader.identity == world.governor.identity
        with pytest.raises(LedgerError):
            reader.send(LeaveNetwork())

    def test_a_chain_that_grows_stays_the_deployments(self, world: World) -> None:
        world.advance(10)
        self.reader(world).check_chain()

    def test_funds_arrive(self, world: World) -> None:
        account = AccountAddress(b"\x42" * 20)
        before = world.governor.balance_wei(account)
        world.governor.transfer(account, 5)  # type: ignore[attr-defined]
        assert world.governor.balance_wei(account) == before + 5
