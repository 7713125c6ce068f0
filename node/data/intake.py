"""Intake: files become reviewable words in the local store; everything else of a page is dropped.

Each file goes through: read the bytes, decode them in a process of their own, seal the original, then read and store
one page at a time, each in one transaction. The key of an original is in the store before the file is written, and a
page is there whole or not at all, so an import that died anywhere is finished by running it again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from node.data.intake_file import Opener, open_regular, read_at_most, require_readable
from node.data.near_pages import SeenPages, note_page, prescribed_on
from node.data.other_readings import other_readings
from node.data.page_words import medicine_crops, page_to_store, second_readings
from node.data.sweeping import sweep
from node.settings import QUARANTINE_DAYS
from node.store.local_store import check_patient
from node.store.pages import (
    SealedFile,
    add_page,
    ensure_original,
    forget_if_empty,
    has_page,
    release_originals,
)
from node.store.quarantine import QuarantinedFile, add_quarantined
from prescriptions.load import LoadLimits, load_bytes
from prescriptions.pipeline import read_page
from prescriptions.quarantine import TOO_LARGE_FILE
from protocol.errors import QuarantinedError
from protocol.foreign_text import one_line
from protocol.identifiers import Digest, digest_of

if TYPE_CHECKING:
    from node.data.model_reader import ModelReader
    from node.store.local_store import LocalStore
    from node.store.sealed_files import SealedFiles
    from prescriptions.lexicon import Lexicon
    from prescriptions.page import Page
    from prescriptions.pipeline import PageReading
    from prescriptions.reading import PageReader

logger = structlog.get_logger(__name__)


def _no_model() -> ModelReader | None:
    return None


class Outcome(StrEnum):
    """What became of a file."""

    IMPORTED = "imported"
    """At least one page is new in the store."""
    DUPLICATE = "duplicate"
    """Every page was in the store already, pixel for pixel."""
    QUARANTINED = "quarantined"
    """Kept aside; nothing of it is in the store's pages."""


@dataclass(frozen=True, slots=True)
class ImportItem:
    """A file and the patient whom it is about."""

    path: Path
    patient: str
    """The site's own identifier."""
    opened: Opener = open_regular
    """Gives a descriptor of the file's bytes; ``watched_files.open_watched`` where a stranger may put a link."""

    @property
    def name(self) -> str:
        """The file's name as it may be kept and shown."""
        return one_line(self.path.name)


@dataclass(frozen=True, slots=True)
class KeptAside:
    """A file or page that was quarantined."""

    page_number: int
    """1-based; 0 for the whole file."""
    reason: str
    """Of ``prescriptions.quarantine.REASONS``."""
    sentence: str


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file."""

    path: Path
    outcome: Outcome
    pages: int
    """New in the store."""
    duplicates: int
    """Pages that were there already."""
    words: int
    """To be reviewed."""
    kept_aside: tuple[KeptAside, ...]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of an import."""

    files: tuple[FileReport, ...]

    @property
    def words(self) -> int:
        """Words that wait for review because of this import."""
        return sum(file.words for file in self.files)


@dataclass(frozen=True, slots=True)
class IntakeParts:
    """What an import needs of the site."""

    store: LocalStore
    reader: PageReader
    lexicon: Lexicon
    limits: LoadLimits
    originals: SealedFiles
    quarantine: SealedFiles
    keep_originals: bool
    quarantine_days: int = QUARANTINE_DAYS
    """How old a copy of a file that was kept aside may become; with 0 none is made."""
    read: Callable[[Page, PageReader, Lexicon], PageReading] = read_page
    """``single_word.read_single_word`` where each picture is one word."""
    second: Callable[[], ModelReader | None] = _no_model
    """The global model that reads each medicine word again, where the site has one."""
    others: Callable[[], Mapping[str, ModelReader]] = dict
    """The models of the site's other lineages, by slug; they check the second reading."""
    seen: SeenPages = field(default_factory=SeenPages)
    """The pages of the store, by which near duplicates are found. A process keeps one."""


def import_files(
    parts: IntakeParts,
    items: Sequence[ImportItem],
    now: int,
    progress: Callable[[int, FileReport], None] = lambda _done, _report: None,
) -> ImportReport:
    """Imports files; a bad one is quarantined and the import goes on.

    Args:
        parts: The site.
        items: Files and their patients.
        now: Seconds since 1970.
        progress: Called after each file with how many are done and what became of it.

    Raises:
        ConfigError: A file is not there, not readable or no regular file, or an identifier of a patient is none;
            nothing is imported.
        PrescriptionError: The reading engine cannot run.
        StoreError: The store or a folder cannot be written; what was imported before stays.
    """
    checked = [replace(item, patient=check_patient(item.patient)) for item in items]
    for item in checked:
        require_readable(item.path, item.opened)
    sweep(
        parts.store,
        parts.originals,
        parts.quarantine,
        now,
        keep_originals=parts.keep_originals,
        quarantine_days=parts.quarantine_days,
    )
    reports: list[FileReport] = []
    for item in checked:
        report = _import_file(parts, item, now)
        reports.append(report)
        logger.info(
            "intake.file",
            outcome=str(report.outcome),
            pages=report.pages,
            words=report.words,
            reasons=[kept.reason for kept in report.kept_aside],
        )
        progress(len(reports), report)
    return ImportReport(tuple(reports))


