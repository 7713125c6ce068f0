"""An intake, and a watched folder over it, for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.node.data.hospital import Hospital
from tests.node.data.watch import Watch


@pytest.fixture
def hospital(tmp_path: Path) -> Hospital:
    return Hospital(tmp_path / "site")


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    return Watch(Hospital(tmp_path / "site"), tmp_path / "watched")
