"""What SQLite refuses is told with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import event

from gateways.journal import Journal
from protocol.errors import StoreError


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


def test_a_file_that_is_no_journal_says_to_restore_a_backup(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(b"nothing of the kind" * 100)
    with pytest.raises(StoreError, match="not a database") as refused:
        Journal(path)
    assert "backup" in refused.value.hint
