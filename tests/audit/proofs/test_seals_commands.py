"""The auditor's commands on a chain that validators seal, from the endpoint to the file that is checked without one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from audit.proofs.validators import read_validators
from gateways.ledger.block_bytes import parse_header
from gateways.ledger.block_reader import BlockReader
from gateways.ledger.rpc import RPCEndpoint
from protocol.deployment import encode_deployment
from protocol.errors import AuditError, ConfigError, FederationError
from tests.audit.auditor_app import app
from tests.audit.paper_chain import PaperChain, paper_chain
from tests.audit.sealed_chain import KEYS, VALIDATORS, Sealing, account, sealed_chain
from tests.audit.served_chain import ServedChain
from tests.protocol.builders import Network


class Desk:
    """An auditor's folder and a chain of validators."""

    def __init__(self, folder: Path, chain: PaperChain, url: str) -> None:
        self.folder, self.chain = folder, chain
        (folder / "deployment.json").write_bytes(encode_deployment(chain.deployment))
        self.url = url
        self.where = ("--deployment", folder / "deployment.json", "--rpc", url)
        self.kept = ("--validators", folder / "validators.json")

    def run(self, *words: object) -> str:
        done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    def refused(self, *words: object) -> FederationError:
        done = CliRunner().invoke(app, [str(word) for word in words])
        assert isinstance(done.exception, FederationError), done.output
        return done.exception


@pytest.fixture(scope="module")
def network() -> Network:
    made = Network(sites_count=2)
    made.open_round()
    made.register(made.sites[0])
    return made


@pytest.fixture
def desk(network: Network, tmp_path: Path) -> Iterator[Desk]:
    chain = sealed_chain(paper_chain(network.events, network.identity))
    with ServedChain(chain) as served:
        yield Desk(tmp_path, chain, served.url)


def with_proof(desk: Desk) -> Path:
    proof = desk.folder / "proof"
    desk.run("prove", "update", "--site", "site-0", "--round", 1, *desk.where, "-o", proof)
    return proof


def test_a_proof_from_a_sealed_chain_stands_on_its_validators_alone(desk: Desk) -> None:
    told = desk.run("validators", *desk.where, "-o", desk.kept[1])
    assert told.splitlines()[:4] == [str(each) for each in VALIDATORS]
    assert "4 validators, of whom 3 seal a block, as of block" in told
    assert read_validators(desk.folder / "validators.json").accounts == VALIDATORS
    proof = with_proof(desk)
    number = desk.chain.checkpoint.number
    shown = desk.run("verify", proof, *desk.kept, "--name", "site-0")
    assert "site site-0 registered" in shown
    sealers = ", ".join(str(each) for each in sorted(account(key) for key in KEYS[:3]))
    assert f"block {number} is sealed by {sealers}" in shown
    value = json.loads(desk.run("verify", proof, *desk.kept, "--json"))
    assert (value["block"], value["signed_by"], len(value["sealed_by"])) == (number, [], 3)


def test_a_proof_from_a_sealed_chain_stands_on_a_checkpoint_too(desk: Desk) -> None:
    desk.run("checkpoint", *desk.where, "-o", desk.folder / "mark")
    shown = desk.run("verify", with_proof(desk), "--checkpoint", desk.folder / "mark")
    assert f"by block {desk.chain.checkpoint.number}" in shown
    assert "sealed" not in shown


def test_a_bundle_can_be_read_from_an_endpoint_of_a_sealed_chain(desk: Desk) -> None:
    reader = BlockReader(RPCEndpoint(desk.url, timeout_seconds=30))
    first, last = (parse_header(block.header).number for block in (desk.chain.blocks[0], desk.chain.blocks[-1]))
    assert tuple(reader.whole_blocks(first, last)) == desk.chain.blocks


def test_validators_who_were_replaced_are_named(desk: Desk, network: Network) -> None:
    desk.run("validators", *desk.where, "-o", desk.kept[1])
    new = account(b"\x08" * 32)
    voted = Sealing(validators=sorted([*VALIDATORS[1:], new]))
    other = sealed_chain(paper_chain(network.events, network.identity), voted)
    with ServedChain(other) as served:
        (desk.folder / "deployment.json").write_bytes(encode_deployment(other.deployment))
        proof = desk.folder / "proof"
        asked = ("--site", "site-0", "--round", 1, "--deployment", desk.folder / "deployment.json", "--rpc", served.url)
        desk.run("prove", "update", *asked, "-o", proof)
    failure = desk.refused("verify", proof, *desk.kept)
    assert isinstance(failure, AuditError)
    assert f"(new: {new}; gone: {VALIDATORS[0]})" in str(failure)
    assert "make a new list with fedrx audit validators" in str(failure)


def test_a_chain_without_validators_gives_no_list(network: Network, tmp_path: Path) -> None:
    chain = paper_chain(network.events, network.identity)
    with ServedChain(chain) as served:
        desk = Desk(tmp_path, chain, served.url)
        failure = desk.refused("validators", *desk.where, "-o", tmp_path / "validators.json")
    assert isinstance(failure, ConfigError)
    assert "bears no seals" in str(failure)
    assert not (tmp_path / "validators.json").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "nothing is trusted yet"),
        (("--validators", "list", "--checkpoint", "mark"), "exclude each other"),
        (("--validators", "list", "--require", "1"), "sites sign a checkpoint"),
        (("--validators", "list", "--site", "dhaka"), "sites sign a checkpoint"),
        (("--validators", "nowhere"), "cannot be read"),
    ],
)
def test_words_that_do_not_fit_together_are_refused_before_the_file_is_read(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    done = CliRunner().invoke(app, ["verify", str(tmp_path / "none"), *words])
    assert isinstance(done.exception, ConfigError), done.output
    assert said in str(done.exception)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("model", "--model", "0x12"), "'0x12' is no digest"),
        (("consent", "--consent-root", "twelve"), "'twelve' is no digest"),
        (("model",), "--model is missing"),
        (("update", "--site", "site-0"), "no round is named"),
    ],
)
def test_what_is_to_be_proven_is_refused_in_plain_words(desk: Desk, words: tuple[str, ...], said: str) -> None:
    failure = desk.refused("prove", *words, *desk.where, "-o", desk.folder / "proof")
    assert isinstance(failure, ConfigError)
    assert said in str(failure)


def test_a_site_without_an_update_is_called_by_its_slug(desk: Desk) -> None:
    failure = desk.refused(
        "prove", "update", "--site", "site-1", "--round", 1, *desk.where, "-o", desk.folder / "proof"
    )
    assert "site site-1 registered nothing in round 1" in str(failure)
    assert "fedrx audit show --round 1" in str(failure)
    failure = desk.refused("prove", "verdict", "--site", "site-0", "--round", 1, *desk.where, "-o", desk.folder / "p")
    assert "fedrx audit show --round 1 tells why" in str(failure)
    failure = desk.refused("prove", "update", "--site", "sito-0", "--round", 1, *desk.where, "-o", desk.folder / "p")
    assert "the chain knows no site sito-0" in str(failure)


def test_a_key_for_which_there_is_nothing_to_open_is_not_taken_in_silence(desk: Desk) -> None:
    desk.run("validators", *desk.where, "-o", desk.kept[1])
    proof = with_proof(desk)
    failure = desk.refused("verify", proof, *desk.kept, "--audit-key", desk.folder / "key")
    assert isinstance(failure, ConfigError)
    assert "holds no sample" in str(failure)
    assert "leave out --audit-key" in str(failure)
