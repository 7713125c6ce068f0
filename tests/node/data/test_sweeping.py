"""node/data/sweeping.py: sealed copies of what could not be imported live no longer than the settings allow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from node.daemon import sweeping
from node.data.intake import ImportItem, import_files
from node.data.sweeping import sweep
from node.store.quarantine import QuarantinedFile, quarantined_files
from tests.node.data.hospital import Hospital, page_file
from tests.node.data_builders import DAY, NOW


def bad_file(folder: Path, name: str = "letter.png") -> Path:
    path = folder / name
    path.write_text(f"Dear colleague, {name}")
    return path


def take(hospital: Hospital, path: Path, now: int) -> None:
    import_files(hospital.parts, [ImportItem(path, "P001")], now)


def kept(hospital: Hospital) -> tuple[QuarantinedFile, ...]:
    with hospital.parts.store.read() as transaction:
        return quarantined_files(transaction)


def swept(hospital: Hospital, now: int, quarantine_days: int = 30) -> None:
    parts = hospital.parts
    sweep(
        parts.store, parts.originals, parts.quarantine, now,
        keep_originals=parts.keep_originals, quarantine_days=quarantine_days,
    )  # fmt: skip


@pytest.mark.parametrize(("age", "copies"), [(30 * DAY - 1, 1), (30 * DAY, 0)])
def test_a_copy_goes_at_its_age_and_its_reason_stays(hospital: Hospital, tmp_path: Path, age: int, copies: int) -> None:
    take(hospital, bad_file(tmp_path), NOW)
    (before,) = kept(hospital)
    swept(hospital, NOW + age)
    (after,) = kept(hospital)
    assert (after.reason, after.sentence, after.file_name) == (before.reason, before.sentence, "letter.png")
    assert (after.kept is not None) is bool(copies)
    assert hospital.counts()["quarantine files"] == copies


def test_the_next_import_sweeps_too(hospital: Hospital, tmp_path: Path) -> None:
    take(hospital, bad_file(tmp_path), NOW)
    take(hospital, bad_file(tmp_path, "other.png"), NOW + 31 * DAY)
    assert [found.kept is not None for found in kept(hospital)] == [False, True]
    assert hospital.counts()["quarantine files"] == 1


def test_with_0_days_only_the_reason_is_kept(hospital: Hospital, tmp_path: Path) -> None:
    take(hospital, bad_file(tmp_path), NOW)
    hospital.parts = replace(hospital.parts, quarantine_days=0)
    take(hospital, bad_file(tmp_path, "other.png"), NOW)
    assert [(found.reason, found.kept) for found in kept(hospital)] == [("unsupported-type", None)] * 2
    assert hospital.counts()["quarantine files"] == 0


def test_a_copy_whose_key_was_forgotten_before_the_process_was_killed_goes_with_the_next_sweep(
    hospital: Hospital, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(hospital, bad_file(tmp_path), NOW)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr("node.store.sealed_files.SealedFiles.sweep", die)
        with pytest.raises(KeyboardInterrupt):
            swept(hospital, NOW + 30 * DAY)
    assert (kept(hospital)[0].kept, hospital.counts()["quarantine files"]) == (None, 1)
    swept(hospital, NOW + 30 * DAY)
    assert hospital.counts()["quarantine files"] == 0


def test_the_files_of_pages_that_wait_for_review_stay(hospital: Hospital, tmp_path: Path) -> None:
    take(hospital, page_file(tmp_path / "a.png", 1), NOW)
    swept(hospital, NOW + 400 * DAY)
    assert hospital.counts()["originals files"] == 1


def test_the_daemon_sweeps_once_an_hour_and_a_fault_holds_up_no_round(hospital: Hospital, tmp_path: Path) -> None:
    site: Any = SimpleNamespace(
        store=hospital.parts.store,
        folder=hospital.folder,
        settings=SimpleNamespace(
            reading=SimpleNamespace(keep_originals=False), intake=SimpleNamespace(quarantine_days=30)
        ),
    )
    seconds, steps = [0.0], []

    def step() -> bool:
        steps.append(seconds[0])
        return True

    look = sweeping(site, step, clock=lambda: seconds[0])
    take(hospital, bad_file(tmp_path), 1)
    assert look()
    assert hospital.counts()["quarantine files"] == 0
    stray = hospital.folder / "quarantine" / "mine.sealed"
    stray.write_bytes(b"")
    seconds[0] = 3599
    with capture_logs() as logs:
        assert look()
        assert logs == []
        seconds[0] = 3600
        assert look()
    assert [entry["event"] for entry in logs] == ["node.sweep_failed"]
    assert steps == [0, 3599, 3600]
