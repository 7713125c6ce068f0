from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from learning.lexicon_index import LexiconIndex
from learning.recogniser import Reading
from node.data.intake import FileReport, ImportItem, ImportReport, IntakeParts, Outcome, import_files
from node.data.model_reader import ModelReader
from node.data.other_readings import OtherReading
from node.data.proposal import MODELS_DISAGREE, READERS_DISAGREE, Candidate, ModelReading
from node.store.local_store import LocalStore
from node.store.pages import known_files
from node.store.quarantine import quarantined_files
from node.store.sealed_files import SealedFiles
from node.store.tables import WordStatus
from node.store.words import StoredWord, crop_png, words_with
from prescriptions.box import Box
from prescriptions.lexicon import Lexicon, bundled_lexicon
from prescriptions.load import LoadLimits
from prescriptions.rapidocr_reader import RapidOCRReader
from prescriptions.reading import ReadWord
from prescriptions.words import decode_png
from protocol.errors import ConfigError, PrescriptionError
from tests.node.data_builders import NOW, STORE_KEY

LINE = ("Tab.", "Amoxil", "500", "mg", "1+0+1")
PRIVATE = ("Phone:", "01711-000000")


class PenReader:
    """Reads the same two lines on every page that is not blank: one with a medicine, one with a telephone number."""

    name = "pen 1"
    turned_below = 0.0

    def __init__(self) -> None:
        self.pages = 0

    def read(self, image: NDArray[np.uint8]) -> tuple[ReadWord, ...]:
        self.pages += 1
        if int(image.max()) - int(image.min()) < 40:
            return ()
        return tuple(
            ReadWord(text, 0.9, Box(20 + 60 * i, 20 + 40 * line, 70 + 60 * i, 40 + 40 * line), line)
            for line, texts in enumerate((PRIVATE, LINE))
            for i, text in enumerate(texts)
        )


