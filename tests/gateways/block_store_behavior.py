"""What every block store does: run on the fake and on real IPFS alike.

A subclass gives two fixtures: ``here`` and ``there``, two stores that reach each other. Contents are random, so that
tests never meet what another one added.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from protocol.cid import CHUNK_BYTES, cid_of_bytes, cid_of_file
from protocol.errors import ContentMissingError, ContentTooLargeError
from protocol.ports import BlockStore

MAX_BYTES = 32 << 20
SECONDS = 20.0


def random_file(folder: Path, num_bytes: int) -> Path:
    path = folder / f"content-{os.urandom(4).hex()}"
    path.write_bytes(os.urandom(num_bytes))
    return path


class BlockStoreBehavior:
    @pytest.mark.parametrize("num_bytes", [1, CHUNK_BYTES, CHUNK_BYTES + 1, 5 * CHUNK_BYTES + 7])
    def test_added_content_has_the_cid_computed_offline_and_comes_back(
        self, here: BlockStore, tmp_path: Path, num_bytes: int
    ) -> None:
        path = random_file(tmp_path, num_bytes)
        cid = here.add(path)
        assert cid == cid_of_file(path)
        length = here.fetch(cid, tmp_path / "out", max_bytes=MAX_BYTES, timeout_seconds=SECONDS)
        assert length == num_bytes
        assert (tmp_path / "out").read_bytes() == path.read_bytes()

    def test_an_empty_file_comes_back_empty(self, here: BlockStore, tmp_path: Path) -> None:
        (tmp_path / "empty").touch()
        cid = here.add(tmp_path / "empty")
        assert here.fetch(cid, tmp_path / "out", max_bytes=0, timeout_seconds=SECONDS) == 0
        assert (tmp_path / "out").read_bytes() == b""

    def test_adding_twice_is_adding_once(self, here: BlockStore, tmp_path: Path) -> None:
        path = random_file(tmp_path, 1000)
        assert here.add(path) == here.add(path)
        here.unpin(cid_of_file(path))
        assert not here.holds(cid_of_file(path))

    def test_content_added_at_one_store_is_fetched_at_another(
        self, here: BlockStore, there: BlockStore, tmp_path: Path
    ) -> None:
        path = random_file(tmp_path, 3 * CHUNK_BYTES)
        cid = here.add(path)
        assert not there.holds(cid)
        there.fetch(cid, tmp_path / "out", max_bytes=MAX_BYTES, timeout_seconds=SECONDS)
        assert (tmp_path / "out").read_bytes() == path.read_bytes()

    def test_a_pinned_cid_is_held_until_it_is_unpinned(
        self, here: BlockStore, there: BlockStore, tmp_path: Path
    ) -> None:
        cid = here.add(random_file(tmp_path, 2 * CHUNK_BYTES))
        there.pin(cid, timeout_seconds=SECONDS)
        assert there.holds(cid)
        there.unpin(cid)
        assert not there.holds(cid)
        assert here.holds(cid)

    def test_unpinning_what_is_not_pinned_is_no_error(self, here: BlockStore) -> None:
        here.unpin(cid_of_bytes(os.urandom(8)))

    def test_what_nobody_has_is_missing_after_the_time_out(self, here: BlockStore, tmp_path: Path) -> None:
        cid = cid_of_bytes(os.urandom(8))
        with pytest.raises(ContentMissingError) as caught:
            here.fetch(cid, tmp_path / "out", max_bytes=MAX_BYTES, timeout_seconds=0.3)
        assert caught.value.cid == cid
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(ContentMissingError):
            here.pin(cid, timeout_seconds=0.3)
        assert not here.holds(cid)

    def test_content_of_the_allowed_length_is_fetched_and_one_byte_more_is_not(
        self, here: BlockStore, tmp_path: Path
    ) -> None:
        cid = here.add(random_file(tmp_path, 5000))
        assert here.fetch(cid, tmp_path / "out", max_bytes=5000, timeout_seconds=SECONDS) == 5000
        with pytest.raises(ContentTooLargeError):
            here.fetch(cid, tmp_path / "too-long", max_bytes=4999, timeout_seconds=SECONDS)
        assert not (tmp_path / "too-long").exists()

    def test_a_failed_fetch_leaves_the_file_that_was_there(self, here: BlockStore, tmp_path: Path) -> None:
        folder = tmp_path / "folder"
        folder.mkdir()
        (folder / "out").write_bytes(b"before")
        cid = here.add(random_file(tmp_path, 5000))
        with pytest.raises(ContentTooLargeError):
            here.fetch(cid, folder / "out", max_bytes=10, timeout_seconds=SECONDS)
        assert (folder / "out").read_bytes() == b"before"
        assert [path.name for path in folder.iterdir()] == ["out"]
