"""The explorer of a real chain: what it hands out is what ``fedrx audit verify`` takes."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from audit.explorer.app import build_app
from audit.explorer.chronicle import Chronicle
from audit.explorer.transactions import TransactionReader
from audit.index.database import open_database
from audit.names import Names
from gateways.ledger.rpc import RPCEndpoint
from gateways.ledger.web3_ledger import Web3Ledger
from protocol import ledger_events as ev
from protocol.deployment import encode_deployment
from protocol.errors import ConfigError
from protocol.history import History
from protocol.identifiers import TxHash
from protocol.ledger_calls import WithdrawConsents
from tests.architecture.tree import ROOT
from tests.audit.auditor_app import app
from tests.contracts.setting import GENESIS, LINEAGE, attest_call, digest, set_up
from tests.fixtures_chain import ContractWorld

pytestmark = pytest.mark.chain

NAMES = Names(["english-g2-last-conv", "site-0", "site-1", "site-2"])


@dataclass(frozen=True)
class Stage:
    client: TestClient
    chronicle: Chronicle
    events: list[ev.LocatedEvent]
    world: ContractWorld

    @property
    def head(self) -> int:
        return self.events[-1].position.block_number


@pytest.fixture
def stage(contract: ContractWorld, tmp_path: Path) -> Stage:
    """One round of four sites, one of them refused; then a withdrawal."""
    network = set_up(contract, sites=4)
    network.closed_round()
    network.aggregators[0].ledger.send(attest_call(codes=b"\x00\x5a\x00\x00"))
    network.sites[1].ledger.send(WithdrawConsents())
    ledger = Web3Ledger.connect(contract.chain.url, contract.deployment)
    endpoint = RPCEndpoint(contract.chain.url, timeout_seconds=30)
    engine = open_database(str(tmp_path / "index.sqlite"))
    chronicle = Chronicle(engine, ledger, TransactionReader(endpoint), NAMES, lambda _block, _head: None)
    while chronicle.learn_costs():
        pass
    client = TestClient(build_app(chronicle, endpoint, NAMES), base_url="http://127.0.0.1")
    return Stage(client, chronicle, list(ledger.events(0, ledger.head().number)), contract)


def verified(stage: Stage, path: str, folder: Path) -> str:
    """What the command says of a proof and a checkpoint that the explorer handed out."""
    for name, asked in (("proof", path), ("checkpoint", "/checkpoint")):
        answer = stage.client.get(f"{asked}?block={stage.head}")
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-disposition"].startswith("attachment; ")
        (folder / name).write_bytes(answer.content)
    names = ["--name", "site-1", "--name", "english-g2-last-conv"]
    done = CliRunner().invoke(
        app, ["verify", str(folder / "proof"), "--checkpoint", str(folder / "checkpoint"), *names]
    )
    assert done.exit_code == 0, done.exception
    return done.stdout


def test_each_proof_of_the_explorer_is_one(stage: Stage, tmp_path: Path) -> None:
    view = History(stage.events).round(ev.round_id_of(attest_call()))
    registered = view.registrations[1]
    refused = verified(stage, f"/proof/verdict/{LINEAGE}/1/{registered.event.site_id}", tmp_path)
    assert "the update of site site-1 in round 1 was refused" in refused
    assert "registered update 1" in verified(stage, f"/proof/tx/{registered.position.tx_hash}", tmp_path)
    model = verified(stage, f"/proof/model/{attest_call().model_digest}", tmp_path)
    assert "starts from the model" in model
    assert "is final" in model
    consent = verified(stage, f"/proof/consent/{digest('consents site-1')}", tmp_path)
    assert "published consent root 1" in consent
    assert "withdrew" in consent


def test_a_transaction_is_shown_as_it_is_on_the_chain(stage: Stage) -> None:
    at = stage.events[-2].position
    receipt = stage.world.chain.rpc("eth_getTransactionReceipt", str(at.tx_hash))
    call = stage.world.chain.rpc("eth_getTransactionByHash", str(at.tx_hash))
    said = stage.client.get(f"/tx/{at.tx_hash}").text
    for log in receipt["logs"]:
        assert all(topic in said for topic in log["topics"])
        assert log["data"] in said
    assert f"{int(receipt['gasUsed'], 16):,}" in said
    assert f"{(len(call['input']) - 2) // 2:,}" in said
    assert "cannot be shown" not in said


def test_gas_of_a_round_is_what_its_receipts_say(stage: Stage) -> None:
    txs = {e.position.tx_hash for e in stage.events if getattr(e.event, "round", None) == 1}
    receipts = [stage.world.chain.rpc("eth_getTransactionReceipt", str(tx)) for tx in txs]
    found = stage.chronicle.costs.of_rounds(LINEAGE, 1, 1)[1]
    assert found.complete
    assert found.gas_used == sum(int(receipt["gasUsed"], 16) for receipt in receipts)


def test_a_transaction_in_no_block_costs_nothing(stage: Stage) -> None:
    reader = TransactionReader(RPCEndpoint(stage.world.chain.url, timeout_seconds=30))
    assert reader.costs([TxHash(b"\x07" * 32)]) == []
    assert reader.receipt(TxHash(b"\x07" * 32)) is None


def test_one_proof_is_made_at_a_time(stage: Stage) -> None:
    path = f"/proof/model/{GENESIS}?block={stage.head}"
    with stage.client.app.state.explorer.proving:
        busy = stage.client.get(path)
    assert busy.status_code == 429
    assert stage.client.get(path).status_code == 200


@contextmanager
def explorer_process(stage: Stage, folder: Path) -> Iterator[str]:
    """The command as an auditor runs it; the address that it says it is at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "deployment.json").write_bytes(encode_deployment(stage.world.deployment))
    where = ["--deployment", str(folder / "deployment.json"), "--rpc", stage.world.chain.url]
    line = [sys.executable, "-m", "fedrx", "audit", "explorer", *where, "--port", str(port), "--name", "site-2"]
    process = subprocess.Popen(line, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    patience = threading.Timer(120, process.kill)
    patience.start()
    try:
        assert process.stderr is not None
        said = next((each for each in process.stderr if "the explorer is at" in each), "it never said where it is")
        yield said.split()[-1]
    finally:
        process.terminate()
        assert process.wait(30) == 0
        patience.cancel()


def test_the_command_serves_until_it_is_told_to_end(stage: Stage, tmp_path: Path) -> None:
    with explorer_process(stage, tmp_path) as url, httpx.Client(transport=httpx.HTTPTransport(retries=20)) as client:
        assert url.startswith("http://127.0.0.1:")
        said = client.get(url).text
        assert ">site-2</a>" in said
        assert client.get(url, headers={"host": "explorer.example"}).status_code == 421


def test_a_port_that_is_taken_is_said_before_the_chain_is_read(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = CliRunner().invoke(
            app, ["explorer", "--deployment", str(tmp_path / "none"), "--rpc", "http://127.0.0.1:1", "--port", port]
        )
    assert isinstance(done.exception, ConfigError)
    assert "cannot listen" in str(done.exception)
