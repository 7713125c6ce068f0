"""Sites' signatures and a real chain: a proof that several sites stand for, and a chain that was rewritten."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from protocol.account_signatures import account_of
from protocol.checkpoint import Checkpoint
from protocol.cosigning import CosignedCheckpoint, cosign, encode_cosigned
from protocol.deployment import encode_deployment
from protocol.errors import AuditError
from protocol.identifiers import Digest, site_id_of
from protocol.ledger_calls import AdmitSite, PublishConsentRoot
from tests.audit.auditor_app import app
from tests.fixtures_chain import ContractWorld

pytestmark = pytest.mark.chain

KEYS = {slug: bytes([number]) * 32 for number, slug in enumerate(("dhaka", "north", "old-town"), start=1)}
ROOT = Digest(b"\x05" * 32)


class Audit:
    """An auditor's folder, and the sites that sign what the chain shows them."""

    def __init__(self, folder: Path, contract: ContractWorld) -> None:
        self.folder, self.contract = folder, contract
        (folder / "deployment.json").write_bytes(encode_deployment(contract.deployment))
        self.chain = ("--deployment", folder / "deployment.json", "--rpc", contract.chain.url)
        self.accounts = ("--accounts", folder / "accounts.json")

    def run(self, *words: object) -> str:
        done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    def refused(self, *words: object) -> tuple[str, str]:
        done = CliRunner().invoke(app, [str(word) for word in words])
        assert isinstance(done.exception, AuditError), done.output
        return done.stdout, str(done.exception)

    def sign(self, name: str, *slugs: str) -> tuple[str, Path]:
        """Sites sign the newest block into a file."""
        head, identity = self.contract.governor.head(), self.contract.deployment.identity
        checkpoint = Checkpoint(identity.chain_id, identity.contract_address, head.number, head.block_hash)
        path = self.folder / name
        lines = tuple(cosign(checkpoint, slug, KEYS[slug]) for slug in slugs)
        path.write_bytes(encode_cosigned(CosignedCheckpoint(checkpoint, lines)))
        return "--cosigned", path


@pytest.fixture
def audit(tmp_path: Path, contract: ContractWorld) -> Audit:
    for slug, key in KEYS.items():
        contract.governor.send(AdmitSite(site_id_of(slug), account_of(key), Digest(slug.encode().ljust(32, b"."))))
    made = Audit(tmp_path, contract)
    made.run("cosigners", *made.chain, "-o", tmp_path / "accounts.json")
    return made


def test_a_proof_stands_below_a_block_that_enough_sites_signed(audit: Audit) -> None:
    dhaka = audit.contract.ledger(account_of(KEYS["dhaka"]))
    dhaka.send(PublishConsentRoot(ROOT, audit.contract.now() + 10_000, 1, 0, 0))
    audit.contract.advance(5)
    words = [*audit.sign("dhaka.notes", "dhaka"), *audit.sign("north.notes", "north")]
    note, proof = audit.folder / "note", audit.folder / "proof"
    audit.run("checkpoint", "-o", note, *words, *audit.accounts, *audit.chain)
    audit.run("prove", "consent", "--consent-root", ROOT, *audit.chain, "-o", proof, "--checkpoint", note)
    verify = ("verify", proof, "--checkpoint", note, *audit.accounts)
    assert "is signed by dhaka, north" in audit.run(*verify, "--require", 2)
    assert json.loads(audit.run(*verify, "--require", 1, "--site", "north", "--json"))["signed_by"] == ["north"]
    _, failure = audit.refused(*verify, "--require", 3)
    assert "step cosigners: 2 of 3 sites signed (dhaka, north)" in failure
    _, failure = audit.refused(*verify, "--require", 1, "--site", "old-town")
    assert "step cosigners: 0 of 1" in failure
    assert "proven for chain" in audit.run("verify", proof, "--checkpoint", note)
    audit.contract.advance(5)
    audit.sign("note", "dhaka", "north")
    _, failure = audit.refused(*verify, "--require", 2)
    assert "the proof fails at the step checkpoint" in failure


def test_a_chain_that_was_rewritten_below_what_sites_signed_is_named(audit: Audit) -> None:
    chain = audit.contract.chain
    before = chain.rpc("evm_snapshot")
    audit.contract.advance(10)
    dhaka = audit.sign("dhaka.notes", "dhaka")
    signed = audit.contract.governor.head()
    words = ("checkpoint", "-o", audit.folder / "note", *audit.accounts)
    audit.run(*words, *dhaka, *audit.chain)

    assert chain.rpc("evm_revert", before)
    audit.contract.advance(11)
    north = audit.sign("north.notes", "north")
    now = audit.contract.governor.head()
    assert now.number == signed.number
    lines, failure = audit.refused(*words, *dhaka, *audit.chain)
    assert "do not fit together" in failure
    assert f"block {signed.number}: the chain holds {now.block_hash}: what dhaka signed was rewritten" in lines
    lines, _ = audit.refused(*words, *dhaka, *north)
    assert f"{signed.block_hash} is signed by dhaka" in lines
    assert f"{now.block_hash} is signed by north" in lines
    lines, _ = audit.refused(*words, *dhaka, *north, *audit.chain)
    assert "what dhaka signed was rewritten" in lines
    audit.run(*words, *north, *audit.chain)


def test_a_list_of_accounts_from_a_history_that_is_gone_is_named(audit: Audit, tmp_path: Path) -> None:
    chain = audit.contract.chain
    before = chain.rpc("evm_snapshot")
    audit.contract.advance(10)
    audit.run("cosigners", *audit.chain, "-o", tmp_path / "accounts.json")
    assert chain.rpc("evm_revert", before)
    audit.contract.advance(11)
    north = audit.sign("north.notes", "north")
    words = ("checkpoint", "-o", audit.folder / "note", *audit.accounts, *north)
    lines, _ = audit.refused(*words, *audit.chain)
    assert "where the list of accounts was read" in lines
    audit.run(*words)