class Hospital:
    """An intake over a data folder."""

    def __init__(
        self, folder: Path, *, keep_originals: bool = False, limits: LoadLimits | None = None, reader: Any = None
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.reader = reader or PenReader()
        self.parts = IntakeParts(
            store=LocalStore(folder / "store.sqlite", STORE_KEY),
            reader=self.reader,
            lexicon=LEXICON(),
            limits=limits or LoadLimits(),
            originals=SealedFiles(folder / "originals"),
            quarantine=SealedFiles(folder / "quarantine"),
            keep_originals=keep_originals,
        )

    def take(self, *paths: Path, patient: str = "P001") -> ImportReport:
        return import_files(self.parts, [ImportItem(path, patient) for path in paths], NOW)

    def words(self) -> tuple[StoredWord, ...]:
        with self.parts.store.read() as transaction:
            return words_with(transaction, *WordStatus)

    def counts(self) -> dict[str, int]:
        """Rows of each table and files of each folder; files without a key would show as a difference."""
        connection = sqlite3.connect(self.folder / "store.sqlite")
        tables = ("patients", "originals", "pages", "words", "quarantine")
        found = {t: int(connection.execute(f"SELECT COUNT(*) FROM {t}").fetchone()[0]) for t in tables}
        connection.close()
        files = {f"{name} files": len(list((self.folder / name).iterdir())) for name in ("originals", "quarantine")}
        return found | files


_loaded: list[Lexicon] = []


def LEXICON() -> Lexicon:  # noqa: N802 - a constant that is read on first use
    if not _loaded:
        _loaded.append(bundled_lexicon("drugsfda"))
    return _loaded[0]


@pytest.fixture
def hospital(tmp_path: Path) -> Hospital:
    return Hospital(tmp_path / "site")


def page_image(seed: int) -> Image.Image:
    pixels = np.full((200, 400), 235, np.uint8)
    ink = np.random.default_rng(seed).integers(0, 2, (140, 340), dtype=np.uint8)
    pixels[20:160, 20:360] = np.where(ink == 1, 235, 30)
    return Image.fromarray(pixels)


def page_file(path: Path, *seeds: int) -> Path:
    first, *others = [page_image(seed) for seed in seeds]
    first.save(path, save_all=bool(others), append_images=others) if path.suffix == ".pdf" else first.save(path)
    return path


def _outcomes(report: ImportReport) -> list[str]:
    return [file.outcome.value for file in report.files]


def test_a_page_becomes_medicine_words_that_wait_for_review(hospital: Hospital, tmp_path: Path) -> None:
    report = hospital.take(page_file(tmp_path / "a.png", 1))
    (file,) = report.files
    assert (file.outcome, file.pages, file.words, report.words) == (Outcome.IMPORTED, 1, 1, 1)
    (word,) = hospital.words()
    assert (word.proposal.text, word.proposal.label, word.patient) == ("Amoxil", "Amoxil", "P001")
    assert (word.proposal.strength, word.proposal.form, word.proposal.frequency) == ("500 mg", "tablet", "1+0+1")
    with hospital.parts.store.read() as transaction:
        crop = crop_png(transaction, word.word_id)
    assert crop is not None
    assert decode_png(crop).ndim == 2


class PenModel:
    """A global model that reads one name in every crop."""

    def __init__(self, name: str, *, sure: bool = True) -> None:
        self.reading = Reading(name.lower(), ((name, 0.9), ("Amoxil", 0.05)), 0.9, abstained=not sure)

    def read(self, crops: Sequence[NDArray[np.uint8]]) -> list[Reading]:
        assert all(crop.ndim == 2 for crop in crops)
        return [self.reading for _ in crops]


@pytest.mark.parametrize(
    ("says", "sure", "label", "disagree"),
    [("Amoxil", True, "Amoxil", False), ("Lasix", True, "", True), ("Lasix", False, "Amoxil", False)],
    ids=["agree", "disagree", "the model is not sure"],
)
def test_a_global_model_reads_the_word_too_and_both_readings_are_kept(
    hospital: Hospital, tmp_path: Path, says: str, *, sure: bool, label: str, disagree: bool
) -> None:
    names = LexiconIndex.of(["Amoxil"])
    pen: Any = PenModel(says, sure=sure)
    hospital.parts = replace(hospital.parts, second=lambda: ModelReader(4, pen, names, 0.5))
    pen.read_crops = lambda crops, _names, *, threshold: pen.read(crops)
    hospital.take(page_file(tmp_path / "a.png", 1))
    (word,) = hospital.words()
    assert word.proposal.text == "Amoxil"
    assert word.proposal.model is not None
    assert (word.proposal.model.round, word.proposal.model.text) == (4, says.lower())
    assert [candidate.name for candidate in word.proposal.model.candidates] == [says, "Amoxil"]
    assert word.proposal.label == label
    assert (READERS_DISAGREE in word.proposal.flags) is disagree


@pytest.mark.parametrize(("third", "label"), [("Amoxil", "Amoxil"), ("Lasix", "")], ids=["agrees", "disagrees"])
def test_the_models_of_all_lineages_read_the_word(hospital: Hospital, tmp_path: Path, third: str, label: str) -> None:
    readers = {}
    for slug, says in (("first", "Amoxil"), ("second", third)):
        pen: Any = PenModel(says, sure=True)
        pen.read_crops = lambda crops, _names, *, threshold, pen=pen: pen.read(crops)
        readers[slug] = ModelReader(4, pen, LexiconIndex.of(["Amoxil"]), 0.5)
    second = readers.pop("first")
    hospital.parts = replace(hospital.parts, second=lambda: second, others=lambda: readers)
    hospital.take(page_file(tmp_path / "a.png", 1))
    (word,) = hospital.words()
    assert word.proposal.others == (OtherReading("second", 4, third, 0.9, third.lower()),)
    assert word.proposal.label == label
    assert (MODELS_DISAGREE in word.proposal.flags) is (label == "")


def test_two_readers_that_agree_are_surer_than_one_and_that_disagree_come_first(
    hospital: Hospital, tmp_path: Path
) -> None:
    hospital.take(page_file(tmp_path / "a.png", 1))
    (word,) = hospital.words()
    one = word.proposal
    agree, disagree = (
        replace(one, model=ModelReading(1, name, (Candidate(name, 0.8),), sure=True)) for name in ("Amoxil", "Lasix")
    )
    assert disagree.certainty < 0.5 <= one.certainty < agree.certainty


def test_the_original_is_kept_sealed_until_review(hospital: Hospital, tmp_path: Path) -> None:
    path = page_file(tmp_path / "a.png", 1)
    hospital.take(path)
    (sealed,) = (hospital.folder / "originals").iterdir()
    assert path.read_bytes() not in sealed.read_bytes()
    assert b"PNG" not in sealed.read_bytes()[:200]
    assert path.exists()


def test_the_same_pixels_in_another_file_are_a_duplicate(hospital: Hospital, tmp_path: Path) -> None:
    first = page_file(tmp_path / "a.png", 1)
    renamed = tmp_path / "b.png"
    page_image(1).save(renamed, compress_level=1)
    assert first.read_bytes() != renamed.read_bytes()
    report = hospital.take(first, renamed, page_file(tmp_path / "c.png", 2))
    assert _outcomes(report) == ["imported", "duplicate", "imported"]
    assert hospital.reader.pages == 2
    assert hospital.counts()["originals files"] == 2


def test_a_page_of_another_patient_with_the_same_pixels_is_a_duplicate_too(hospital: Hospital, tmp_path: Path) -> None:
    path = page_file(tmp_path / "a.png", 1)
    hospital.take(path)
    assert _outcomes(hospital.take(path, patient="P002")) == ["duplicate"]
    assert {word.patient for word in hospital.words()} == {"P001"}


def test_bad_files_are_kept_aside_and_the_import_goes_on(hospital: Hospital, tmp_path: Path) -> None:
    corrupt = tmp_path / "corrupt.png"
    corrupt.write_bytes(page_file(tmp_path / "x.png", 9).read_bytes()[:90])
    empty = tmp_path / "empty.jpg"
    empty.touch()
    text = tmp_path / "letter.txt"
    text.write_text("Dear colleague")
    blank = tmp_path / "blank.png"
    Image.new("L", (300, 200), 255).save(blank)
    good = page_file(tmp_path / "good.png", 1)
    seen: list[tuple[int, Outcome]] = []

    def progress(done: int, file: FileReport) -> None:
        seen.append((done, file.outcome))

    items = [ImportItem(path, "P001") for path in (corrupt, empty, text, blank, good)]
    report = import_files(hospital.parts, items, NOW, progress)
    reasons = [kept.reason for file in report.files for kept in file.kept_aside]
    assert reasons == ["corrupt", "empty-file", "unsupported-type", "no-text"]
    assert _outcomes(report) == ["quarantined"] * 4 + ["imported"]
    assert seen[-1] == (5, Outcome.IMPORTED)
    assert hospital.counts()["originals files"] == 1
    with hospital.parts.store.read() as transaction:
        kept = {item.file_name: item for item in quarantined_files(transaction)}
    copy = kept["corrupt.png"].kept
    assert copy is not None
    assert hospital.parts.quarantine.read(copy.file_id, copy.key) == corrupt.read_bytes()
    assert kept["corrupt.png"].sentence


def test_a_bad_file_that_comes_again_is_kept_once(hospital: Hospital, tmp_path: Path) -> None:
    empty = tmp_path / "empty.jpg"
    empty.touch()
    assert _outcomes(hospital.take(empty)) == _outcomes(hospital.take(empty)) == ["quarantined"]
    assert hospital.counts()["quarantine"] == 1


def test_a_file_over_the_limit_is_left_where_it_is(tmp_path: Path) -> None:
    hospital = Hospital(tmp_path / "site", limits=LoadLimits(max_bytes=100))
    report = hospital.take(page_file(tmp_path / "a.png", 1))
    assert [kept.reason for kept in report.files[0].kept_aside] == ["too-large-file"]
    assert hospital.counts()["quarantine files"] == 0
    assert hospital.counts()["quarantine"] == 1


def test_the_good_pages_of_a_file_come_in_and_its_blank_page_is_kept_aside(hospital: Hospital, tmp_path: Path) -> None:
    path = tmp_path / "three.pdf"
    blank = Image.new("L", (400, 200), 255)
    page_image(1).save(path, save_all=True, append_images=[blank, page_image(2)])
    (file,) = hospital.take(path).files
    assert (file.outcome, file.pages, file.words) == (Outcome.IMPORTED, 2, 2)
    assert [(kept.page_number, kept.reason) for kept in file.kept_aside] == [(2, "no-text")]


def test_an_original_without_a_medicine_word_is_not_kept(hospital: Hospital, tmp_path: Path) -> None:
    hospital.reader.read = lambda _image: (ReadWord("Hello", 0.9, Box(5, 5, 60, 30), 0),)  # type: ignore[method-assign]
    (file,) = hospital.take(page_file(tmp_path / "a.png", 1)).files
    assert (file.outcome, file.words) == (Outcome.IMPORTED, 0)
    assert hospital.counts()["originals files"] == hospital.counts()["originals"] == 0


def test_private_text_of_a_page_is_nowhere_in_the_store(hospital: Hospital, tmp_path: Path) -> None:
    hospital.take(page_file(tmp_path / "a.png", 1))
    assert [word.proposal.text for word in hospital.words()] == ["Amoxil"]
    assert "01711" not in repr(hospital.words())


def test_a_missing_file_stops_the_import_before_it_began(hospital: Hospital, tmp_path: Path) -> None:
    good = page_file(tmp_path / "a.png", 1)
    with pytest.raises(ConfigError, match="nothing was imported yet"):
        hospital.take(good, tmp_path / "missing.png")
    assert hospital.words() == ()


def test_an_engine_that_fails_stops_the_import_and_keeps_what_was_done(hospital: Hospital, tmp_path: Path) -> None:
    first, second = page_file(tmp_path / "a.png", 1), page_file(tmp_path / "b.png", 2)
    hospital.take(first)

    def fail(_image: NDArray[np.uint8]) -> tuple[ReadWord, ...]:
        raise PrescriptionError("the engine stopped")

    hospital.reader.read = fail  # type: ignore[method-assign]
    with pytest.raises(PrescriptionError, match="engine stopped"):
        hospital.take(second)
    assert len(hospital.words()) == 1


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


def test_a_typed_page_is_read_by_the_real_engine(hospital: Hospital, tmp_path: Path) -> None:
    page = Image.new("L", (900, 500), 250)
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(34)
    for row, text in enumerate(("Green Valley Hospital", "Patient: Salma Khatun", "Tab. Amoxil 500 mg 1+0+1")):
        draw.text((60, 60 + 110 * row), text, fill=20, font=font)
    path = tmp_path / "typed.jpg"
    page.save(path, quality=92)
    parts = IntakeParts(
        store=hospital.parts.store,
        reader=RapidOCRReader(),
        lexicon=LEXICON(),
        limits=LoadLimits(),
        originals=hospital.parts.originals,
        quarantine=hospital.parts.quarantine,
        keep_originals=False,
    )
    import_files(parts, [ImportItem(path, "P001")], NOW)
    (word,) = hospital.words()
    assert word.proposal.label.lower() == "amoxil"
    assert word.proposal.strength == "500 mg"


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
