"""Bundles of a chain that validators seal: made, and verified with a list of the validators alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import rlp
from typer.testing import CliRunner

from audit.bundle.checking import verify_bundle
from audit.bundle.making import BundleOptions, Sources, make_bundle
from audit.bundle.manifest import HEADERS_NAME
from audit.findings import Outcome
from audit.proofs.validators import Validators, encode_validators
from audit.replay import ReplayOptions
from protocol.errors import AuditError
from tests.audit.auditor_app import app
from tests.audit.bundle.stage import Parts
from tests.audit.paper_chain import PaperChain, paper_chain
from tests.audit.sealed_chain import KEYS, Sealing, resealed, sealed_chain, validators_on, with_items
from tests.audit.stage import LIMITS, store_of
from tests.protocol.builders import Network


def chain_of(network: Network, sealing: Sealing | None = None) -> PaperChain:
    return sealed_chain(paper_chain(network.events, network.identity), sealing)


def bundle_of(network: Network, chain: PaperChain, folder: Path) -> Path:
    work = folder / "work"
    work.mkdir()
    sources = Sources(chain.deployment, chain.checkpoint, chain, [store_of(network)])
    make_bundle(folder / "bundle", sources, work, BundleOptions(limits=LIMITS))
    return folder / "bundle"


def failure_of(path: Path, kept: Validators) -> str:
    with pytest.raises(AuditError) as refused:
        verify_bundle(path, kept, ReplayOptions(limits=LIMITS))
    return str(refused.value)


@pytest.fixture(scope="module")
def network() -> Network:
    made = Network(sites_count=3)
    made.open_round()
    return made


@pytest.mark.parametrize("sealing", [Sealing(), Sealing(round=2, signers=KEYS), Sealing(is_ibft=True)])
def test_a_bundle_stands_on_the_validators_of_its_last_block(
    network: Network, tmp_path: Path, sealing: Sealing
) -> None:
    chain = chain_of(network, sealing)
    path = bundle_of(network, chain, tmp_path)
    for trusted in (validators_on(chain), chain.checkpoint):
        found = verify_bundle(path, trusted, ReplayOptions(limits=LIMITS))
        assert found.block.checkpoint == chain.checkpoint
        assert [each.outcome for each in found.replayed.rounds] == [Outcome.LIVE]
        assert len(found.chain.events) == len(network.events)


def test_the_command_says_who_sealed_the_last_block(network: Network, tmp_path: Path) -> None:
    chain = chain_of(network)
    path, kept = bundle_of(network, chain, tmp_path), tmp_path / "validators.json"
    kept.write_bytes(encode_validators(validators_on(chain)))
    words = ["verify", str(path), "--validators", str(kept)]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert f"block {chain.checkpoint.number} is sealed by 0x" in done.stdout
    done = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    about = json.loads(done.stdout.splitlines()[0])
    assert (about["block"], len(about["sealed_by"])) == (chain.checkpoint.number, 3)
    done = CliRunner().invoke(app, [*words, "--audit-key", str(kept)])
    assert "only a sample's proof is opened" in str(done.exception)


def test_a_last_block_with_too_few_seals_is_no_end(network: Network, tmp_path: Path) -> None:
    chain = chain_of(network)
    parts = Parts.of(bundle_of(network, chain, tmp_path))
    headers = [block.header for block in chain.blocks]
    headers[-1] = resealed(headers[-1], Sealing(signers=KEYS[:2]))
    parts.contents[HEADERS_NAME] = b"".join(headers)
    failure = failure_of(parts.put(tmp_path / "false"), validators_on(chain))
    assert "at the step seals: 2 of 4 validators sealed" in failure


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        (b"", "at the step seals: not RLP"),
        (b"\x80", "at the step headers: not an RLP list"),
        (b"\xc1", "at the step headers: the bytes end within"),
        (bytes(rlp.encode([b"", b""])), "at the step seals: no block header"),
    ],
)
def test_bytes_that_are_no_headers_have_no_validators(
    network: Network, tmp_path: Path, headers: bytes, said: str
) -> None:
    chain = chain_of(network)
    parts = Parts.of(bundle_of(network, chain, tmp_path))
    parts.contents[HEADERS_NAME] = headers
    assert said in failure_of(parts.put(tmp_path / "false"), validators_on(chain))


def test_seals_that_were_taken_from_an_earlier_block_change_nothing(network: Network, tmp_path: Path) -> None:
    chain = chain_of(network)
    parts = Parts.of(bundle_of(network, chain, tmp_path))
    headers = [block.header for block in chain.blocks]
    headers[1] = with_items(headers[1], lambda items: [*items[:4], []])
    parts.contents[HEADERS_NAME] = b"".join(headers)
    found = verify_bundle(parts.put(tmp_path / "stripped"), validators_on(chain), ReplayOptions(limits=LIMITS))
    assert found.block.checkpoint == chain.checkpoint


def test_another_chain_of_the_same_validators_is_not_the_trusted_one(network: Network, tmp_path: Path) -> None:
    other = Network(sites_count=4)
    other.open_round()
    path = bundle_of(other, sealed_chain(paper_chain(other.events, other.identity), Sealing(round=1)), tmp_path)
    kept = validators_on(chain_of(network))
    assert verify_bundle(path, validators_on(chain_of(other)), ReplayOptions(limits=LIMITS)).rounds
    moved = Validators(kept.read_at, kept.deployment_block_number, kept.read_at.block_hash, kept.accounts)
    assert "at the step checkpoint: deployment.json is not of the chain" in failure_of(path, moved)
