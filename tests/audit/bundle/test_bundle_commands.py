"""Bundles and proven samples as an auditor makes and verifies them: real chain, real Kubo cores, then neither."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from audit.bundle.manifest import HEADERS_NAME
from protocol import ledger_calls as calls
from protocol.dataset import sample_key
from protocol.identifiers import RoundId, digest_of
from protocol.joining import KeyDocument, audit_key_commitment, key_document_digest
from protocol.merkle import Leaf, MerkleTree
from protocol.sample_proof import Absence, SampleProof, encode_sample_proof
from protocol.site_audit_key import SiteAuditKey, encode_site_audit_key
from tests.aggregator.network import Network
from tests.audit.bundle.stage import Parts, flipped
from tests.audit.test_commands import Auditor, auditor, command, network_with, process  # noqa: F401 - a fixture
from tests.fixtures_ipfs import IPFSSwarm

pytestmark = [pytest.mark.chain, pytest.mark.ipfs]
AUDIT_KEY = bytes(range(32))


def with_sample(network: Network, folder: Path) -> tuple[Path, Path]:
    """Registers the first site's update with a dataset root of its own; a proof of a sample that is not below it."""
    site = network.sites[0]
    account = network.world.fresh_account()
    document = KeyDocument(site.slug, account, (), audit_key_commitment(AUDIT_KEY))
    network.governor.send(calls.RotateSiteAccount(site.site_id, account, key_document_digest(document)))
    site.ledger = network.world.ledger(account)
    leaf = Leaf(sample_key(AUDIT_KEY, b"\x01" * 16), digest_of("test-leaf"))
    view = network.live
    site.register(network.plan(), view, call={"dataset_root": MerkleTree([leaf]).root})
    absent = SampleProof(site.site_id, RoundId(network.lineage_id, view.opened.round), b"\x02" * 16, Absence((leaf,)))
    (folder / "sample").write_bytes(encode_sample_proof(absent))
    (folder / "audit-key").write_bytes(encode_site_audit_key(SiteAuditKey(AUDIT_KEY, (document,))))
    return folder / "sample", folder / "audit-key"


@pytest.mark.slow
def test_an_auditor_without_a_network_verifies_rounds_and_a_sample(
    auditor: Auditor,  # noqa: F811
    ipfs_swarm: IPFSSwarm,
    tmp_path: Path,
) -> None:
    network = network_with(auditor, ipfs_swarm, tmp_path, max_rounds=3)
    for _ in range(2):
        network.register_all()
        network.members[0].settle()
    sample, audit_key = with_sample(network, tmp_path)
    mark, bundle, joined = tmp_path / "mark", tmp_path / "bundle", tmp_path / "joined"
    assert auditor.run("checkpoint", "--out", str(mark)).code == 0
    trusted = ["--checkpoint", str(mark)]
    joined_swarm = ["--swarm-key", str(ipfs_swarm.swarm_key), "--peer", ipfs_swarm.here.peer_addresses[0]]
    done = auditor.run("bundle", *joined_swarm, "--rounds", "2..2", *trusted, "--out", str(bundle))
    assert done.code == 0, done.stderr
    assert done.stdout.startswith("rounds 2 to 2, all blocks up to block ")
    done = auditor.run("prove", "sample", "--proof", str(sample), *trusted, "--out", str(joined))
    assert done.code == 0, done.stderr

    done = process("verify", str(bundle), *trusted, *auditor.with_key, "--name", "tests")
    assert done.code == 0, done.stderr
    assert "events, none left out" in done.stdout.splitlines()[0]
    assert done.stdout.splitlines()[-2] == "1 of 1 global models recomputed, same bytes"
    done = command("verify", str(bundle), *trusted, "--json")
    assert done.code == 0, done.stderr
    first, *rounds, last = (json.loads(line) for line in done.stdout.splitlines())
    assert (first["lacking"], [each["round"] for each in rounds], last["same"]) == ([], [2], True)
    headers = Parts.of(bundle).contents[HEADERS_NAME]
    bundle.write_bytes(bundle.read_bytes().replace(headers, flipped(headers, 100), 1))
    done = command("verify", str(bundle), *trusted)
    assert (done.code, "at the step members" in done.stderr, done.stdout) == (11, True, "")

    done = command("verify", str(joined), *trusted, "--audit-key", str(audit_key), "--name", "tests")
    assert done.code == 0, done.stderr
    assert done.stdout.startswith(f"sample {'02' * 16} was not in the update of site-0 in round 3 of tests")
    assert command("verify", str(joined), *trusted).code == 2
    other = SiteAuditKey(bytes(32), ())
    (tmp_path / "other-key").write_bytes(encode_site_audit_key(other))
    done = command("verify", str(joined), *trusted, "--audit-key", str(tmp_path / "other-key"))
    assert (done.code, "DIFFERENT" in done.stdout) == (11, True)


def test_what_cannot_be_made_or_read_is_one_line(auditor: Auditor, tmp_path: Path) -> None:  # noqa: F811
    out = ["--out", str(tmp_path / "bundle")]
    nowhere = ["--ipfs", "http://127.0.0.1:9"]
    for arguments, code in [
        (["bundle", *nowhere, *out, "--rounds", "2..1"], 2),
        (["bundle", *nowhere, *out, "--rounds", "x"], 2),
        (["bundle", *out], 2),
        (["bundle", *nowhere, "--out", str(tmp_path / "none" / "bundle")], 10),
        (["prove", "sample", *out], 2),
    ]:
        done = auditor.run(*arguments)
        assert (done.code, len(done.stderr.splitlines())) == (code, 1), done.stderr
    assert not (tmp_path / "bundle").exists()
