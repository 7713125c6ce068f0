"""What SQLite refuses is told with what to do."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import event

from gateways.journal import Journal
from protocol.errors import StoreError


@contextmanager
def no_file_grows_past(size_bytes: int) -> Iterator[None]:
    """SQLite's index of its log is longer, and meets what it meets on a disk without a free byte."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_says_to_free_space_and_loses_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    journal.record("before", 1)
    journal.close()

    @event.listens_for(journal._engine, "connect")
    def _small(connection: object, _record: object) -> None:
        connection.execute("PRAGMA max_page_count = 8")  # type: ignore[attr-defined] # the driver's

    with pytest.raises(StoreError, match="disk is full") as refused:
        journal.record("after", "x" * 100_000)
    assert "free space" in refused.value.hint
    assert str(tmp_path) in refused.value.what
    assert (journal.get("before"), journal.get("after")) == (1, None)


@pytest.mark.parametrize(("free_bytes", "advice"), [(0, "free space and start again"), (1 << 30, "restore a backup")])
def test_an_io_error_is_a_full_disk_where_no_space_is_left_and_damage_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_bytes: int, advice: str
) -> None:
    path = tmp_path / "journal.sqlite"
    journal = Journal(path)
    journal.record("before", 1)
    journal.close()
    monkeypatch.setattr("shutil.disk_usage", lambda _folder: SimpleNamespace(free=free_bytes))
    with no_file_grows_past(8192), pytest.raises(StoreError, match="disk I/O error") as refused:
        Journal(path)
    assert advice in refused.value.hint
    assert str(path) in refused.value.what
    assert Journal(path).get("before") == 1


def test_a_file_that_is_no_journal_says_to_restore_a_backup(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(StoreError, match="not a database") as refused:
        Journal(path)
    assert "backup" in refused.value.hint
