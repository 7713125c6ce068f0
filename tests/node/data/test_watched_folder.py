"""node/data/watched_folder.py: what a scanner leaves is imported once, or refused with its reason."""

from __future__ import annotations

import hashlib
import os
import signal
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from node.data.watched_folder import WatchedFolder
from node.store.quarantine import quarantined_files
from protocol.errors import ConfigError, PrescriptionError, StoreError
from tests.node.data.hospital import Hospital, page_file
from tests.node.data.watch import Watch
from tests.node.data_builders import NOW


def test_a_page_in_a_patients_folder_is_imported_and_moved(watch: Watch) -> None:
    watch.page("P001/a.png")
    assert watch.settle()
    assert watch.names() == ["imported/P001/a.png"]
    assert watch.patients() == {"P001"}
    assert not watch.settle()


def test_a_file_that_still_grows_is_left_alone(watch: Watch) -> None:
    path = watch.page("P001/a.png")
    content = path.read_bytes()
    for size in (100, 200, len(content)):
        path.write_bytes(content[:size])
        assert not watch.step()
    assert watch.names() == ["P001/a.png"]
    assert watch.step()
    assert watch.names() == ["imported/P001/a.png"]


def test_a_file_is_not_taken_before_it_lay_still_long_enough(watch: Watch) -> None:
    watch.page("P001/a.png")
    assert not watch.step(4)
    assert not watch.step(4)
    assert watch.step()


def test_a_sidecar_names_the_patient_and_moves_along(watch: Watch) -> None:
    watch.page("scan.png")
    (watch.folder / "scan.png.patient").write_text("P007\n")
    watch.settle()
    assert watch.names() == ["imported/scan.png", "imported/scan.png.patient"]
    assert watch.patients() == {"P007"}


def test_a_manifest_names_the_patients(watch: Watch) -> None:
    watch.page("one.png", 1)
    watch.page("two.png", 2)
    (watch.folder / "manifest.csv").write_text("file,patient\none.png,P001\ntwo.png,P002\n")
    watch.settle()
    assert watch.names() == ["imported/one.png", "imported/two.png", "manifest.csv"]
    assert watch.patients() == {"P001", "P002"}


def test_a_sidecar_counts_more_than_the_folder(watch: Watch) -> None:
    watch.page("P001/a.png")
    (watch.folder / "P001/a.png.patient").write_text("P002")
    watch.settle()
    assert watch.patients() == {"P002"}


def test_a_file_whose_patient_nobody_names_waits(watch: Watch) -> None:
    watch.page("scan.png")
    (watch.folder / "manifest.csv").write_text("half a manif")
    assert not watch.settle()
    assert watch.names() == ["manifest.csv", "scan.png"]
    (watch.folder / "scan.png.patient").write_text("P001")
    assert watch.step()
    assert watch.patients() == {"P001"}


def test_a_bad_file_is_refused_with_its_reason(watch: Watch) -> None:
    (watch.folder / "P001").mkdir()
    (watch.folder / "P001" / "letter.png").write_text("Dear colleague")
    assert watch.settle()
    assert watch.names() == ["refused/P001/letter.png", "refused/P001/letter.png.reason"]
    assert "no PNG" in (watch.folder / "refused/P001/letter.png.reason").read_text()


def test_a_patient_who_cannot_be_one_is_refused(watch: Watch) -> None:
    watch.page("scan.png")
    (watch.folder / "scan.png.patient").write_text("x" * 200)
    watch.settle()
    assert watch.names() == ["refused/scan.png", "refused/scan.png.patient", "refused/scan.png.reason"]


def test_an_engine_that_fails_on_a_page_refuses_it_and_the_next_is_taken(watch: Watch) -> None:
    def fail(_image: object) -> tuple[()]:
        raise PrescriptionError("the engine stopped")

    watch.page("P001/a.png", 1)
    read = watch.hospital.reader.read
    watch.hospital.reader.read = fail  # type: ignore[method-assign] # the reader of a test
    watch.settle()
    watch.hospital.reader.read = read  # type: ignore[method-assign] # the reader of a test
    watch.page("P001/b.png", 2)
    watch.settle()
    assert watch.names() == ["imported/P001/b.png", "refused/P001/a.png", "refused/P001/a.png.reason"]


def test_a_duplicate_is_moved_and_never_overwrites(watch: Watch) -> None:
    for _ in range(2):
        watch.page("P001/a.png")
        watch.settle()
    assert watch.names() == ["imported/P001/a-2.png", "imported/P001/a.png"]
    assert watch.hospital.counts()["pages"] == 1


def test_a_sidecar_left_in_the_archive_names_the_patient_of_no_new_file(watch: Watch) -> None:
    watch.page("P001/a.png", 1)
    (watch.folder / "P001/a.png.patient").write_text("P009")
    watch.settle()
    (watch.folder / "imported/P001/a.png").unlink()
    watch.page("P001/a.png", 2)
    watch.settle()
    assert watch.patients() == {"P009", "P001"}
    assert watch.names() == ["imported/P001/a-2.png", "imported/P001/a.png.patient"]


