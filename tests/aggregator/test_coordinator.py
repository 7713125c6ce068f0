"""aggregator/coordinator.py, daemon.repeat and status: one lineage's trouble is its own; waiting; what is shown."""

from __future__ import annotations

from pathlib import Path

from structlog.testing import capture_logs

from aggregator.round_files import RoundFiles
from aggregator.settings import LineageSettings
from aggregator.status import AwaitedUpdate, status_of
from gateways.data_folder import DataFolder
from gateways.journal import Journal
from protocol import ledger_calls as calls
from protocol import ledger_events as ev
from protocol.identifiers import digest_of, lineage_id_of
from protocol.parameters import parameters_digest
from protocol.plan import PLAN_SCHEMA
from tests.aggregator.network import Member, Network


def with_lineage(network: Network, member: Member, slug: str, model: bytes) -> None:
    """A second lineage, on chain and in the member's settings, before the first one in order."""
    network.governor.send(
        calls.CreateLineage(
            lineage_id=lineage_id_of(slug),
            genesis_round=0,
            model_digest=parameters_digest(model),
            model_cid=network.put(model),
            backbone_digest=digest_of("test-backbone"),
            plan_schema=PLAN_SCHEMA,
        )
    )
    first = LineageSettings.model_validate(network.lineage | {"slug": slug})
    member.settings = member.settings.model_copy(update={"lineages": (first, *member.settings.lineages)})


def test_a_lineage_whose_genesis_is_no_model_does_not_stop_the_others(tmp_path: Path) -> None:
    network = Network(tmp_path, max_rounds=1)
    member = network.members[0]
    with_lineage(network, member, "broken", b"no model")
    member.start()
    with capture_logs() as logs:
        member.settle()
    assert [entry["lineage"] for entry in logs if entry["event"] == "lineage.rests"][:1] == ["broken"]
    assert network.live.opened.round == 1


def test_two_lineages_run_side_by_side(tmp_path: Path) -> None:
    network = Network(tmp_path, max_rounds=1)
    member = network.members[0]
    with_lineage(network, member, "second", network.model)
    member.start()
    member.settle()
    assert network.history.lineages[lineage_id_of("second")].live_round() is not None
    assert network.live is not None


def test_a_transaction_that_the_contract_refuses_is_tried_again_after_a_rest(tmp_path: Path) -> None:
    network = Network(tmp_path, aggregators=2, max_rounds=1)
    member = network.members[0]
    network.governor.send(calls.SetAggregators((network.members[1].settings.aggregator_id,), 1))
    member.start()
    member.settle()
    assert not network.history.round_keys
    network.governor.send(calls.SetAggregators((member.settings.aggregator_id,), 1))
    member.settle()
    assert network.live.opened.round == 1


def test_a_process_with_another_account_than_the_chain_names_does_nothing(tmp_path: Path) -> None:
    network = Network(tmp_path)
    member = network.members[0]
    member.ledger = network.world.ledger(network.world.fresh_account())
    member.start()
    with capture_logs() as logs:
        member.settle()
    assert not network.history.round_keys
    assert any("signs as" in entry.get("why", "") for entry in logs)


def test_while_ipfs_is_away_nothing_is_lost(tmp_path: Path) -> None:
    network = Network(tmp_path, max_rounds=1)
    member = network.members[0]
    member.start()
    member.settle()
    network.register_all()
    member.store.is_down = True
    for _ in range(3):
        member.clock.seconds += 100
        member.coordinator.step()
    member.store.is_down = False
    member.settle()
    assert isinstance(network.round(1).outcome, ev.RoundFinalized)


def test_status_names_the_site_that_everybody_waits_for(tmp_path: Path) -> None:
    network = Network(tmp_path, sites=12, max_rounds=1)
    member = network.members[0]
    member.start()
    member.settle()
    view, plan = network.live, network.plan()
    # The copies of the eleventh and twelfth begin with the second's number.
    network.sites[0].register(plan, view)
    silent = network.sites[1]
    silent.register(plan, view, deliver=False)
    for site in network.sites[2:]:
        site.register(plan, view)
    member.settle()

    def awaited() -> tuple[AwaitedUpdate, ...]:
        journal = Journal(DataFolder(member.folder) / "journal.sqlite")
        head, files = network.governor.head(), RoundFiles(DataFolder(member.folder))
        found = status_of(member.settings, network.history, head, member.ledger, journal, files, member.store)
        return found.lineages[0].rounds[0].awaited

    (update,) = awaited()
    closed_at = network.round(1).registrations[-1].position.timestamp
    assert (update.index, update.site_id, update.given_up_at) == (1, str(silent.site_id), closed_at + 480)
    assert "ask the site" in update.hint
    network.governor.send(calls.SuspendSite(silent.site_id))
    assert "suspended by the governor" in awaited()[0].hint
    network.world.advance(500)
    member.settle()
    assert awaited() == ()


def test_status_tells_heads_rounds_verdicts_in_words_and_pins(tmp_path: Path) -> None:
    network = Network(tmp_path, sites=4, max_rounds=1)
    member = network.members[0]
    member.start()
    member.settle()
    view, plan = network.live, network.plan()
    for site in network.sites[:3]:
        site.register(plan, view)
    network.sites[3].register(plan, view, envelope=lambda sealed: sealed[:-1])
    member.settle()
    parts = member.parts()

    def status() -> object:
        journal = Journal(DataFolder(member.folder) / "journal.sqlite")
        head = network.governor.head()
        return status_of(member.settings, network.history, head, member.ledger, journal, parts.files, member.store)

    found = status()
    lineage = found.lineages[0]
    assert (found.standing, lineage.head_round, lineage.waiting_for) == (
        "in the current aggregator set",
        1,
        "the stop rule: no round after 1",
    )
    assert lineage.rounds[0].state == "finalized"
    assert lineage.rounds[0].own_result == "agrees with the chain"
    assert [verdict.code for verdict in lineage.rounds[0].verdicts] == ["ACCEPTED"] * 3 + ["ENVELOPE_MALFORMED"]
    assert "update the node's software" in lineage.rounds[0].verdicts[3].sentence
    assert found.pins.missing == ()
    assert found.bytes_used > 0
    member.store.unpin(view.opened.plan_cid)
    assert status().pins.missing == (str(view.opened.plan_cid),)
