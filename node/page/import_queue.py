"""Uploads that wait to be imported, one after the other, beside the views."""

from __future__ import annotations

import threading
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import structlog

from node.data.intake import ImportItem, Outcome, import_files
from node.page.memory_file import in_memory
from protocol.errors import ConfigError, FederationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from node.data.intake import FileReport, IntakeParts
    from node.page.forms import Upload
    from node.store.local_store import LocalStore

logger = structlog.get_logger(__name__)

_SHOWN = 50


class State(StrEnum):
    """How far an upload is."""

    WAITING = "waiting"
    READING = "being read"
    DONE = "imported"
    DUPLICATE = "was here already"
    REFUSED = "kept aside"
    FAILED = "failed"


OPEN = frozenset({State.WAITING, State.READING})


@dataclass(frozen=True, slots=True)
class Job:
    """One uploaded file."""

    number: int
    name: str
    patient: str
    """The site's own identifier."""
    stored: bool
    """Whether the store knew the patient at some time: when it does not any more, they were erased."""
    state: State = State.WAITING
    says: str = ""
    """What became of it, for a person."""


class ImportQueue:
    """Imports uploads in the background. What waits is in memory: it is lost with the process, and sent again.

    Args:
        store: Says which patients were erased meanwhile.
        parts: The parts of an import; whether each picture is one word.
        worker: Runs one task at a time.
        clock: Seconds since 1970.
        max_waiting_bytes: More is refused until something was imported.
    """

    def __init__(
        self,
        store: LocalStore,
        parts: Callable[[bool], IntakeParts],
        worker: Executor,
        clock: Callable[[], int],
        max_waiting_bytes: int,
    ) -> None:
        self._store = store
        self._parts = parts
        self._worker = worker
        self._clock = clock
        self._max_waiting_bytes = max_waiting_bytes
        self._waiting_bytes = 0
        self._jobs: dict[int, Job] = {}
        self._opened: dict[bool, IntakeParts] = {}
        self._lock = threading.Lock()

    def add(
        self,
        upload: Upload,
        patient: str,
        *,
        single_words: bool,
        after: Callable[[FileReport], None] = lambda _report: None,
    ) -> None:
        """Queues a file.

        Args:
            upload: The file.
            patient: The site's own identifier, checked.
            single_words: Whether the picture is one medicine word.
            after: Called once it was imported or kept aside.

        Raises:
            ConfigError: Too much waits already.
        """
        size, stored = len(upload.content), patient in self._known({patient})
        with self._lock:
            if self._waiting_bytes + size > self._max_waiting_bytes:
                raise ConfigError(f"{upload.name} was not taken: too many uploads wait", hint="send it in a minute")
            self._waiting_bytes += size
            number = max(self._jobs, default=0) + 1
            self._jobs[number] = Job(number, upload.name or "upload", patient, stored)
            for old in [n for n, job in self._jobs.items() if job.state not in OPEN][:-_SHOWN]:
                del self._jobs[old]
        self._worker.submit(self._run, number, upload, single_words, after).add_done_callback(_log_fault)

    def jobs(self) -> tuple[Job, ...]:
        """The uploads of this process, newest first, without those of patients who were erased."""
        with self._lock:
            jobs = tuple(self._jobs.values())
        known = self._known({job.patient for job in jobs})
        erased = {job.number for job in jobs if job.stored and job.patient not in known}
        with self._lock:
            for job in jobs:
                if job.number in erased and job.state not in OPEN and self._jobs.get(job.number) is job:
                    del self._jobs[job.number]
        return tuple(sorted((job for job in jobs if job.number not in erased), key=lambda job: -job.number))

    def _run(self, number: int, upload: Upload, single_words: bool, after: Callable[[FileReport], None]) -> None:
        job = self._set(number, State.READING, "")
        state, says = State.FAILED, "the import ended unexpectedly: see the log of the page's process"
        try:
            if job.stored and not self._known({job.patient}):
                raise ConfigError("the patient was erased meanwhile", hint="send the file again if it is to be kept")
            with in_memory(job.name, upload.content) as path:
                parts = self._parts_for(single_words)
                (report,) = import_files(parts, [ImportItem(path, job.patient)], self._clock()).files
            state, says = _result(report)
            self._note_stored(number, job.patient)
            after(report)
        except FederationError as error:
            says = str(error)
            logger.warning("page.import_failed", error=type(error).__name__)
        finally:
            # Also after a fault of ours: nobody waits for ever.
            self._set(number, state, says)
            with self._lock:
                self._waiting_bytes -= len(upload.content)

    def _parts_for(self, single_words: bool) -> IntakeParts:
        if single_words not in self._opened:
            self._opened[single_words] = self._parts(single_words)
        return self._opened[single_words]

    def _set(self, number: int, state: State, says: str) -> Job:
        with self._lock:
            self._jobs[number] = job = replace(self._jobs[number], state=state, says=says)
        return job

    def _note_stored(self, number: int, patient: str) -> None:
        # A page that was here already under another patient makes no patient.
        if self._known({patient}):
            with self._lock:
                self._jobs[number] = replace(self._jobs[number], stored=True)

    def _known(self, patients: set[str]) -> set[str]:
        with self._store.read() as transaction:
            return {patient for patient in patients if transaction.find_patient(patient) is not None}


def _log_fault(done: Future[None]) -> None:
    """A fault of ours would stay with the executor."""
    fault = None if done.cancelled() else done.exception()
    if fault is not None:
        logger.error("page.import_fault", error=type(fault).__name__)


def _result(report: FileReport) -> tuple[State, str]:
    kept_aside = " ".join(
        f"Page {kept.page_number}: {kept.sentence}." if kept.page_number else f"{kept.sentence}."
        for kept in report.kept_aside
    )
    match report.outcome:
        case Outcome.DUPLICATE:
            return State.DUPLICATE, "Every page is in the store, pixel for pixel."
        case Outcome.QUARANTINED:
            return State.REFUSED, kept_aside
        case Outcome.IMPORTED:
            pages = "1 page" if report.pages == 1 else f"{report.pages} pages"
            words = "1 word waits" if report.words == 1 else f"{report.words} words wait"
            return State.DONE, f"{pages}, {words} for review. {kept_aside}".strip()
