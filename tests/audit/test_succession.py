"""Deployments that go on from others: the links are followed back, and each event says whose it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from audit.connections import ChainOptions
from audit.succession import open_succession
from gateways.ledger.deploying import deploy, unlocked_accounts
from gateways.ledger.predecessors import find_predecessor
from gateways.ledger.signers import UnlockedAccount
from gateways.ledger.web3_ledger import Web3Ledger
from protocol import ledger_calls as calls
from protocol import ledger_events as ev
from protocol.deployment import Deployment, Predecessor, encode_deployment
from protocol.errors import ConfigError
from protocol.identifiers import AccountAddress, Digest, digest_of, lineage_id_of, site_id_of
from protocol.plan import PLAN_SCHEMA
from tests.aggregator.network import Network
from tests.audit.test_commands import Answer, command
from tests.fixtures_chain import ContractWorld

pytestmark = pytest.mark.chain


@dataclass
class Successors:
    """An old deployment with one final round, and a new one that goes on from its model."""

    old: Network
    contract: ContractWorld
    new: Deployment
    governor: Web3Ledger
    folder: Path

    @property
    def head(self) -> Digest:
        outcome = self.old.round(1).outcome
        assert isinstance(outcome, ev.RoundFinalized)
        return outcome.model_digest

    def run(self, name: str, *words: str, deployment: Deployment | None = None) -> Answer:
        path = self.folder / "deployment.json"
        path.write_bytes(encode_deployment(deployment or self.new))
        return command(name, "--deployment", str(path), "--rpc", self.contract.chain.url, "--name", "tests", *words)

    def file(self, deployment: Deployment) -> Path:
        path = self.folder / f"{deployment.contract_address}.json"
        path.write_bytes(encode_deployment(deployment))
        return path


def successor(contract: ContractWorld, before: Predecessor) -> Deployment:
    account = unlocked_accounts(contract.chain.url)[0]
    return deploy(
        contract.chain.url, UnlockedAccount(account), governor=contract.deployment.governor, predecessor=before
    )


@pytest.fixture
def network(contract: ContractWorld, tmp_path: Path) -> Successors:
    old = Network(tmp_path, world=contract, max_rounds=1)
    old.members[0].start()
    old.members[0].settle()
    old.register_all()
    old.members[0].settle()
    place = contract.deployment
    new = successor(contract, Predecessor(place.chain_id, place.contract_address))
    governor = Web3Ledger.connect(contract.chain.url, new, signer=UnlockedAccount(place.governor))
    made = Successors(old, contract, new, governor, tmp_path)
    outcome = old.round(1).outcome
    assert isinstance(outcome, ev.RoundFinalized)
    backbone = digest_of("test-backbone")
    governor.send(
        calls.CreateLineage(old.lineage_id, 1, outcome.model_digest, outcome.model_cid, backbone, PLAN_SCHEMA)
    )
    governor.send(calls.AdmitSite(site_id_of("late"), contract.fresh_account(), digest_of("test-key")))
    return made


def test_the_chain_itself_tells_where_the_deployment_before_is(network: Successors) -> None:
    assert find_predecessor(network.contract.chain.url, network.new) == network.contract.deployment
    assert find_predecessor(network.contract.chain.url, network.contract.deployment) is None


def test_the_trail_goes_on_into_the_older_deployment_and_says_whose_each_event_is(network: Successors) -> None:
    done = network.run("trail", "--json")
    assert done.code == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    old = str(network.contract.deployment.contract_address)
    assert [row["kind"] for row in rows if row["older_contract"] is None] == [
        "governor-changed",
        "lineage-created",
        "site-admitted",
    ]
    assert {row["older_contract"] for row in rows} == {None, old}
    assert [row["block_number"] for row in rows] == sorted(row["block_number"] for row in rows)
    assert f"goes on from contract {old}" in done.stderr
    table = network.run("trail", "--kind", "lineage-created").stdout
    assert f"older deployment, contract {old}" in table
    assert "this deployment" in table
    newest = network.run("trail", "--newest", "4", "--json").stdout.splitlines()
    assert [json.loads(line) for line in newest] == rows[-4:]


def test_a_site_of_the_older_deployment_is_known(network: Successors) -> None:
    done = network.run("trail", "--site", "site-1", "--kind", "update-registered", "--json")
    assert [json.loads(line)["round"] for line in done.stdout.splitlines()] == [1]
    assert network.run("trail", "--site", "nobody").code == ConfigError.exit_code


def test_an_export_names_the_older_contract(network: Successors) -> None:
    out = network.folder / "trail.csv"
    assert network.run("export", "--out", str(out)).code == 0
    cells = {line.rpartition(",")[2] for line in out.read_text(encoding="utf-8").splitlines()}
    assert cells == {"older contract", "", str(network.contract.deployment.contract_address)}


def test_show_tells_a_model_through_both_deployments(network: Successors) -> None:
    lines = network.run("show", "--model", str(network.head)).stdout.splitlines()
    assert "genesis: model" in lines[1]
    assert lines[2].startswith("In an older deployment, contract ")
    assert lines[3].endswith("was not sealed: its governor may still open rounds there")
    assert f"round 1: model {network.head} from " in lines[5]
    assert "genesis: model" in lines[6]


def test_show_finds_a_round_and_a_site_of_the_older_deployment(network: Successors) -> None:
    assert "Round 1 of tests was opened by aggregator" in network.run("show", "--round", "1").stdout
    assert "round 1 of tests: accepted" in network.run("show", "--site", "site-1").stdout
    assert "no update was registered" in network.run("show", "--site", "late").stdout
    for unknown in (["--round", "9"], ["--site", "nobody"], ["--model", "0x" + "ab" * 32]):
        assert network.run("show", *unknown).code == ConfigError.exit_code


def test_the_seal_of_the_older_deployment_is_read_from_its_side_too(network: Successors) -> None:
    network.contract.governor.send(calls.SealSuite(network.new.chain_id, network.new.contract_address))
    assert "was sealed for contract" in network.run("show", "--site", "site-1").stdout


@pytest.mark.slow
def test_a_seal_for_another_successor_is_said(network: Successors) -> None:
    network.contract.governor.send(calls.SealSuite(network.new.chain_id, AccountAddress(b"\x07" * 20)))
    assert "was sealed for ANOTHER successor, contract 0x0707" in network.run("show", "--site", "site-1").stdout


@pytest.mark.slow
def test_a_genesis_that_the_older_deployment_does_not_know_is_said(network: Successors) -> None:
    stranger = digest_of("test-model")
    cid = network.old.put(b"stranger")
    created = calls.CreateLineage(lineage_id_of("stranger"), 1, stranger, cid, digest_of("test-backbone"), PLAN_SCHEMA)
    network.governor.send(created)
    assert "nothing there vouches for that genesis" in network.run("show", "--model", str(stranger)).stdout


@pytest.mark.slow
def test_links_are_followed_over_several_deployments_with_files_and_without(network: Successors) -> None:
    third = successor(network.contract, Predecessor(network.new.chain_id, network.new.contract_address))
    chain = ChainOptions(network.file(third), network.contract.chain.url)
    found = open_succession(chain)
    told = [chapter.deployment for chapter in found.chapters]
    assert told == [third, network.new, network.contract.deployment]
    assert found.unopened is None
    given = open_succession(chain, [network.file(network.contract.deployment), network.file(network.new)])
    assert [chapter.deployment for chapter in given.chapters] == told


def test_a_deployment_that_cannot_be_found_is_named_and_the_rest_is_told(network: Successors) -> None:
    elsewhere = successor(network.contract, Predecessor(5, AccountAddress(b"\x09" * 20)))
    done = network.run("trail", "--json", deployment=elsewhere)
    assert done.code == 0, done.stderr
    assert "goes on from contract 0x0909" in done.stderr
    assert "give its file with --predecessor-deployment" in done.stderr
    assert len(done.stdout.splitlines()) == 1


def test_a_file_of_no_predecessor_is_refused(network: Successors) -> None:
    path = network.file(successor(network.contract, Predecessor(5, AccountAddress(b"\x09" * 20))))
    done = network.run("trail", "--predecessor-deployment", str(path))
    assert (done.code, "is no predecessor of this deployment" in done.stderr) == (2, True)


@pytest.mark.slow
def test_a_predecessor_on_another_chain_needs_that_chains_endpoint(network: Successors) -> None:
    far = Predecessor(5, network.new.contract_address)
    newest = successor(network.contract, far)
    file = network.folder / "far.json"
    file.write_bytes(encode_deployment(network.new).replace(b'"chain_id":31337,"comp', b'"chain_id":5,"comp'))
    done = network.run("trail", "--predecessor-deployment", str(file), deployment=newest)
    assert (done.code, "--predecessor-rpc" in done.stderr) == (2, True)
    options = ["--predecessor-deployment", str(file), "--predecessor-rpc", network.contract.chain.url]
    refused = network.run("trail", *options, deployment=newest)
    assert (refused.code, "its chain id is 31337, not 5" in refused.stderr) == (4, True)
