"""The fold over event logs, and step 11 of docs/spec/verification.md."""

from __future__ import annotations

import dataclasses
import typing

import pytest

from protocol import ledger_events as ev
from protocol.errors import MalformedError, VerificationError
from protocol.history import History
from protocol.identifiers import AccountAddress, Digest, LineageId, RoundId, digest_of
from protocol.round import RoundState
from protocol.verdicts import VerdictCode
from tests.protocol.builders import Network, account_of


def consent_code(network: Network, registration) -> VerdictCode | None:
    try:
        network.history.check_consent(registration, network.view)
    except VerificationError as error:
        return error.code
    return None


def test_the_same_events_give_the_same_history_at_once_or_one_by_one(network):
    network.register_all()
    step_by_step = History()
    for event in network.events:
        step_by_step.apply(event)
    at_once = network.history
    assert step_by_step.sites == at_once.sites
    assert step_by_step.lineages == at_once.lineages
    assert step_by_step.consents == at_once.consents
    assert step_by_step.position == at_once.position == network.events[-1].position


def test_every_kind_of_event_is_understood(network):
    """A new event that the fold does not know would stop every daemon."""
    network.register_all()
    network.revoke(network.sites[0])
    network.withdraw(network.sites[1])
    site = network.sites[0]
    network.emit(ev.SiteAccountRotated(site.site_id, site.account, account_of("new"), digest_of("test-key")))
    network.emit(ev.SiteSuspended(network.sites[1].site_id))
    network.emit(ev.SiteReinstated(network.sites[1].site_id))
    network.emit(ev.SiteLeft(network.sites[2].site_id))
    network.emit(ev.AuditorKeyUsed(1, network.lineage_id, 1, 1))
    network.conclude()
    network.plan_changes = {"min_accepted": 3}
    network.open_round()
    network.conclude()
    network.open_round()
    network.emit(ev.RoundAborted(network.lineage_id, network.round, account_of("anyone")))
    network.emit(ev.SuiteSealed(1, account_of("successor")))
    assert {type(located.event) for located in network.events} == set(typing.get_args(ev.LedgerEvent))
    history = network.history
    assert history.site_of[account_of("new")] == site.site_id
    assert site.account not in history.site_of
    assert not history.sites[network.sites[2].site_id].active
    assert history.sealed is not None


def test_an_event_out_of_order_is_malformed(network):
    history = network.history
    for located in (network.events[-1], network.events[0]):
        with pytest.raises(MalformedError, match="order"):
            history.apply(located)


def test_missing_logs_are_noticed(network):
    network.register_all()
    network.revoke(network.sites[0])
    for gone in (ev.LineageCreated, ev.RoundOpened):
        with pytest.raises(MalformedError, match="missing"):
            History(located for located in network.events if not isinstance(located.event, gone))


def test_a_missing_registration_is_noticed_by_the_next(network):
    registrations = network.register_all()
    with pytest.raises(MalformedError, match="missing"):
        History(located for located in network.events if located.event != registrations[1].event)


def test_a_round_that_the_chain_does_not_know_is_a_key_error(network):
    with pytest.raises(KeyError):
        network.history.round(RoundId(network.lineage_id, 9))
    with pytest.raises(KeyError):
        network.history.round(RoundId(LineageId.zero(), 1))


def test_the_head_moves_with_a_finalised_round_only(network):
    genesis = network.history.lineages[network.lineage_id].head_digest
    network.register_all()
    result = network.conclude()
    lineage = network.history.lineages[network.lineage_id]
    assert (lineage.head_digest, lineage.head_cid, lineage.head_round) == (result.model_digest, result.model_cid, 1)
    assert lineage.head_digest != genesis
    network.open_round()
    network.register(network.sites[0])
    network.conclude()
    after = network.history.lineages[network.lineage_id]
    assert (after.head_round, after.last_round, after.live_round()) == (1, 2, None)
    assert after.head_digest == lineage.head_digest
    assert after.rounds[2].state(network.now) is RoundState.FAILED


def test_a_round_closes_at_its_deadline(network):
    opened = network.view.opened
    assert network.view.state(opened.deadline - 1) is RoundState.OPEN
    assert network.view.state(opened.deadline) is RoundState.CLOSED


def test_a_round_closes_when_all_selected_have_registered(network):
    network.register_all()
    assert network.view.full
    assert network.view.state(network.now) is RoundState.CLOSED


def test_a_revoked_update_still_counts_as_registered(network):
    for site in network.sites[:-1]:
        network.register(site)
    network.revoke(network.sites[0])
    assert not network.view.full
    network.register(network.sites[-1])
    assert network.view.full


