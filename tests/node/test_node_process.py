"""The daemon as a process, on a real chain and a real IPFS, ended by SIGKILL in the middle of a round."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateways.data_folder import write_atomically
from gateways.key_ring import KeyRing
from gateways.key_ring.accounts import create_account
from gateways.key_ring.sealing import Argon2Cost
from learning.english_g2 import EnglishG2
from node.site import ACCOUNT_KEY, AUDIT_KEY
from node.store.opening import STORE_KEY
from protocol import ledger_events as ev
from protocol.deployment import encode_deployment
from protocol.identifiers import digest_of
from protocol.plan import TrainingSettings
from tests.fixtures_chain import ContractWorld
from tests.fixtures_ipfs import IPFSSwarm
from tests.node import data_builders
from tests.node.site_world import LINEAGE, NAMES, SITE_ID, SiteWorld

PASSPHRASE = b"open sesame"
ROOT = Path(__file__).parents[2]


class Node:
    """``fedrx node run``."""

    def __init__(self, config: Path, log: Path) -> None:
        self.config, self.log = config, log

    def start(self) -> None:
        self.read_from = self.log.stat().st_size if self.log.exists() else 0
        command = [sys.executable, "-m", "fedrx", "node", "run", "--config", str(self.config)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log, stdout=log, cwd=ROOT)

    def wait_until_says(self, words: str, seconds: float = 90.0) -> None:
        deadline = time.monotonic() + seconds
        while words not in self.log.read_text()[self.read_from :]:
            assert self.process.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            time.sleep(0.02)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def node(tmp_path: Path, contract: ContractWorld, ipfs_swarm: IPFSSwarm) -> Iterator[tuple[SiteWorld, Node]]:
    folder = tmp_path / "node"
    folder.mkdir()
    cost = Argon2Cost(iterations=1, lanes=1, memory_kib=512)
    key_ring = KeyRing.create(tmp_path / "keystore.json", PASSPHRASE, cost=cost)
    account = create_account(key_ring, ACCOUNT_KEY)
    key_ring.put(STORE_KEY, data_builders.STORE_KEY)
    key_ring.put(AUDIT_KEY, data_builders.AUDIT_KEY)
    stores = iter([ipfs_swarm.there_store, ipfs_swarm.here_store])
    world = SiteWorld(folder, EnglishG2(), words=False, world=contract, stores=lambda: next(stores), account=account)
    for patient in ("P-001", "P-002", "P-003"):
        world.add_patient(patient, *NAMES)
    (tmp_path / "keystore.json").replace(folder / "keystore.json")
    write_atomically(tmp_path / "passphrase", PASSPHRASE)
    (folder / "deployment.json").write_bytes(encode_deployment(contract.deployment))
    config = tmp_path / "node.toml"
    config.write_text(
        'site = "dhaka-general"\ndata_folder = "node"\ndeployment = "node/deployment.json"\n'
        f'passphrase_file = "passphrase"\nlineages = ["{LINEAGE}"]\npoll_seconds = 0.2\nresend_after_seconds = 1\n'
        f'[chain]\nrpc_url = "{contract.chain.url}"\n[ipfs]\nurl = "{ipfs_swarm.there.rpc_url}"\n'
    )
    daemon = Node(config, tmp_path / "node.log")
    yield world, daemon
    if daemon.process.poll() is None:
        daemon.kill()


@pytest.mark.slow
@pytest.mark.chain
@pytest.mark.ipfs
def test_a_round_survives_sigkill_while_training_and_after_registering(
    node: tuple[SiteWorld, Node], tmp_path: Path
) -> None:
    world, daemon = node
    daemon.start()
    daemon.wait_until_says("node.ready")
    daemon.wait_until_says("model.judged")
    world.open_round(training=TrainingSettings(epochs=4, batch_size=4, learning_rate="0.002", clip_norm="5", seed=1))
    daemon.wait_until_says("round.training")
    time.sleep(0.5)
    daemon.kill()
    assert world.view(1).registrations == []

    daemon.start()
    deadline = time.monotonic() + 120
    while not world.view(1).registrations:
        assert time.monotonic() < deadline, daemon.log.read_text()[-3000:]
        time.sleep(0.02)
    daemon.kill()

    daemon.start()
    daemon.wait_until_says("node.ready")
    mine = world.view(1).registration_of(SITE_ID)
    assert mine is not None
    fetched = tmp_path / "fetched"
    world.others_store.fetch(mine.event.envelope_cid, fetched, max_bytes=1 << 24, timeout_seconds=60)
    assert digest_of("envelope", fetched.read_bytes()) == mine.event.envelope_digest
    world.others_register()
    world.finish()
    daemon.wait_until_says("round=1", 60)
    while [record.round for record in models(world)] != [0, 1]:
        assert time.monotonic() < deadline + 120
        time.sleep(0.1)
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(timeout=30) == 0
    assert len(world.ours(ev.UpdateRegistered)) == len(world.ours(ev.ConsentRootPublished)) == 1
    assert [item.what for item in world.parts().sent.items()] == [
        "consent root",
        "update registration",
        "sealed update",
    ]


def models(world: SiteWorld) -> list[Any]:
    return world.parts().models.records(world.lineage_id)
