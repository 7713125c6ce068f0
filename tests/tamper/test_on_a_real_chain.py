"""A part of the catalogue on a real contract and real IPFS, by the aggregator's own process."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import update
from typer.testing import CliRunner

from audit.index.database import open_database
from audit.index.tables import EventRow
from audit.pieces import FetchLimits
from audit.proofs.checking import check_proof
from audit.proofs.checkpoint import checkpoint_at
from audit.proofs.proving import prove_events
from audit.replay import ReplayOptions, replay
from gateways.ledger.block_reader import BlockReader
from gateways.ledger.rpc import RPCEndpoint
from protocol import ledger_calls as calls
from protocol import ledger_events as ev
from protocol.deployment import encode_deployment
from protocol.errors import AuditError, MalformedError
from protocol.identifiers import CID, AccountAddress, digest_of, site_id_of
from tests.aggregator.network import Network
from tests.audit.auditor_app import app
from tests.fixtures_chain import ContractWorld
from tests.fixtures_ipfs import IPFSSwarm
from tests.tamper.detecting import Found, lines_of

pytestmark = [pytest.mark.slow, pytest.mark.chain, pytest.mark.ipfs]
LIMITS = FetchLimits(timeout_seconds=3.0)
Events = list[ev.LocatedEvent]


def place(events: Events, kind: type) -> int:
    return next(place for place, entry in enumerate(events) if isinstance(entry.event, kind))


def changed(kind: type, **fields: object) -> Callable[[Events], Events]:
    def apply(events: Events) -> Events:
        at = place(events, kind)
        entry = dataclasses.replace(events[at], event=dataclasses.replace(events[at].event, **fields))
        return [*events[:at], entry, *events[at + 1 :]]

    return apply


def without(kind: type) -> Callable[[Events], Events]:
    def apply(events: Events) -> Events:
        at = place(events, kind)
        return [*events[:at], *events[at + 1 :]]

    return apply


LIES = {
    "another parent": (changed(ev.RoundOpened, parent_digest=digest_of("test-other")), "not the lineage's head"),
    "another weight": (changed(ev.UpdateRegistered, weight=9), "61 manifest mismatch"),
    "another vote": (changed(ev.ResultAttested, result_digest=digest_of("test-other")), "voted for another result"),
    "another model": (changed(ev.RoundFinalized, model_digest=digest_of("test-other")), "voted for another result"),
    "a CID that nobody has": (
        changed(ev.UpdateRegistered, envelope_cid=CID(bytes(digest_of("test-nothing")))),
        "was not delivered in time",
    ),
    "a result held back": (without(ev.RoundFinalized), "its result is not there"),
    "an opening held back": (without(ev.RoundOpened), "logs are missing"),
    "the beginning held back": (without(ev.GovernorChanged), "logs are missing"),
}


@pytest.fixture
def network(contract: ContractWorld, ipfs_swarm: IPFSSwarm, tmp_path: Path) -> Network:
    """One finished round of four sites."""
    network = Network(tmp_path, world=contract, make_store=lambda: ipfs_swarm.there_store, sites=4, max_rounds=1)
    member = network.members[0]
    member.start()
    member.settle()
    network.register_all()
    member.settle()
    return network


def told_by(network: Network) -> Events:
    ledger = network.governor
    return list(ledger.events(ledger.identity.deployment_block_number, ledger.head().number))


def found_in(network: Network, events: Events) -> list[Found]:
    options = ReplayOptions(keys=[network.auditor_key], limits=LIMITS)
    try:
        return list(lines_of(replay(network.governor.identity, events, [network.store], options)))
    except MalformedError as error:
        return [Found("", "refused", str(error))]


def test_lies_about_a_real_chain_are_named_and_the_truth_is_not(network: Network) -> None:
    events = told_by(network)
    assert found_in(network, events) == []
    for name, (lie, words) in LIES.items():
        found = found_in(network, lie(events))
        assert any(words in one.sentence for one in found), (name, found)


def test_a_rewritten_chain_does_not_lead_to_a_kept_checkpoint(network: Network, contract: ContractWorld) -> None:
    reader = BlockReader(RPCEndpoint(contract.chain.url, timeout_seconds=30))
    before = contract.chain.rpc("evm_snapshot")
    network.sites[0].ledger.send(calls.WithdrawConsents())
    withdrawn = told_by(network)[-1]
    assert isinstance(withdrawn.event, ev.ConsentWithdrawn)
    kept = checkpoint_at(network.governor, None)
    assert check_proof(prove_events([withdrawn], kept, reader), kept)[0].event == withdrawn.event
    assert contract.chain.rpc("evm_revert", before)
    # The operator lets the withdrawal never have been, and somebody else's event stand in its block.
    admitted = AccountAddress(b"\x0d" * 20)
    network.governor.send(calls.AdmitSite(site_id_of("new"), admitted, digest_of("test-key")))
    rewritten = checkpoint_at(network.governor, kept.number)
    assert rewritten.number == kept.number
    proof = prove_events([told_by(network)[-1]], rewritten, reader)
    with pytest.raises(AuditError, match="at the step checkpoint"):
        check_proof(proof, kept)


def test_the_command_names_an_index_that_somebody_changed(
    network: Network, contract: ContractWorld, tmp_path: Path
) -> None:
    del network
    deployment, index = tmp_path / "deployment.json", tmp_path / "trail.sqlite"
    deployment.write_bytes(encode_deployment(contract.deployment))
    where = ["--deployment", str(deployment), "--rpc", contract.chain.url, "--index", str(index)]
    assert CliRunner().invoke(app, ["trail", *where, "--json"]).exit_code == 0
    told = CliRunner().invoke(app, ["check-index", *where])
    assert told.exit_code == 0
    assert "the index holds the chain's" in told.output
    engine = open_database(str(index))
    with engine.begin() as connection:
        connection.execute(update(EventRow).where(EventRow.kind == "update-registered").values(site_id=None))
    engine.dispose()
    told = CliRunner().invoke(app, ["check-index", *where])
    assert isinstance(told.exception, AuditError)
    assert "has another site id" in str(told.exception)