def test_a_sidecar_that_moved_ahead_names_the_patient_of_its_own_file_only(watch: Watch) -> None:
    ahead = watch.folder / "imported" / "P001"
    ahead.mkdir(parents=True)
    page, other = watch.page("P001/a.png", 1), watch.page("P001/b.png", 2)
    digest = hashlib.sha256(page.read_bytes()).hexdigest()
    for path in (page, other):
        (ahead / f"{path.name}.patient").write_text(f"P009\nof the file with SHA-256 {digest}\n")
    watch.settle()
    assert watch.names() == [
        "imported/P001/a.png", "imported/P001/a.png.patient",
        "imported/P001/b-2.png", "imported/P001/b.png.patient",
    ]  # fmt: skip
    assert (ahead / "a.png.patient").read_text() == "P009\n"
    assert watch.patients() == {"P009", "P001"}


def test_a_pass_takes_no_more_than_its_time_allows(tmp_path: Path) -> None:
    watch = Watch(Hospital(tmp_path / "site"), tmp_path / "watched", budget_seconds=1)
    for seed in range(3):
        watch.page(f"P001/{seed}.png", seed)
    watch.step()

    def slow(now: int) -> bool:
        began = watch.seconds
        watch.watched._clock = lambda: watch.seconds if watch.hospital.reader.pages == before else began + 2
        return watch.watched.step(now)

    for left in (2, 1, 0):
        before = watch.hospital.reader.pages
        assert slow(NOW)
        watch.seconds += 10
        assert len([name for name in watch.names() if name.startswith("P001/")]) == left


def test_a_folder_that_is_not_there_is_a_wrong_setting(watch: Watch, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="watched folder"):
        WatchedFolder(tmp_path / "none", watch.hospital.parts, settle_seconds=5, budget_seconds=5)


def test_a_file_under_a_name_that_is_no_text_is_imported_or_refused_like_any_other(watch: Watch) -> None:
    page_file(watch.folder / "x.png", 1)
    for name, content in ((b"\xff\x1b[2J.png", (watch.folder / "x.png").read_bytes()), (b"\xfe.png", b"no picture")):
        path = watch.folder / os.fsdecode(name)
        path.write_bytes(content)
        path.with_name(path.name + ".patient").write_text("P001")
    (watch.folder / "x.png").unlink()
    assert watch.settle()
    (word,) = watch.hospital.words()
    assert word.proposal.where.file == "  [2J.png"
    with watch.hospital.parts.store.read() as transaction:
        assert [kept.file_name for kept in quarantined_files(transaction)] == [" .png"]


def test_while_the_manifest_cannot_be_read_no_folder_names_a_patient_in_its_place(watch: Watch) -> None:
    watch.page("P001/a.png", 1)
    (watch.folder / "manifest.csv").write_bytes(b"file,patient\nP001/a.png,\xe0")
    assert not watch.settle()
    (watch.folder / "manifest.csv").write_text("file,patient\nP001/a.png,P002\n")
    watch.settle()
    assert watch.patients() == {"P002"}


def test_a_folder_that_takes_no_file_is_said_at_the_start_and_imports_nothing(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    watch.page("P001/a.png")
    with monkeypatch.context() as broken, capture_logs() as logs:
        broken.setattr("tempfile.mkstemp", refuse)
        watch = Watch(watch.hospital, watch.folder)
        assert [entry["event"] for entry in logs] == ["watched_folder.not_writable"]
        watch.step()
        with pytest.raises(StoreError, match="no permission"):
            watch.step()
        for _ in range(2):
            assert not watch.watched.step_or_wait(NOW)
    assert [entry["event"] for entry in logs].count("watched_folder.waiting") == 1
    assert watch.hospital.reader.pages == 0
    assert watch.watched.step_or_wait(NOW)
    assert watch.patients() == {"P001"}


@pytest.mark.parametrize("bad", [False, True], ids=["a good page", "a bad file"])
def test_killed_anywhere_nothing_is_lost_and_nothing_comes_twice(tmp_path: Path, bad: bool) -> None:
    step = 0
    while True:
        folder, watched = tmp_path / f"site-{step}", tmp_path / f"watched-{step}"
        (watched / "P001").mkdir(parents=True)
        path = page_file(watched / "P001" / "a.png", 1)
        if bad:
            path.write_text("Dear colleague")
        (watched / "P001" / "a.png.patient").write_text("P009")
        finished = _killed_before(step, folder, watched)
        watch = Watch(Hospital(folder), watched)
        watch.settle()
        where = "refused" if bad else "imported"
        expected = [f"{where}/P001/a.png", f"{where}/P001/a.png.patient"]
        expected += [f"{where}/P001/a.png.reason"] if bad else []
        assert watch.names() == expected, f"killed before step {step}"
        assert watch.patients() == (set() if bad else {"P009"})
        assert watch.hospital.counts()["pages"] == (0 if bad else 1)
        if finished:
            break
        step += 1
    assert step >= 8


def _killed_before(step: int, folder: Path, watched: Path) -> bool:
    """Imports in a process that gets SIGKILL before its n-th change of the watched folder; whether it ended first."""
    child = os.fork()
    if child == 0:
        taken = iter(range(1000))

        def tick(name: str, arguments: tuple[object, ...]) -> None:
            # Within the opened folders names are without a path.
            within = name in {"os.rename", "os.mkdir", "os.remove"} and arguments[-1] != -1
            written = name == "os.truncate" or (name == "open" and str(arguments[0]).endswith(".part"))
            if (within or written) and next(taken) == step:
                os.kill(os.getpid(), signal.SIGKILL)

        import sys  # noqa: PLC0415

        code = 1
        try:
            watch = Watch(Hospital(folder), watched)
            sys.addaudithook(tick)
            watch.settle()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
