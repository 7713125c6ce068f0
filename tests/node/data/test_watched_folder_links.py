"""What lies in a watched folder, or takes a file's place there, is not followed: links, pipes, sockets."""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from node.store.pages import has_page
from node.store.quarantine import quarantined_files
from prescriptions.load import load_bytes
from protocol.errors import ConfigError
from tests.node.data.hospital import page_file
from tests.node.data.watch import Watch
from tests.node.data_builders import NOW


def test_links_hidden_and_unfinished_files_are_not_taken(watch: Watch, tmp_path: Path) -> None:
    outside = page_file(tmp_path / "outside.png", 1)
    (watch.folder / "P001").mkdir()
    (watch.folder / "P001" / "link.png").symlink_to(outside)
    (watch.folder / "P002").symlink_to(tmp_path)
    watch.page("P001/.hidden.png")
    watch.page("P001/b.png").rename(watch.folder / "P001" / "b.png.part")
    assert not watch.settle()
    assert watch.hospital.counts()["pages"] == 0
    assert outside.exists()


@pytest.mark.parametrize("link", ["imported", "refused", "imported/P001", "refused/P001"])
def test_nothing_is_imported_or_written_where_a_link_is_in_the_place_of_a_target(
    watch: Watch, tmp_path: Path, link: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (watch.folder / link).parent.mkdir(exist_ok=True)
    (watch.folder / link).symlink_to(elsewhere)
    watch.page("P001/a.png")
    (watch.folder / "P001" / "letter.png").write_text("Dear colleague")
    with capture_logs() as logs:
        assert not watch.settle()
    assert list(elsewhere.iterdir()) == []
    assert {"P001/a.png", "P001/letter.png"} <= set(watch.names())
    assert watch.hospital.counts()["pages"] == 0
    (said,) = [entry for entry in logs if entry["event"] == "watched_folder.sidecar"]
    assert "is a link" in said["reason"]
    assert "P001" not in said["reason"]
    (watch.folder / link).unlink()
    assert watch.step()
    assert watch.patients() == {"P001"}


@pytest.mark.parametrize("suffix", ["", ".reason", ".patient"])
def test_a_link_with_the_name_of_a_target_is_not_followed(watch: Watch, tmp_path: Path, suffix: str) -> None:
    outside = tmp_path / "outside"
    outside.write_text("keep me")
    (watch.folder / "refused").mkdir()
    (watch.folder / "refused" / f"letter.png{suffix}").symlink_to(outside)
    (watch.folder / "letter.png").write_text("Dear colleague")
    (watch.folder / "letter.png.patient").write_text("P001")
    assert watch.settle()
    assert outside.read_text() == "keep me"
    assert not (watch.folder / "letter.png").exists()


def test_a_sidecar_that_cannot_be_read_holds_up_its_own_file_only(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch.page("P001/a.png", 1)
    watch.page("P002/b.png", 2)
    (watch.folder / "P001/a.png.patient").write_text("P009")

    def refuse(path: str) -> None:
        if path == "a.png.patient":
            raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as broken, capture_logs() as logs:
        before_opening(broken, refuse)
        watch.settle()
        watch.settle()
    assert watch.patients() == {"P002"}
    assert [entry["event"] for entry in logs].count("watched_folder.sidecar") == 1
    assert "P001" not in repr(logs)
    watch.settle()
    assert watch.patients() == {"P002", "P009"}


def before_opening(monkeypatch: pytest.MonkeyPatch, happens: Callable[[str], None]) -> None:
    """Calls something with a file's name between the look at it and its opening."""
    opened = os.open

    def late(path: str, *arguments: Any, **options: Any) -> int:
        happens(Path(path).name)
        return opened(path, *arguments, **options)

    monkeypatch.setattr("os.open", late)


def replaced_by_link(path: Path, secret: Path) -> None:
    path.unlink()
    path.symlink_to(secret)


def replaced_by_pipe(path: Path, _secret: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def replaced_by_socket(path: Path, _secret: Path) -> None:
    path.unlink()
    os.mknod(path, stat.S_IFSOCK | 0o600)


def replaced_by_folder(path: Path, _secret: Path) -> None:
    path.unlink()
    path.mkdir()


def folder_replaced_by_link(path: Path, secret: Path) -> None:
    path.parent.rename(path.parent.with_name("moved away"))
    path.parent.symlink_to(secret.parent)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("name", "replace"),
    [
        *itertools.product(
            ("a.png", "a.png.patient", "manifest.csv"),
            (replaced_by_link, replaced_by_pipe, replaced_by_socket, replaced_by_folder),
        ),
        ("a.png", folder_replaced_by_link),
        ("a.png.patient", folder_replaced_by_link),
    ],
)
def test_what_replaces_a_file_after_it_was_looked_at_is_not_read(
    watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, replace: Callable[[Path, Path], None]
) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    page_file(secrets / "a.png", 7)
    (secrets / "a.png.patient").write_text("P666")
    (secrets / "manifest.csv").write_text("file,patient\nP001/a.png,P666\n")
    watch.page("P001/a.png", 1)
    (watch.folder / "P001" / "a.png.patient").write_text("P001")
    (watch.folder / "manifest.csv").write_text("file,patient\nP001/a.png,P001\n")
    place = watch.folder / name if name == "manifest.csv" else watch.folder / "P001" / name

    at = ["P001" if replace is folder_replaced_by_link else name]

    def strike(opened: str) -> None:
        if opened in at and watch.seconds:
            at.clear()
            replace(place, secrets / name)

    with monkeypatch.context() as broken, capture_logs() as logs:
        before_opening(broken, strike)
        for _ in range(3):
            watch.watched.step_or_wait(NOW)
            watch.seconds += 10
    assert at == []
    assert "P001" not in repr(logs)
    assert "P666" not in watch.patients()
    with watch.hospital.parts.store.read() as transaction:
        secret = load_bytes((secrets / "a.png").read_bytes())[0]
        assert not has_page(transaction, secret.digest)
        assert quarantined_files(transaction) == ()
    assert (secrets / "a.png").exists()


def test_a_pipe_named_on_the_command_line_is_refused_and_not_waited_for(watch: Watch, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ConfigError, match="no regular file"):
        watch.hospital.take(tmp_path / "pipe.png")