def test_selection_is_by_ordinal():
    network = Network()
    network.open_round(selected=network.sites[1:])
    history = network.history
    selected = [network.view.selects(history.sites[site.site_id]) for site in network.sites]
    assert selected == [False, True, True, True]
    far = dataclasses.replace(history.sites[network.sites[0].site_id], ordinal=300)
    assert not network.view.selects(far)


class TestConsent:
    def test_in_force_gives_the_root(self, network):
        registration = network.register(network.sites[0])
        root = network.history.check_consent(registration, network.view)
        assert root == network.consent_roots[network.sites[0].site_id, 1]

    def test_an_older_version_stays_in_force_after_a_grant(self, network):
        network.publish_consent(network.sites[0])
        assert consent_code(network, network.register(network.sites[0], consent_version=1)) is None

    def test_a_version_that_was_never_published_is_not_in_force(self, network):
        for site, version in zip(network.sites, (0, 2, 9), strict=False):
            registration = network.register(site, consent_version=version)
            assert consent_code(network, registration) is VerdictCode.CONSENT_NOT_IN_FORCE

    def test_a_version_published_after_the_registration_is_not_in_force(self, network):
        registration = network.register(network.sites[0], consent_version=2)
        network.publish_consent(network.sites[0])
        assert consent_code(network, registration) is VerdictCode.CONSENT_NOT_IN_FORCE

    def test_expiry_is_inclusive_as_in_the_contract(self, network):
        until = network.now + 100
        for site in network.sites[:2]:
            network.publish_consent(site, valid_until=until)
        assert consent_code(network, network.register(network.sites[0], at=until)) is None
        late = network.register(network.sites[1], at=until + 1)
        assert consent_code(network, late) is VerdictCode.CONSENT_NOT_IN_FORCE

    def test_a_withdrawal_before_the_registration_voids_the_version(self, network):
        network.withdraw(network.sites[0])
        registration = network.register(network.sites[0], consent_version=1)
        assert consent_code(network, registration) is VerdictCode.CONSENT_NOT_IN_FORCE

    def test_a_new_version_after_a_withdrawal_is_in_force(self, network):
        network.withdraw(network.sites[0])
        network.publish_consent(network.sites[0])
        assert consent_code(network, network.register(network.sites[0])) is None

    def test_a_withdrawal_before_close_takes_the_update_out(self, network):
        registration = network.register(network.sites[0])
        network.withdraw(network.sites[0])
        assert consent_code(network, registration) is VerdictCode.CONSENT_WITHDRAWN

    def test_a_withdrawal_at_the_deadline_is_after_close(self, network):
        registration = network.register(network.sites[0])
        network.now = network.view.opened.deadline - 1
        network.withdraw(network.sites[0])
        assert network.now == network.view.opened.deadline
        assert consent_code(network, registration) is None

    def test_a_withdrawal_after_the_last_registration_is_after_close(self, network):
        registrations = network.register_all()
        network.withdraw(network.sites[0])
        assert consent_code(network, registrations[0]) is None

    def test_a_withdrawal_of_another_site_changes_nothing(self, network):
        registration = network.register(network.sites[0])
        network.withdraw(network.sites[1])
        assert consent_code(network, registration) is None

    def test_a_site_without_any_consent_is_not_in_force(self, network):
        registration = network.register(network.sites[0])
        stranger = dataclasses.replace(registration.event, site_id=type(registration.event.site_id)(b"\x09" * 32))
        moved = dataclasses.replace(registration, event=stranger)
        assert consent_code(network, moved) is VerdictCode.CONSENT_NOT_IN_FORCE


def test_membership_questions_have_answers(network):
    history = network.history
    assert history.aggregator_set.threshold == 1
    assert history.auditor_key.epoch == 1
    assert History().aggregator_set is None
    assert History().auditor_key is None
    assert network.view.registration_of(network.sites[0].site_id) is None
    assert network.view.round_id == network.round_id


def test_the_governor_is_the_newest(network):
    first, second = account_of("first"), account_of("second")
    network.emit(ev.GovernorChanged(AccountAddress.zero(), first))
    assert network.history.governor == first
    network.emit(ev.GovernorChanged(first, second))
    assert network.history.governor == second
    assert History().governor is None


def test_positions_are_ordered_by_block_then_log():
    blocks = [ev.Position(b, i, Digest.zero(), Digest.zero(), 0) for b, i in ((1, 5), (2, 0), (2, 1), (10, 0))]
    backwards = blocks[::-1]
    assert sorted(backwards) == blocks
