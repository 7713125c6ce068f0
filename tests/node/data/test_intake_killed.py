"""An import that is killed, or that runs twice at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from node.data.intake import ImportItem, Outcome, import_files
from node.store.local_store import LocalStore
from node.store.pages import known_files
from node.store.sealed_files import SealedFiles
from tests.node.data.hospital import Hospital, page_file
from tests.node.data_builders import NOW


@pytest.mark.parametrize("kind", ["pages", "quarantine"])
def test_an_import_killed_before_any_step_is_finished_by_running_it_again(tmp_path: Path, kind: str) -> None:
    if kind == "pages":
        path = page_file(tmp_path / "two.pdf", 1, 2)
    else:
        path = tmp_path / "letter.txt"
        path.write_text("Dear colleague")
    whole = Hospital(tmp_path / "whole")
    whole.take(path)
    expected = whole.counts()
    step = 0
    while True:
        folder = tmp_path / f"killed-{step}"
        if _run_and_kill(folder, path, step) == 0:
            break
        assert Hospital(folder).take(path).files[0].outcome in Outcome
        assert Hospital(folder).counts() == expected, f"killed before step {step}"
        step += 1
    assert step >= {"pages": 6, "quarantine": 3}[kind]


def test_what_a_killed_import_left_is_swept_when_its_file_never_comes_again(tmp_path: Path) -> None:
    path, other = page_file(tmp_path / "a.png", 1), page_file(tmp_path / "b.png", 2)
    assert _run_and_kill(tmp_path / "site", path, 3) != 0
    hospital = Hospital(tmp_path / "site")
    assert hospital.counts()["originals files"] == 1
    import_files(hospital.parts, [ImportItem(other, "P002")], NOW + 3 * 24 * 3600)
    assert hospital.counts()["originals files"] == hospital.counts()["originals"] == 1
    with hospital.parts.store.read() as transaction:
        assert len(known_files(transaction)[0]) == 1


def test_two_processes_that_import_the_same_files_store_each_page_once(tmp_path: Path) -> None:
    paths = [page_file(tmp_path / f"{seed}.png", seed) for seed in range(4)]
    folder = tmp_path / "site"
    Hospital(folder).parts.store.close()
    children = [_fork(lambda: Hospital(folder).take(*paths)) for _ in range(2)]
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0]
    counts = Hospital(folder).counts()
    assert (counts["pages"], counts["words"]) == (4, 4)
    assert counts["originals"] == counts["originals files"] == 4


def _run_and_kill(folder: Path, path: Path, step: int) -> int:
    """Imports in a process that gets SIGKILL before its n-th write; returns its exit code."""

    def child() -> None:
        taken = iter(range(1_000))

        def tick() -> None:
            if next(taken) == step:
                os.kill(os.getpid(), signal.SIGKILL)

        hospital = Hospital(folder)
        original_write = LocalStore.write

        @contextmanager
        def write(self: LocalStore) -> Any:
            with original_write(self) as transaction:
                yield transaction
                # Inside the transaction: killed just before its commit.
                tick()

        def ticking(method: Callable[..., None]) -> Callable[..., None]:
            def call(*arguments: Any) -> None:
                tick()
                method(*arguments)

            return call

        LocalStore.write = write  # type: ignore[method-assign]
        for name in ("write", "remove"):
            setattr(SealedFiles, name, ticking(getattr(SealedFiles, name)))
        hospital.take(path)

    return os.waitstatus_to_exitcode(os.waitpid(_fork(child), 0)[1])


def _fork(work: Callable[[], object]) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return child
