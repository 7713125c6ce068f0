"""Whatever lies in the watched folder, the daemon's own way in takes it: nothing crashes it, holds it up or is lost."""

from __future__ import annotations

import itertools
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from node.data.watched_folder import WatchedFolder
from node.store.quarantine import QuarantinedFile, quarantined_files
from prescriptions import quarantine
from prescriptions.load import LoadLimits
from prescriptions.rapidocr_reader import RapidOCRReader
from prescriptions.reading import PageReader
from tests.node.data.hospital import Hospital
from tests.node.data_builders import NOW

sys.path[:0] = [str(Path(__file__).parents[2] / "prescriptions")]

from hostile_files import HONEST, sample  # noqa: E402 - beside the tests of what decodes them
from test_hostile_files import SEED, resident_bytes  # noqa: E402

LIMITS = LoadLimits(timeout_seconds=15)
READING_SECONDS = 60
"""For the pages of a file that decodes, on a busy machine."""
FAST, ALL, BATCH = 12, 500, 50
LEAK_BYTES = 512 * 2**20
"""The reading engine's pools grow with the pages that it sees; a bomb that got through would take gigabytes."""
SUFFIXES = (".png", ".pdf", ".jpg", ".dcm", ".tiff", ".webp", ".txt", "", ".PDF.png")
MOST_PICTURES = 1
"""Damaged pictures of a batch that still decode and show the reader something like text."""
HONEST_WORD = "Atenolol"
"""What the honest files say of which the hostile ones are made; the others show no text."""


@dataclass
class Ward:
    """A site's watched folder, as the daemon looks into it: one file a step."""

    folder: Path
    hospital: Hospital
    watched: WatchedFolder

    def take_all(self) -> None:
        for _ in itertools.count():
            began = time.monotonic()
            if not self.watched.step_or_wait(NOW):
                return
            assert time.monotonic() - began < LIMITS.timeout_seconds + READING_SECONDS

    def kept_aside(self) -> dict[str, QuarantinedFile]:
        with self.hospital.parts.store.read() as transaction:
            return {found.file_name: found for found in quarantined_files(transaction) if found.page_number in {0, 1}}


@pytest.fixture(scope="module")
def reader() -> PageReader:
    return RapidOCRReader()


@pytest.fixture
def ward(tmp_path: Path, reader: PageReader) -> Ward:
    hospital = Hospital(tmp_path / "site", limits=LIMITS, reader=reader)
    folder = tmp_path / "watched"
    (folder / "P001").mkdir(parents=True)
    watched = WatchedFolder(folder, hospital.parts, settle_seconds=0, budget_seconds=0)
    (folder / "P001" / "honest.pdf").write_bytes(HONEST["pdf text"])
    watched.step(NOW)
    return Ward(folder, hospital, watched)


def check(ward: Ward, start: int, stop: int) -> set[str]:
    """Takes some hostile files; returns the reasons of those that were refused."""
    files: dict[str, bytes] = {}
    for (name, content), suffix in zip(sample(SEED, start, stop), itertools.cycle(SUFFIXES), strict=False):
        files[name + suffix] = content
        (ward.folder / "P001" / (name + suffix)).write_bytes(content)
    assert len(files) == stop - start
    before = resident_bytes()
    ward.take_all()
    assert resident_bytes() - before < LEAK_BYTES
    assert list((ward.folder / "P001").iterdir()) == []
    kept = ward.kept_aside()
    # The same bytes under another name have one record, of whichever came first.
    record = {files[name]: found for name, found in kept.items() if name in files}
    wrong = {name: fault(ward, name, content, record.get(content)) for name, content in files.items()}
    assert {name: what for name, what in wrong.items() if what} == {}
    assert {word.proposal.label for word in ward.hospital.words()} == {HONEST_WORD}
    came_in = [name for name in wrong if (ward.folder / "imported" / "P001" / name).exists()]
    assert len([name for name in came_in if b"Tf" not in files[name]]) <= MOST_PICTURES
    return {found.reason for found in kept.values()}


def fault(ward: Ward, name: str, content: bytes, found: QuarantinedFile | None) -> str:
    """What is wrong with the way in which a file was taken; empty when nothing is."""
    if (ward.folder / "imported" / "P001" / name).exists():
        # An honest text, or a damaged picture in which the reader sees signs: then none of them is a word to review.
        return ""
    if (ward.folder / "refused" / "P001" / name).read_bytes() != content:
        return "was changed"
    if not (ward.folder / "refused" / "P001" / f"{name}.reason").read_text():
        return "was refused without a word"
    if found is None or found.reason not in quarantine.REASONS or not found.sentence.isprintable():
        return f"has the record {found}"
    if found.kept is None or ward.hospital.parts.quarantine.read(found.kept.file_id, found.kept.key) != content:
        return "has no copy"
    return ""


def test_hostile_files_go_into_quarantine_and_the_next_page_comes_in(ward: Ward) -> None:
    reasons = check(ward, 0, FAST)
    assert {quarantine.CORRUPT, quarantine.UNSUPPORTED_TYPE, quarantine.TOO_MANY_PIXELS} <= reasons
    assert (ward.folder / "imported" / "P001" / "honest.pdf").exists()


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("start", range(0, ALL, BATCH))
def test_five_hundred_hostile_files_do_the_same(ward: Ward, start: int) -> None:
    check(ward, start, start + BATCH)
