"""tests/fakes/block_store.py keeps the promises of the port, or tests that use it prove nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from protocol.errors import BlockStoreUnavailableError, ContentMismatchError, ContentMissingError
from tests.fakes.block_store import FakeBlockStore, FakeSwarm
from tests.gateways.block_store_behavior import BlockStoreBehavior


class TestFakeBlockStore(BlockStoreBehavior):
    @pytest.fixture
    def swarm(self) -> FakeSwarm:
        return FakeSwarm()

    @pytest.fixture
    def here(self, swarm: FakeSwarm) -> FakeBlockStore:
        return swarm.store()

    @pytest.fixture
    def there(self, swarm: FakeSwarm) -> FakeBlockStore:
        return swarm.store()


def test_damaged_content_is_a_mismatch_and_forgotten_content_is_missing(tmp_path: Path) -> None:
    store = FakeBlockStore()
    (tmp_path / "in").write_bytes(b"content")
    cid = store.add(tmp_path / "in")
    store.damage(cid)
    with pytest.raises(ContentMismatchError):
        store.fetch(cid, tmp_path / "out", max_bytes=100, timeout_seconds=1)
    store.forget(cid)
    with pytest.raises(ContentMissingError):
        store.fetch(cid, tmp_path / "out", max_bytes=100, timeout_seconds=1)


def test_a_store_that_is_down_is_unavailable(tmp_path: Path) -> None:
    store = FakeBlockStore()
    store.is_down = True
    (tmp_path / "in").write_bytes(b"content")
    with pytest.raises(BlockStoreUnavailableError):
        store.add(tmp_path / "in")
