"""The watched folder: files that lie still in it are imported, and then moved to ``imported`` or ``refused`` in it.

Whose a file is says, in this order: a sidecar ``FILE.patient`` that holds the identifier, a line of ``manifest.csv`` in
the watched folder, the name of the sub-folder that the file lies in. A file of which nothing says it waits.

A file is moved after its import is durable, and importing the same pages again changes nothing: a process that is
killed between the two takes the file once more and finds a duplicate.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from gateways.data_folder import require_writable, store_error
from node.data.intake import ImportItem, Outcome, import_files
from node.data.watched_archive import (
    IMPORTED,
    PATIENT_SUFFIX,
    REASON_SUFFIX,
    REFUSED,
    move,
    patient_beside,
    patient_of_interrupted,
)
from node.data.watched_files import open_watched
from prescriptions.manifest import MAX_MANIFEST_BYTES, parse_manifest
from protocol.errors import ConfigError, PrescriptionError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from node.data.intake import FileReport, IntakeParts

logger = structlog.get_logger(__name__)

MANIFEST = "manifest.csv"
_UNFINISHED = (".part", ".partial", ".tmp", ".crdownload", PATIENT_SUFFIX, REASON_SUFFIX)


@dataclass(frozen=True, slots=True)
class _Look:
    """A file as it was first seen in its present state."""

    size: int
    modified_ns: int
    seen_at: float


class WatchedFolder:
    """One folder that a site watches; its subfolders ``imported`` and ``refused`` are made when needed.

    Args:
        folder: Has to be there.
        parts: Of the site.
        settle_seconds: A file is taken when it has not changed for so long.
        budget_seconds: No further file is begun in a pass that took so long.
        clock: Seconds of a steady clock.

    Raises:
        ConfigError: The folder is not there.
    """

    def __init__(
        self,
        folder: Path,
        parts: IntakeParts,
        *,
        settle_seconds: float,
        budget_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not folder.is_dir():
            raise ConfigError(f"the watched folder {folder} is not there", hint="make it, or unset intake.watch_folder")
        self._said: dict[str, str] = {}
        self._folder = folder
        self._parts = parts
        self._settle_seconds = settle_seconds
        self._budget_seconds = budget_seconds
        self._clock = clock
        self._seen: dict[Path, _Look] = {}
        self._without_patient = 0
        try:
            self._require_writable()
        except StoreError as error:
            self._say("watched_folder.not_writable", str(error))

    def step_or_wait(self, now: int) -> bool:
        """As ``step``; what is wrong with the folder is logged once and holds up nothing else."""
        try:
            taken = self.step(now)
        except StoreError as error:
            self._say("watched_folder.waiting", str(error))
            return False
        self._said.pop("watched_folder.waiting", None)
        return taken

    def step(self, now: int) -> bool:
        """Takes the files that lie still; returns whether there were any.

        Args:
            now: Seconds since 1970.

        Raises:
            StoreError: The store or the folder cannot be written; the files stay where they are.
        """
        began = self._clock()
        patients = self._manifest()
        waiting = taken = 0
        for path in self._still(began):
            if taken and self._clock() - began > self._budget_seconds:
                break
            patient = self._patient_of(path, patients)
            if patient is None:
                waiting += 1
                continue
            if not taken:
                # What cannot be moved away would be imported again and again.
                self._require_writable()
            self._take(path, patient, now)
            taken += 1
        if waiting != self._without_patient:
            logger.warning("watched_folder.without_patient", files=waiting)
            self._without_patient = waiting
        return taken > 0

    def _require_writable(self) -> None:
        require_writable(self._folder / MANIFEST)

    def _say(self, event: str, reason: str) -> None:
        """Logs a warning when it is news: a daemon looks every few seconds."""
        if self._said.get(event) != reason:
            logger.warning(event, reason=reason)
            self._said[event] = reason

    def _still(self, now: float) -> Iterator[Path]:
        found: dict[Path, _Look] = {}
        for path in self._files():
            try:
                state = path.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise store_error(error, self._folder) from error
            before = self._seen.get(path)
            same = before is not None and (before.size, before.modified_ns) == (state.st_size, state.st_mtime_ns)
            found[path] = before if before is not None and same else _Look(state.st_size, state.st_mtime_ns, now)
        self._seen = found
        ready = [path for path, look in found.items() if now - look.seen_at >= self._settle_seconds]
        yield from ready

    def _files(self) -> list[Path]:
        """Files of the folder and of its patients' sub-folders. A link may lead out of the folder: none is followed."""
        try:
            own = sorted(self._folder.iterdir())
            folders = [p for p in own if p.is_dir() and not p.is_symlink() and p.name not in {IMPORTED, REFUSED}]
            paths = own + [path for folder in folders for path in sorted(folder.iterdir())]
            return [path for path in paths if path.is_file() and not path.is_symlink() and _is_page(path)]
        except OSError as error:
            raise store_error(error, self._folder) from error

    def _manifest(self) -> dict[Path, str] | None:
        """Whose the listed files are; None where the manifest cannot be read now."""
        if not (self._folder / MANIFEST).exists():
            return {}
        try:
            with os.fdopen(open_watched(self._folder, self._folder / MANIFEST), encoding="utf-8") as file:
                text = file.read(MAX_MANIFEST_BYTES + 1)
            if len(text) > MAX_MANIFEST_BYTES:
                raise ConfigError(f"{MANIFEST} is over {MAX_MANIFEST_BYTES} bytes", hint="import fewer at once")
            entries = parse_manifest(text, source=MANIFEST)
        except (ConfigError, UnicodeDecodeError) as error:
            self._say("watched_folder.manifest", str(error))
            return None
        except OSError as error:
            self._say("watched_folder.manifest", f"{MANIFEST} cannot be read ({error.strerror})")
            return None
        return {self._folder / entry.file: entry.patient for entry in entries}

    def _patient_of(self, path: Path, patients: dict[Path, str] | None) -> str | None:
        try:
            ahead = patient_of_interrupted(self._folder, path)
            beside = patient_beside(self._folder, path)
        except OSError as error:
            # Whoever it names, it is not the one whom the manifest or the folder would name: the file waits.
            self._say("watched_folder.sidecar", f"a sidecar cannot be read ({error.strerror})")
            return None
        except StoreError as error:
            # Before it is imported: what cannot be moved away would be imported again and again.
            self._say("watched_folder.sidecar", str(error))
            return None
        said = ahead if beside is None else beside
        if said is not None:
            return said or None
        if patients is None:
            # Perhaps it is just being written, and will name another than the folder does.
            return None
        if path in patients:
            return patients[path]
        return None if path.parent == self._folder else path.parent.name

    def _take(self, path: Path, patient: str, now: int) -> None:
        item = ImportItem(path, patient, partial(open_watched, self._folder))
        try:
            (report,) = import_files(self._parts, [item], now).files
        except (ConfigError, PrescriptionError) as error:
            if path.is_file() and not path.is_symlink():
                self._move(path, REFUSED, str(error))
            else:
                self._say("watched_folder.replaced", "a file was gone, or no file any more, when it was to be read")
            return
        refused = report.outcome is Outcome.QUARANTINED
        self._move(path, REFUSED if refused else IMPORTED, _reasons(report))

    def _move(self, path: Path, where: str, reason: str) -> None:
        move(self._folder, path, where, reason)
        self._seen.pop(path, None)


def _is_page(path: Path) -> bool:
    return not path.name.startswith((".", "~")) and not path.name.endswith(_UNFINISHED) and path.name != MANIFEST


def _reasons(report: FileReport) -> str:
    return "\n".join(
        f"page {kept.page_number}: {kept.sentence}" if kept.page_number else kept.sentence for kept in report.kept_aside
    )
