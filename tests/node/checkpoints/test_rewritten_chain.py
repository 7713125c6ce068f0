"""A real chain whose operator takes blocks back and goes on otherwise: the site that signed one of them stops."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateways.chain_follower import ChainFollower
from gateways.data_folder import write_atomically
from gateways.key_ring import KeyRing
from gateways.key_ring.accounts import create_account
from gateways.key_ring.sealing import Argon2Cost
from gateways.repeating import repeat
from node.checkpoints.keeper import CheckpointKeeper
from node.daemon import WAITS_FOR
from node.site import ACCOUNT_KEY, AUDIT_KEY
from node.store.opening import STORE_KEY
from protocol.account_signatures import account_of
from protocol.deployment import encode_deployment
from protocol.errors import WrongChainError
from tests.fixtures_chain import ContractWorld
from tests.fixtures_ipfs import IPFSSwarm
from tests.node import data_builders
from tests.node.checkpoints.signing_site import KEY, SigningSite, end_round, store_of
from tests.node.site_world import LINEAGE, SiteWorld
from tests.node.test_node_process import PASSPHRASE, Node

pytestmark = pytest.mark.chain


def test_a_rewritten_chain_of_the_same_genesis_and_deployment_stops_the_site(
    tmp_path: Path, contract: ContractWorld
) -> None:
    world = SiteWorld(tmp_path / "node", words=False, world=contract, account=account_of(KEY))
    follower = ChainFollower(world.ledger)
    passes = []

    def loop() -> bool:
        follower.sync()
        passes.append(follower.head.number)
        return False

    def daemon() -> CheckpointKeeper:
        return CheckpointKeeper(SigningSite(world), follower, loop)

    keeper = daemon()
    keeper.step()
    keeper.step()
    before = contract.chain.rpc("evm_snapshot")
    outcome = end_round(world)
    keeper.step()
    keeper.step()
    signed = store_of(world).get(f"{LINEAGE}.1")
    assert signed is not None
    assert signed.checkpoint.block_hash == outcome

    assert contract.chain.rpc("evm_revert", before)
    while world.ledger.head().number < signed.checkpoint.number + 3:
        contract.advance(11)
    # It is still the chain of the deployment file, and longer than before.
    world.ledger.check_chain()
    seen = len(passes)
    for running in (keeper, daemon()):
        with pytest.raises(
            WrongChainError, match=f"rewritten: block {signed.checkpoint.number}, .*round 1 of {LINEAGE} as {outcome}"
        ):
            repeat(running.step, waits_for=WAITS_FOR, poll_seconds=0, max_backoff_seconds=0)
    assert len(passes) == seen


@pytest.fixture
def node(tmp_path: Path, contract: ContractWorld, ipfs_swarm: IPFSSwarm) -> Iterator[Node]:
    """A daemon of an admitted site, whose IPFS never delivers a model: it signs all the same."""
    folder = tmp_path / "node"
    folder.mkdir()
    key_ring = KeyRing.create(
        tmp_path / "keystore.json", PASSPHRASE, cost=Argon2Cost(iterations=1, lanes=1, memory_kib=512)
    )
    account = create_account(key_ring, ACCOUNT_KEY)
    key_ring.put(STORE_KEY, data_builders.STORE_KEY)
    key_ring.put(AUDIT_KEY, data_builders.AUDIT_KEY)
    SiteWorld(folder, words=False, world=contract, account=account)
    (tmp_path / "keystore.json").replace(folder / "keystore.json")
    write_atomically(tmp_path / "passphrase", PASSPHRASE)
    (folder / "deployment.json").write_bytes(encode_deployment(contract.deployment))
    config = tmp_path / "node.toml"
    config.write_text(
        'site = "dhaka-general"\ndata_folder = "node"\ndeployment = "node/deployment.json"\n'
        f'passphrase_file = "passphrase"\nlineages = ["{LINEAGE}"]\npoll_seconds = 0.1\nmax_backoff_seconds = 0.1\n'
        "fetch_timeout_seconds = 1\n"
        f'[chain]\nrpc_url = "{contract.chain.url}"\n[ipfs]\nurl = "{ipfs_swarm.there.rpc_url}"\n'
    )
    daemon = Node(config, tmp_path / "node.log")
    yield daemon
    if daemon.process.poll() is None:
        daemon.kill()


@pytest.mark.slow
@pytest.mark.ipfs
def test_the_daemon_ends_with_code_4_and_does_not_start_again(node: Node, contract: ContractWorld) -> None:
    before = contract.chain.rpc("evm_snapshot")
    contract.advance(5)
    node.start()
    node.wait_until_says("checkpoint.kept")
    assert contract.chain.rpc("evm_revert", before)
    contract.advance(9)
    assert node.process.wait(120) == 4
    node.start()
    assert node.process.wait(120) == 4
    assert node.log.read_text().count("error history was rewritten: block") == 2
