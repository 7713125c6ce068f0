"""node/data/intake.py: a file becomes words that wait for review, or is kept aside."""

from __future__ import annotations

from collections.abc import Sequence
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
from node.store.quarantine import quarantined_files
from node.store.words import crop_png
from prescriptions.box import Box
from prescriptions.load import LoadLimits
from prescriptions.rapidocr_reader import RapidOCRReader
from prescriptions.reading import ReadWord
from prescriptions.words import decode_png
from protocol.errors import ConfigError, PrescriptionError
from tests.node.data.hospital import LEXICON, Hospital, page_file, page_image
from tests.node.data_builders import NOW


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
