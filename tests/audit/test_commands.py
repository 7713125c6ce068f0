"""The commands as an auditor runs them: the real contract on a Hardhat chain, and real Kubo cores."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from audit.auditor_keys import NewAuditorKey, make_auditor_key, open_auditor_keys
from protocol import ledger_calls as calls
from protocol import ledger_events as ev
from protocol.deployment import encode_deployment
from protocol.errors import FederationError, WrongPassphraseError
from protocol.identifiers import AccountAddress, Digest, digest_of
from protocol.joining import auditor_fingerprint
from protocol.result import encode_verdicts, make_verdicts, verdicts_root
from protocol.verdicts import VerdictCode
from tests.aggregator.network import Network
from tests.audit.auditor_app import app
from tests.fixtures_chain import ContractWorld
from tests.fixtures_ipfs import IPFSSwarm

PASSPHRASE = b"several long words"


@dataclass
class Answer:
    code: int
    stdout: str
    stderr: str


def command(*arguments: str) -> Answer:
    """A command in this process; its failure as ``main`` would end it."""
    with capture_logs():
        result = CliRunner().invoke(app, list(arguments))
    if isinstance(result.exception, FederationError):
        return Answer(result.exception.exit_code, result.stdout, f"{result.stderr}{result.exception}\n")
    return Answer(result.exit_code, result.stdout, result.stderr)


def process(*arguments: str) -> Answer:
    line = [sys.executable, "-m", "fedrx", "audit", *arguments]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
    return Answer(done.returncode, done.stdout, done.stderr)


@dataclass
class Auditor:
    """An auditor's machine: files, and the commands."""

    folder: Path
    contract: ContractWorld
    key: NewAuditorKey

    def run(self, name: str, *arguments: str, how: Callable[..., Answer] = command) -> Answer:
        where = ["--deployment", str(self.folder / "deployment.json"), "--rpc", self.contract.chain.url]
        return how(name, *where, *arguments)

    @property
    def with_key(self) -> list[str]:
        return ["--auditor-key", str(self.key.keystore), "--passphrase-file", str(self.folder / "passphrase")]


@pytest.fixture
def auditor(contract: ContractWorld, tmp_path: Path) -> Auditor:
    folder = tmp_path / "auditor"
    key = make_auditor_key(folder, PASSPHRASE)
    (folder / "passphrase").write_bytes(PASSPHRASE + b"\n")
    (folder / "passphrase").chmod(0o600)
    (folder / "deployment.json").write_bytes(encode_deployment(contract.deployment))
    return Auditor(folder, contract, key)


def network_with(auditor: Auditor, ipfs_swarm: IPFSSwarm, folder: Path, **options: Any) -> Network:
    network = Network(
        folder, world=auditor.contract, make_store=lambda: ipfs_swarm.here_store, auditor=False, sites=4, **options
    )
    auditor.contract.ledger(auditor.key.account)  # funds it
    public = auditor.key.public_key_file.read_bytes()
    published = calls.PublishAuditorKey(auditor.key.account, auditor.key.key_digest, network.put(public))
    network.governor.send(published)
    member = network.members[0]
    member.start()
    member.settle()
    return network


def model_of_round(auditor: Auditor, number: int) -> str:
    """The digest of a round's model, as the trail tells it."""
    done = auditor.run("trail", "--kind", "round-finalized", "--round", str(number), "--json")
    return json.loads(done.stdout)["event"]["model_digest"]


