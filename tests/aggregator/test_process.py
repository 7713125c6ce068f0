"""aggregator/ as it is run: the real contract on a Hardhat chain, real Kubo cores, a process that is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from protocol import ledger_calls as calls
from protocol import ledger_events as ev
from protocol.deployment import encode_deployment
from protocol.identifiers import AccountAddress, Digest, aggregator_id_of
from protocol.parameters import parameters_digest
from protocol.verdicts import VerdictCode
from tests.aggregator.network import Network
from tests.fixtures_chain import PLENTY_WEI, ContractWorld
from tests.fixtures_ipfs import IPFSSwarm

pytestmark = [pytest.mark.chain, pytest.mark.ipfs]


def test_a_round_on_the_real_contract_and_real_ipfs(
    contract: ContractWorld, ipfs_swarm: IPFSSwarm, tmp_path: Path
) -> None:
    network = Network(tmp_path, world=contract, make_store=lambda: ipfs_swarm.there_store, sites=4, max_rounds=1)
    member = network.members[0]
    member.store = ipfs_swarm.here_store
    member.start()
    member.settle()
    view, plan = network.live, network.plan()
    for site in network.sites[:3]:
        site.register(plan, view)
    network.sites[3].register(plan, view, envelope=lambda sealed: sealed[:-1])
    member.settle()
    outcome = network.round(1).outcome
    assert isinstance(outcome, ev.RoundFinalized)
    assert outcome.codes == bytes([0, 0, 0, VerdictCode.ENVELOPE_MALFORMED])
    assert parameters_digest(network.content(outcome.model_cid)) == outcome.model_digest
    wanted = [view.opened.plan_cid, outcome.model_cid, outcome.verdicts_cid]
    wanted += [registration.event.envelope_cid for registration in network.round(1).registrations]
    assert all(ipfs_swarm.here_store.holds(cid) for cid in wanted)


def test_a_failed_result_is_accepted_by_the_real_contract(
    contract: ContractWorld, ipfs_swarm: IPFSSwarm, tmp_path: Path
) -> None:
    network = Network(tmp_path, world=contract, make_store=lambda: ipfs_swarm.here_store, max_rounds=1)
    member = network.members[0]
    member.start()
    member.settle()
    contract.advance(1000)
    member.settle()
    assert isinstance(network.round(1).outcome, ev.RoundFailed)


class Process:
    """``fedrx aggregator run`` and the commands beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "aggregator.toml"
        self.child: subprocess.Popen[bytes] | None = None

    def command(self, *arguments: str) -> Any:
        command = [sys.executable, "-m", "fedrx", "aggregator", *arguments, "--config", str(self.config), "--json"]
        done = subprocess.run(command, check=True, capture_output=True, timeout=60)
        return json.loads(done.stdout)

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            command = [sys.executable, "-m", "fedrx", "aggregator", "run", "--config", str(self.config)]
            self.child = subprocess.Popen(command, stdout=log, stderr=log)

    def stop(self, number: int) -> int:
        assert self.child is not None
        self.child.send_signal(number)
        return self.child.wait(20)

    def children(self) -> list[int]:
        assert self.child is not None
        text = Path(f"/proc/{self.child.pid}/task/{self.child.pid}/children").read_text()
        return [int(pid) for pid in text.split()]

    def log(self) -> str:
        return (self.folder / "log").read_text()


@pytest.fixture
def process(tmp_path: Path, contract: ContractWorld, ipfs_swarm: IPFSSwarm) -> Iterator[Process]:
    folder = tmp_path / "process"
    folder.mkdir()
    (folder / "deployment.json").write_bytes(encode_deployment(contract.deployment))
    (folder / "passphrase").write_text("four words of test\n")
    (folder / "passphrase").chmod(0o600)
    process = Process(folder)
    yield process
    if process.child is not None and process.child.poll() is None:
        process.child.kill()
        process.child.wait()


def wait_until(condition: Callable[[], bool], process: Process, *, timeout_seconds: float = 60) -> None:
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, process.log()[-3000:]
        assert process.child is None or process.child.poll() is None, process.log()[-3000:]
        time.sleep(0.1)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.slow
def test_the_process_survives_a_kill_and_ends_cleanly_on_term(
    contract: ContractWorld, ipfs_swarm: IPFSSwarm, tmp_path: Path, process: Process
) -> None:
    init = ["init", "--aggregator", "aggregator-0", "--deployment", "deployment.json", "--lineage", "tests:last-conv"]
    init += ["--rpc-url", contract.chain.url, "--swarm-key", str(ipfs_swarm.swarm_key)]
    init += ["--passphrase-file", str(process.folder / "passphrase")]
    identity = process.command(*init)
    assert process.command(*init) == identity
    text = process.config.read_text()
    text = text.replace("# poll_seconds = 2.0", "poll_seconds = 0.1")
    text = text.replace("# peers = []", f"peers = {json.dumps(list(ipfs_swarm.here.peer_addresses))}")
    text = text.replace('finality = "latest"', 'finality = "latest"\nresend_after_seconds = 1')
    process.config.write_text(text.replace("max_rounds = 0", "max_rounds = 1"))

    network = Network(tmp_path, world=contract, make_store=lambda: ipfs_swarm.here_store, aggregators=0)
    account = AccountAddress.from_hex(identity["account"])
    contract.chain.rpc("hardhat_setBalance", str(account), hex(PLENTY_WEI))
    aggregator_id = aggregator_id_of("aggregator-0")
    assert str(aggregator_id) == identity["aggregator_id"]
    network.governor.send(calls.AdmitAggregator(aggregator_id, account, Digest.from_hex(identity["key_digest"])))
    network.governor.send(calls.SetAggregators((aggregator_id,), 1))

    process.start()
    wait_until(lambda: bool(network.history.lineages[network.lineage_id].rounds), process)
    view, plan = network.live, network.plan()
    core = process.children()
    assert len(core) == 1
    process.stop(signal.SIGKILL)
    wait_until(lambda: gone(core[0]), Process(process.folder))
    for site in network.sites:
        site.register(plan, view)

    process.start()
    wait_until(lambda: network.round(1).outcome is not None, process)
    assert isinstance(network.round(1).outcome, ev.RoundFinalized)
    assert len(network.round(1).attestations) == 1
    wait_until(lambda: "result.agrees" in process.log(), process)
    status = process.command("status")
    assert status["standing"] == "in the current aggregator set"
    assert status["lineages"][0]["rounds"][0]["own_result"] == "agrees with the chain"
    assert status["pins"]["missing"] == []
    core = process.children()
    assert process.stop(signal.SIGTERM) == 0
    assert all(gone(pid) for pid in core)
    assert "aggregator.stopped" in process.log()
    assert "four words" not in process.log()