def _import_file(parts: IntakeParts, item: ImportItem, now: int) -> FileReport:
    content = read_at_most(item.path, item.opened, parts.limits.max_bytes)
    if content is None:
        digest = digest_of("left-in-place", os.fsencode(item.path.resolve()))
        error = QuarantinedError(
            TOO_LARGE_FILE,
            f"the file has more than {parts.limits.max_bytes} bytes; it was left where it is",
            hint="split it or export it smaller",
        )
        return _report(item.path, 0, 0, 0, [_keep_aside(parts, item, digest, None, 0, error, now)])
    file_digest = digest_of("import-file", content)
    try:
        pages = load_bytes(content, parts.limits)
    except QuarantinedError as error:
        return _report(item.path, 0, 0, 0, [_keep_aside(parts, item, file_digest, content, 0, error, now)])
    return _import_pages(parts, item, pages, file_digest, content, now)


def _import_pages(
    parts: IntakeParts, item: ImportItem, pages: Sequence[Page], file_digest: Digest, content: bytes, now: int
) -> FileReport:
    with parts.store.read() as transaction:
        new = [page for page in pages if not has_page(transaction, page.digest)]
    if not new:
        return _report(item.path, 0, len(pages), 0, [])
    with parts.store.write() as transaction:
        original = ensure_original(transaction, item.patient, file_digest, now)
    if not parts.originals.holds(original.file_id):
        parts.originals.write(original.file_id, original.key, content)
    stored, duplicates, words = 0, len(pages) - len(new), 0
    kept_aside: list[KeptAside] = []
    for page in new:
        try:
            added = _import_page(parts, item, page, original, now)
        except QuarantinedError as error:
            # One copy of the file is enough for all of its pages.
            copied = None if kept_aside else content
            kept_aside.append(_keep_aside(parts, item, file_digest, copied, page.number, error, now))
            continue
        stored, duplicates, words = stored + (added is not None), duplicates + (added is None), words + (added or 0)
    _drop_if_unused(parts, original, words=words)
    return _report(item.path, stored, duplicates, words, kept_aside)


def _import_page(parts: IntakeParts, item: ImportItem, page: Page, original: SealedFile, now: int) -> int | None:
    """Reads and stores one page; returns its words, or None when another process stored the page meanwhile."""
    reading = parts.read(page, parts.reader, parts.lexicon)
    second = second_readings(reading, parts.second())
    others = other_readings(parts.others(), medicine_crops(reading)) if second else []
    found = page_to_store(reading, page_number=page.number, file_name=item.name, second=second, others=others)
    if reading.look is not None:
        parts.seen.catch_up(parts.store)
    with parts.store.write() as transaction:
        page_id = add_page(transaction, item.patient, found, original.file_id, now)
        if page_id is not None and reading.look is not None:
            prescribed = prescribed_on(reading.written_on, reading.prescription)
            note_page(transaction, parts.seen, page_id, reading.look, prescribed, now)
    return None if page_id is None else len(found.words)


def _drop_if_unused(parts: IntakeParts, original: SealedFile, *, words: int) -> None:
    """Lets an original go of which no page came into the store, or none that has a word to review."""
    with parts.store.write() as transaction:
        gone = forget_if_empty(transaction, original.file_id)
        released = release_originals(transaction) if words == 0 and not parts.keep_originals else []
    for file_id in [*released, *([original.file_id] if gone else [])]:
        parts.originals.remove(file_id)


def _keep_aside(
    parts: IntakeParts,
    item: ImportItem,
    file_digest: Digest,
    content: bytes | None,
    page_number: int,
    error: QuarantinedError,
    now: int,
) -> KeptAside:
    found = QuarantinedFile(
        quarantine_id=b"",
        patient=item.patient,
        file_name=item.name,
        page_number=page_number,
        reason=error.reason,
        sentence=str(error),
        created_at=now,
        kept=None,
    )
    keep_copy = content is not None and parts.quarantine_days > 0
    with parts.store.write() as transaction:
        copy = add_quarantined(transaction, found, file_digest, keep_copy=keep_copy)
    if copy is not None and content is not None and not parts.quarantine.holds(copy.file_id):
        parts.quarantine.write(copy.file_id, copy.key, content)
    return KeptAside(page_number, error.reason, str(error))


def _report(path: Path, pages: int, duplicates: int, words: int, kept_aside: Sequence[KeptAside]) -> FileReport:
    without_pages = Outcome.QUARANTINED if kept_aside else Outcome.DUPLICATE
    outcome = Outcome.IMPORTED if pages else without_pages
    return FileReport(path, outcome, pages, duplicates, words, tuple(kept_aside))