@pytest.mark.slow
@pytest.mark.chain
@pytest.mark.ipfs
def test_an_auditor_recomputes_the_rounds_of_a_real_network(
    auditor: Auditor, ipfs_swarm: IPFSSwarm, tmp_path: Path
) -> None:
    network = network_with(auditor, ipfs_swarm, tmp_path, max_rounds=2)
    for _ in range(2):
        network.register_all()
        network.members[0].settle()
    ipfs = ["--ipfs", f"{ipfs_swarm.there.rpc_url},{ipfs_swarm.here.rpc_url}"]
    done = auditor.run("replay", *ipfs, *auditor.with_key, "--declare", "--lineage", "tests", how=process)
    assert done.code == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "2 of 2 global models recomputed, same bytes"
    assert "declared the use of key 1 on tests, rounds 1 to 2" in done.stderr
    uses = [e.event for e in network.governor.events(0, network.governor.head().number)]
    assert [use for use in uses if isinstance(use, ev.AuditorKeyUsed)] == [
        ev.AuditorKeyUsed(1, network.lineage_id, 1, 2)
    ]

    joined = ["--swarm-key", str(ipfs_swarm.swarm_key), "--peer", ipfs_swarm.here.peer_addresses[0]]
    done = auditor.run("replay", *joined, "--json", how=process)
    assert done.code == 0, done.stderr
    assert len(done.stdout.splitlines()) == 3
    last = json.loads(done.stdout.splitlines()[-1])
    assert (last["same"], last["global_models"], last["global_models_recomputed"]) == (True, 2, 0)

    done = auditor.run("trail", "--name", "site-1", "--site", "site-1", "--kind", "update-registered", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["site"], row["round"]) for row in rows] == [("site-1", 1), ("site-1", 2)]
    assert "round 2 of tests is final: 4 of 4 updates accepted" in auditor.run("trail", "--name", "tests").stdout

    index = ["--index", str(tmp_path / "trail.sqlite")]
    kept = [auditor.run("trail", *index, "--name", "tests", "--model", model_of_round(auditor, 1)).stdout for _ in "ab"]
    assert kept[0] == kept[1]
    assert ["is final" in line or "opened round 2" in line for line in kept[0].splitlines()[1:]] == [True, True]
    for name in ("trail.csv", "trail.jsonl"):
        done = auditor.run("export", *index, "--out", str(tmp_path / name), "--round", "2")
        assert done.code == 0, done.stderr
    with (tmp_path / "trail.csv").open(encoding="utf-8", newline="") as stream:
        table = list(csv.DictReader(stream))
    lines = [json.loads(line) for line in (tmp_path / "trail.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["tx"] for row in table] == [line["tx_hash"] for line in lines]
    assert {line["round"] for line in lines} == {2}

    done = auditor.run("show", "--round", "2", "--name", "tests")
    assert done.code == 0, done.stderr
    assert done.stdout.startswith("Round 2 of tests was opened by aggregator")
    assert "round 1: model 0x" in auditor.run("show", "--model", model_of_round(auditor, 2)).stdout
    assert auditor.run("show").code == 2

    checkpoint = tmp_path / "checkpoint"
    assert auditor.run("checkpoint", "--out", str(checkpoint)).code == 0
    model = model_of_round(auditor, 2)
    for asked in (["model", "--model", model], ["verdict", "--site", "site-1", "--round", "2"]):
        proof = tmp_path / asked[0]
        done = auditor.run("prove", *asked, "--out", str(proof), "--checkpoint", str(checkpoint))
        assert done.code == 0, done.stderr
        done = process("verify", str(proof), "--checkpoint", str(checkpoint), "--name", "tests", "--name", "site-1")
        assert done.code == 0, done.stderr
        expected = "round 2 of tests is final" if asked[0] == "model" else "of site site-1 in round 2 was accepted"
        assert expected in done.stdout
    proof.write_bytes(proof.read_bytes().replace(b'"transaction_index":0', b'"transaction_index":1', 1))
    done = process("verify", str(proof), "--checkpoint", str(checkpoint))
    assert (done.code, "at the step receipt" in done.stderr, done.stdout) == (11, True, "")
    assert auditor.run("prove", "model", "--out", str(proof)).code == 2

    done = auditor.run("availability", "--ipfs", ipfs_swarm.here.rpc_url, "--read", "--name", "tests")
    assert done.code == 0, done.stdout + done.stderr
    assert "global model, tests round 2" in done.stdout


@pytest.mark.chain
@pytest.mark.ipfs
def test_a_lying_aggregator_and_a_lost_envelope_are_found_on_a_real_network(
    auditor: Auditor, ipfs_swarm: IPFSSwarm, tmp_path: Path
) -> None:
    network = network_with(auditor, ipfs_swarm, tmp_path, max_rounds=1)
    network.register_all()
    view = network.round(1)
    (key,) = open_auditor_keys(auditor.key.keystore, PASSPHRASE).keys
    assert key.public_key() in {recipient.public_key for recipient in network.plan(view).recipients}
    verdicts = make_verdicts(view.registrations, {2: VerdictCode.NORM_TOO_LARGE})
    model = network.put(network.model)
    lie = calls.AttestResult(
        network.lineage_id,
        1,
        view.opened.parent_digest,
        model,
        digest_of("server-state", b""),
        verdicts_root(verdicts),
        network.put(encode_verdicts(view.round_id, verdicts)),
        0b1011,
        bytes([0, 0, VerdictCode.NORM_TOO_LARGE, 0]),
    )
    network.members[0].ledger.send(lie)
    lost = view.registrations[3].event.envelope_cid
    done = auditor.run("replay", "--ipfs", ipfs_swarm.here.rpc_url, *auditor.with_key)
    assert done.code == 11, done.stderr
    assert "90 norm too large on chain, but the rules give 0 accepted" in done.stdout
    assert "different (model)" in done.stdout
    assert "is not declared on chain" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("the replay found ")

    nowhere = auditor.run("availability", "--ipfs", "http://127.0.0.1:9")
    assert nowhere.code == 11
    assert str(lost) in nowhere.stdout
    assert "no answer" in nowhere.stdout


def test_keygen_prints_what_the_governor_needs(tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.write_bytes(PASSPHRASE)
    words.chmod(0o600)
    arguments = ["keygen", "--out", str(tmp_path / "out"), "--passphrase-file", str(words)]
    made = json.loads(command(*arguments, "--json").stdout)
    assert Path(made["public_key_file"]).stat().st_size == 1216
    assert made["account"] in command(*arguments).stdout
    said = auditor_fingerprint(AccountAddress.from_hex(made["account"]), Digest.from_hex(made["key_digest"]))
    assert made["fingerprint"] == said
    words.chmod(0o644)
    refused = command(*arguments)
    assert refused.code == 2
    assert "chmod 600" in refused.stderr


def test_the_auditors_passphrase_is_changed_and_every_key_stays(tmp_path: Path) -> None:
    files = []
    for name, content in (("old", PASSPHRASE), ("new", b"other words")):
        files.append(tmp_path / name)
        files[-1].touch(mode=0o600)
        files[-1].write_bytes(content)
    old, new = map(str, files)
    made = json.loads(command("keygen", "--out", str(tmp_path), "--passphrase-file", old, "--json").stdout)
    words = ["passphrase", made["keystore"], "--passphrase-file", old, "--new-passphrase-file", new]
    assert command(*words).code == 0
    assert command(*words).code == WrongPassphraseError.exit_code
    assert len(open_auditor_keys(Path(made["keystore"]), b"other words").keys) == 1


def test_mistakes_of_the_operator_are_one_line_and_exit_2(tmp_path: Path) -> None:
    where = ["--deployment", str(tmp_path / "none.json"), "--rpc", "http://127.0.0.1:9"]
    for arguments in (["replay", *where], ["trail", *where, "--kind", "nonsense"], ["replay", *where, "--declare"]):
        done = command(*arguments)
        assert done.code == 2
        assert done.stdout == ""
        assert len(done.stderr.splitlines()) == 1


def test_the_process_turns_a_failure_into_its_exit_code(tmp_path: Path) -> None:
    done = process("trail", "--deployment", str(tmp_path / "none.json"), "--rpc", "http://127.0.0.1:9")
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr.startswith("error there is no deployment file")
