"""Whether a file can be written is known before it matters."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateways.data_folder import require_writable, write_atomically
from protocol.errors import StoreError


def test_a_place_that_takes_a_file_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "copy.json"
    require_writable(path)
    assert list(tmp_path.iterdir()) == []
    path.write_bytes(b"kept")
    require_writable(path)
    assert path.read_bytes() == b"kept"


@pytest.mark.parametrize("name", ["none/copy.json", ".", "file/copy.json"])
def test_a_place_that_takes_none_is_refused_with_a_hint(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError) as refused:
        require_writable(tmp_path / name)
    assert refused.value.hint


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: Path(path).symlink_to("/dev/null")], ids=["pipe", "link"])
def test_what_is_no_file_is_never_replaced_by_one(tmp_path: Path, make: Callable[[Path], None]) -> None:
    place = tmp_path / "proof.json"
    make(place)
    before = place.lstat()
    for write in (require_writable, lambda path: write_atomically(path, b"proof")):
        with pytest.raises(StoreError, match="no file") as refused:
            write(place)
        assert refused.value.hint
    assert place.lstat() == before
