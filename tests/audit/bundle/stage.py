"""A real chain with finished rounds, its content in a fake block store, and a bundle of it."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.bundle.checking import BundleFinding, verify_bundle
from audit.bundle.container import Container, write_container
from audit.bundle.making import BundleOptions, MadeBundle, Sources, make_bundle
from audit.bundle.manifest import Manifest, Member
from audit.proofs.checkpoint import Checkpoint
from audit.replay import ReplayOptions
from gateways.ledger.block_reader import BlockReader
from gateways.ledger.deploying import deploy, unlocked_accounts
from gateways.ledger.rpc import RPCEndpoint
from gateways.ledger.signers import UnlockedAccount
from protocol.deployment import Deployment
from protocol.identifiers import Digest
from scripts.local_chain import LocalChain
from tests.aggregator.network import Network
from tests.audit.stage import LIMITS
from tests.fixtures_chain import ContractWorld


@dataclass
class Stage:
    """An honest network whose last round is over."""

    folder: Path
    deployment: Deployment
    network: Network
    url: str

    @property
    def checkpoint(self) -> Checkpoint:
        head, identity = self.network.governor.head(), self.deployment.identity
        return Checkpoint(identity.chain_id, identity.contract_address, head.number, head.block_hash)

    @property
    def blocks(self) -> BlockReader:
        return BlockReader(RPCEndpoint(self.url, timeout_seconds=30))

    def make(self, out: Path, *, checkpoint: Checkpoint | None = None, **options: Any) -> MadeBundle:
        work = out.with_suffix(".work")
        work.mkdir()
        sources = Sources(self.deployment, checkpoint or self.checkpoint, self.blocks, [self.network.store])
        return make_bundle(out, sources, work, BundleOptions(**({"limits": LIMITS} | options)))

    def verify(self, path: Path, *, keyless: bool = False, checkpoint: Checkpoint | None = None) -> BundleFinding:
        keys = () if keyless else (self.network.auditor_key,)
        return verify_bundle(path, checkpoint or self.checkpoint, ReplayOptions(keys=keys, limits=LIMITS))


@contextmanager
def stage_of(folder: Path, *, rounds: int, sites: int = 3) -> Iterator[Stage]:
    with LocalChain("anvil") as chain:
        accounts = unlocked_accounts(chain.url)
        deployment = deploy(chain.url, UnlockedAccount(accounts[0]), governor=accounts[1])
        world = ContractWorld(chain, deployment, deployment.governor)
        network = Network(folder, world=world, sites=sites, max_rounds=rounds)
        member = network.members[0]
        member.start()
        member.settle()
        for _ in range(rounds):
            network.register_all()
            member.settle()
        yield Stage(folder, deployment, network, chain.url)


@dataclass
class Parts:
    """A bundle taken apart, to be changed and put together again with a manifest that fits."""

    manifest: Manifest
    contents: dict[str, bytes]

    @classmethod
    def of(cls, path: Path) -> Parts:
        with Container(path) as container:
            names = [member.name for member in container.manifest.members]
            return cls(container.manifest, {name: b"".join(container.pieces(name)) for name in names})

    def put(self, path: Path, **fields: Any) -> Path:
        manifest = dataclasses.replace(self.manifest, **({"members": members_of(self.contents)} | fields))
        with path.open("wb") as out:
            write_container(out, manifest, (iter([content]) for content in self.contents.values()))
        return path


def members_of(contents: dict[str, bytes]) -> tuple[Member, ...]:
    return tuple(
        Member(name, len(content), Digest(hashlib.sha256(content).digest())) for name, content in contents.items()
    )


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
