"""node/store/redacted.py: the picture that stays of a page."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from sqlalchemy import func, select

from node.data.page_words import page_to_store
from node.store.pages import NewPage, NewWord, add_page, ensure_original
from node.store.redacted import RedactedPage, redacted_png
from prescriptions.page import page_of
from prescriptions.pipeline import PageReading
from prescriptions.understand import Prescription
from prescriptions.words import encode_png
from protocol.errors import ConfigError
from protocol.identifiers import digest_of
from tests.node.data_builders import NOW, Clinic, crop_of, proposal_of

PICTURE = encode_png(np.full((30, 40), 255, np.uint8))


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    return Clinic(tmp_path / "site")


def add(clinic: Clinic, redacted: bytes | None = PICTURE) -> str:
    digest = digest_of("test-page", b"redacted")
    words = (NewWord(crop_of("Napa"), proposal_of("Napa")),)
    with clinic.store.write() as transaction:
        original = ensure_original(transaction, "P001", digest, NOW)
        page = NewPage(digest, 1, "a.png", "rapidocr", "", "", words, redacted_png=redacted)
        add_page(transaction, "P001", page, original.file_id, NOW)
    (word,) = clinic.words()
    return word.word_id.hex()


def test_a_reviewer_gets_the_page_around_a_word_in_a_private_file(clinic: Clinic, tmp_path: Path) -> None:
    word = add(clinic)
    clinic.accept_all()
    clinic.review.write_page(word, tmp_path / "page.png")
    assert (tmp_path / "page.png").read_bytes() == PICTURE
    assert (tmp_path / "page.png").stat().st_mode & 0o777 == 0o600


def test_a_word_that_was_imported_alone_has_no_page(clinic: Clinic, tmp_path: Path) -> None:
    word = add(clinic, redacted=None)
    with pytest.raises(ConfigError, match="no page around it"):
        clinic.review.write_page(word, tmp_path / "page.png")
    assert not (tmp_path / "page.png").exists()


def test_the_picture_is_sealed_and_goes_with_the_patient(clinic: Clinic) -> None:
    add(clinic)
    assert PICTURE not in clinic.everything_on_disk()
    clinic.desk.erase("P001", NOW, clinic.originals, clinic.quarantine)
    with clinic.store.read() as transaction:
        assert transaction.session.scalar(select(func.count()).select_from(RedactedPage)) == 0
        assert redacted_png(transaction, bytes(16)) is None


def test_what_the_reading_shows_is_what_the_store_keeps() -> None:
    redacted = np.arange(200, dtype=np.uint8).reshape(10, 20)
    page = page_of(np.zeros((4, 4), np.uint8))
    reading = PageReading(page.digest, (), Prescription(None, None, ()), "pen 1", 0.1, redacted)
    png = page_to_store(reading, page_number=1, file_name="a.png").redacted_png
    assert png is not None
    assert np.array_equal(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE), redacted)
