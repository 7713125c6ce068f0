"""aggregator/: whole rounds on a fake chain and a fake IPFS."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocol import ledger_calls as calls
from protocol import ledger_events as ev
from protocol.errors import LedgerError
from protocol.parameters import parameters_digest, parse_parameters
from protocol.result import parse_verdicts
from protocol.update import encode_delta
from protocol.verdicts import VerdictCode
from tests.aggregator.network import LINEAGE, Network
from tests.protocol.values import SMALL_TENSORS, random_delta, random_parameters


def test_a_round_goes_from_announcement_to_a_finalised_model(tmp_path: Path) -> None:
    network = Network(tmp_path, max_rounds=1)
    member = network.members[0]
    member.start()
    member.settle()
    assert network.live.selected_count == 3
    network.register_all()
    member.settle()

    outcome = network.round(1).outcome
    assert isinstance(outcome, ev.RoundFinalized)
    assert outcome.codes == bytes(3)
    model = network.content(outcome.model_cid)
    assert parameters_digest(model) == outcome.model_digest
    parent = random_parameters(SMALL_TENSORS, seed=1)
    deltas = [random_delta(SMALL_TENSORS, seed=100 + number) for number in range(3)]
    for name, values in parse_parameters(model).items():
        mean = sum(delta[name] for delta in deltas) / 3
        assert abs(values - (parent[name] + mean)).max() < 2**-19


def test_verdicts_models_plans_and_envelopes_are_pinned_before_the_vote(tmp_path: Path) -> None:
    network = Network(tmp_path, max_rounds=1)
    member = network.members[0]
    member.start()
    member.settle()
    network.register_all()
    member.settle()
    view = network.round(1)
    outcome = view.outcome
    assert isinstance(outcome, ev.RoundFinalized)
    wanted = {view.opened.plan_cid, view.opened.plan_cid, outcome.model_cid, outcome.verdicts_cid}
    wanted |= {registration.event.envelope_cid for registration in view.registrations}
    assert wanted <= member.store.pins
    round_id, verdicts = parse_verdicts(network.content(outcome.verdicts_cid))
    assert round_id == view.round_id
    assert [verdict.site_id for verdict in verdicts] == [site.site_id for site in network.sites]


def test_three_rounds_follow_each_other_and_the_stop_rule_ends_them(tmp_path: Path) -> None:
    network = Network(tmp_path, max_rounds=3)
    member = network.members[0]
    member.start()
    for number in (1, 2, 3):
        member.settle()
        assert network.live.opened.round == number
        network.register_all()
    member.settle()
    lineage = network.history.lineages[network.lineage_id]
    assert (lineage.head_round, lineage.last_round, lineage.live_round()) == (3, 3, None)
    assert (member.ledger.account, 4) not in {
        (network.history.aggregators[agg].account, round_id.number) for agg, round_id in network.history.round_keys
    }


def test_each_round_has_a_key_of_its_own_and_the_auditor_is_a_recipient(tmp_path: Path) -> None:
    network = Network(tmp_path)
    member = network.members[0]
    member.start()
    member.settle()
    first = network.plan()
    network.register_all()
    member.settle()
    second = network.plan()
    assert first.round + 1 == second.round
    assert first.recipients[0].public_key != second.recipients[0].public_key
    assert [recipient.role for recipient in first.recipients] == ["aggregator", "auditor"]
    assert first.recipients[1].public_key == network.auditor_key.public_key()


def test_no_update_in_clear_is_ever_on_disk(tmp_path: Path) -> None:
    network = Network(tmp_path, max_rounds=1)
    member = network.members[0]
    member.start()
    member.settle()
    network.register_all()
    member.settle()
    plan = network.plan(network.round(1))
    for number in range(3):
        body = encode_delta(random_delta(SMALL_TENSORS, seed=100 + number), plan)
        needle = body[-60:]
        assert all(needle not in path.read_bytes() for path in member.folder.rglob("*") if path.is_file())


def test_without_an_auditor_key_no_round_opens_unless_the_settings_say_so(tmp_path: Path) -> None:
    (tmp_path / "strict").mkdir()
    network = Network(tmp_path / "strict", auditor=False)
    network.members[0].start()
    network.members[0].settle()
    assert not network.history.lineages[network.lineage_id].rounds

    (tmp_path / "lax").mkdir()
    network = Network(tmp_path / "lax", auditor=False, settings={"require_auditor_key": False})
    network.members[0].start()
    network.members[0].settle()
    assert [recipient.role for recipient in network.plan().recipients] == ["aggregator"]


def test_a_round_waits_for_enough_sites_with_a_consent_root_in_force(tmp_path: Path) -> None:
    network = Network(tmp_path, sites=4, min_sites=4)
    member = network.members[0]
    network.sites[3].ledger.send(calls.WithdrawConsents())
    member.start()
    member.settle()
    assert not network.history.lineages[network.lineage_id].rounds
    network.sites[3].consent_version = 2
    network.sites[3].publish_consent(network.world.now())
    member.settle()
    assert network.live.selected_count == 4


def test_a_suspended_site_and_one_whose_consent_expired_are_not_selected(tmp_path: Path) -> None:
    network = Network(tmp_path, sites=5)
    network.governor.send(calls.SuspendSite(network.sites[0].site_id))
    network.sites[1].consent_version = 2
    network.sites[1].publish_consent(network.world.now(), seconds=50)
    network.world.advance(60)
    network.members[0].start()
    network.members[0].settle()
    assert network.live.opened.selected == (0b11100,)


def test_at_the_deadline_the_round_goes_on_with_those_who_registered(tmp_path: Path) -> None:
    network = Network(tmp_path, sites=4, max_rounds=1)
    member = network.members[0]
    member.start()
    member.settle()
    view, plan = network.live, network.plan()
    for site in network.sites[:3]:
        site.register(plan, view)
    member.settle()
    assert network.round(1).outcome is None
    network.world.advance(1000)
    member.settle()
    assert isinstance(network.round(1).outcome, ev.RoundFinalized)


def test_too_few_accepted_updates_fail_the_round_with_their_codes_on_chain(tmp_path: Path) -> None:
    network = Network(tmp_path, sites=3, max_rounds=1)
    member = network.members[0]
    member.start()
    member.settle()
    view, plan = network.live, network.plan()
    network.sites[0].register(plan, view)
    network.sites[1].register(plan, view)
    network.sites[2].register(plan, view, envelope=lambda sealed: sealed[:-1])
    member.settle()
    outcome = network.round(1).outcome
    assert isinstance(outcome, ev.RoundFailed)
    assert outcome.codes == bytes([0, 0, VerdictCode.ENVELOPE_MALFORMED])
    assert network.history.lineages[network.lineage_id].head_round == 0


def test_a_round_that_nobody_joined_fails_at_the_deadline(tmp_path: Path) -> None:
    network = Network(tmp_path, max_rounds=1)
    member = network.members[0]
    member.start()
    member.settle()
    network.world.advance(1000)
    member.settle()
    assert isinstance(network.round(1).outcome, ev.RoundFailed)


def test_a_revoked_update_is_neither_fetched_nor_summed(tmp_path: Path) -> None:
    network = Network(tmp_path, sites=4, max_rounds=1)
    member = network.members[0]
    member.start()
    member.settle()
    view, plan = network.live, network.plan()
    network.sites[0].register(plan, view, deliver=False)
    network.sites[0].ledger.send(calls.RevokeUpdate(plan.lineage_id, 1))
    for site in network.sites[1:]:
        site.register(plan, view)
    member.settle()
    outcome = network.round(1).outcome
    assert isinstance(outcome, ev.RoundFinalized)
    assert outcome.codes == bytes([VerdictCode.REVOKED, 0, 0, 0])


def test_an_expired_round_without_an_outcome_is_aborted_and_the_next_one_opens(tmp_path: Path) -> None:
    network = Network(tmp_path)
    member = network.members[0]
    member.start()
    member.settle()
    network.world.advance(1600)
    member.settle()
    assert isinstance(network.round(1).outcome, ev.RoundAborted)
    assert network.live.opened.round == 2


def test_after_the_appeal_window_key_and_copies_are_gone_and_the_pins_stay(tmp_path: Path) -> None:
    network = Network(tmp_path, max_rounds=1)
    member = network.members[0]
    member.start()
    member.settle()
    network.register_all()
    member.settle()
    copies = member.folder / "envelopes" / LINEAGE / "1"
    assert len(list(copies.iterdir())) == 3
    assert f"round-key/{LINEAGE}/1" in member.secrets.names()
    network.world.advance(499)
    member.settle()
    assert copies.exists()
    network.world.advance(2)
    member.settle()
    assert not copies.exists()
    assert not member.secrets.names()
    assert {r.event.envelope_cid for r in network.round(1).registrations} <= member.store.pins


def test_a_sealed_suite_gets_no_further_round(tmp_path: Path) -> None:
    network = Network(tmp_path)
    network.governor.send(calls.SealSuite(5, network.world.fresh_account()))
    network.members[0].start()
    network.members[0].settle()
    assert not network.history.round_keys
    assert not network.history.lineages[network.lineage_id].rounds


def test_models_before_the_head_leave_the_disk_and_stay_pinned(tmp_path: Path) -> None:
    network = Network(tmp_path, max_rounds=3)
    member = network.members[0]
    member.start()
    for _ in range(3):
        member.settle()
        network.register_all()
    member.settle()
    network.world.advance(501)
    member.settle()
    cids = [network.round(number).outcome.model_cid for number in (1, 2, 3)]  # type: ignore[union-attr]
    assert [path.name for path in (member.folder / "models").iterdir()] == [str(cids[2])]
    assert set(cids) <= member.store.pins


def test_an_account_without_funds_waits_for_them(tmp_path: Path) -> None:
    network = Network(tmp_path)
    member = network.members[0]
    send = member.ledger.send

    def broke(_call: object) -> None:
        raise LedgerError("the account cannot pay")

    member.ledger.send = broke
    member.start()
    member.settle()
    member.ledger.send = send
    member.settle()
    member.settle()
    assert network.live.opened.round == 1


@pytest.mark.parametrize("weighting", ["equal", "num_examples"])
def test_weights_follow_the_plan(tmp_path: Path, weighting: str) -> None:
    network = Network(tmp_path, max_rounds=1, weighting=weighting)
    member = network.members[0]
    member.start()
    member.settle()
    view, plan = network.live, network.plan()
    for site, examples in zip(network.sites, (10, 120, 100_000), strict=True):
        site.register(plan, view, num_examples=examples)
    member.settle()
    assert isinstance(network.round(1).outcome, ev.RoundFinalized)
    weights = [registration.event.weight for registration in network.round(1).registrations]
    assert weights == ([1, 1, 1] if weighting == "equal" else [1, 3, 4])
