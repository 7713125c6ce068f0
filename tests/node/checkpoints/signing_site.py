"""A site that signs checkpoints of a fake chain, and what it keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gateways.chain_follower import ChainFollower
from gateways.data_folder import DataFolder
from node.checkpoints.keeper import CheckpointKeeper
from node.checkpoints.kept import KeptCheckpoints
from node.site import Site
from protocol.account_signatures import account_of
from protocol.identifiers import BlockHash
from tests.node.site_world import SiteWorld

KEY = b"\x05" * 32


class SigningSite(Site):
    """A site whose chain is the world's and whose account's key is in no keystore."""

    def __init__(self, world: SiteWorld, key: bytes = KEY) -> None:
        super().__init__(world.node_settings())
        self._world, self._key = world, key

    ledger = property(lambda self: self._world.ledger)
    chain_reader = property(lambda self: self._world.world.fresh_ledger())
    identity = property(lambda self: self._world.ledger.identity)
    journal = property(lambda self: self._world.journal)
    account = property(lambda self: account_of(self._key))
    key_ring = property(lambda self: self)

    def get(self, _name: str) -> bytes:
        return self._key


class Daemon:
    """The keeper over a loop that only reads the chain."""

    def __init__(self, world: SiteWorld, *, key: bytes = KEY) -> None:
        self.passes = 0
        self.follower = ChainFollower(world.ledger)
        self.keeper = CheckpointKeeper(SigningSite(world, key), self.follower, self._read)

    def _read(self) -> bool:
        self.follower.sync()
        self.passes += 1
        return False

    def step(self, times: int = 2) -> None:
        """The second pass signs what the first has read."""
        for _ in range(times):
            self.keeper.step()


def store_of(world: SiteWorld) -> KeptCheckpoints:
    return KeptCheckpoints(DataFolder(world.folder), world.ledger.identity)


def folder_of(world: SiteWorld) -> Path:
    (folder,) = (world.folder / "checkpoints").iterdir()
    return folder


def kept(world: SiteWorld) -> dict[str, Any]:
    return {one.name: one.checkpoint for one in store_of(world).all()}


def end_round(world: SiteWorld) -> BlockHash:
    """One more round without this site; the block that holds its outcome."""
    world.open_round()
    world.others_register()
    world.finish()
    at = world.view(world.lineage.last_round).outcome_at
    assert at is not None
    return at.block_hash
