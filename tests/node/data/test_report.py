"""node/data/report.py, report_rows.py, report_command.py and word_measures.py: what a site has, in numbers."""

from __future__ import annotations

import json
import math
import socket
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import structlog
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from gateways.key_ring import KeyRing
from node.data import report_rows
from node.data.commands import add_to
from node.data.proposal import Candidate, ModelReading
from node.data.report import LabelSource, WordRow, report_of, spread_of
from node.data.report_rows import data_report, source_of
from node.data.word_measures import measure_word
from node.store.duplicates import PairKind, add_pair
from node.store.opening import STORE_KEY as STORE_KEY_NAME
from node.store.tables import Page, WordStatus
from prescriptions.lexicon import bundled_lexicon, parse_lexicon
from protocol.consent_receipt import TRAINING_PURPOSE
from tests.learning.drawn_words import draw_word
from tests.node.data_builders import NOW, STORE_KEY, Clinic

SETTINGS = """
site = "dhaka-general"
data_folder = "data"
deployment = "deployment.json"
passphrase_file = "passphrase"
lineages = ["english-g2"]
[chain]
rpc_url = "http://127.0.0.1:1"
"""
LEXICON = parse_lexicon("name,generics,strengths,forms,routes\nNapa,,,,\nSeclo,,,,\nAce,,,,\n", source="test")


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    return Clinic(tmp_path / "data")


def report(clinic: Clinic, now: int = NOW, held_out_percent: int = 0):
    return data_report(clinic.store, LEXICON, now, held_out_percent=held_out_percent, purpose=TRAINING_PURPOSE)


def labelled(*brands: str) -> list[WordRow]:
    return [
        WordRow(b"page", b"patient", WordStatus.ACCEPTED, brand, known=True, source=LabelSource.MODEL)
        for brand in brands
    ]


def test_an_empty_store_gives_zeros(clinic):
    found = report(clinic)
    assert (found.pages, found.brands.words, found.brands.effective, found.brands.gini) == (0, 0, 0.0, 0.0)
    assert found.quality.height is None
    assert sum(found.words.values()) == 0


def test_pages_and_words_are_counted_by_state(clinic):
    first, second, third = clinic.add_words("P001", "Napa", "Seclo", "Ace", page="one")
    clinic.add_words("P002", "Napa", page="two")
    clinic.review.accept(first.hex(), "dr-khan", NOW)
    clinic.review.fix(second.hex(), "Ace", "dr-khan", NOW)
    clinic.review.reject(third.hex(), "no medicine", "dr-roy", NOW)
    found = report(clinic)
    assert (found.pages, found.pages_reviewed) == (2, 1)
    assert found.words == {"proposed": 1, "accepted": 1, "fixed": 1, "rejected": 1}
    assert (found.reviewers, found.busiest_reviewer_share) == (1, 1.0)
    assert found.brands.counts == (("Ace", 1), ("Napa", 1))


def test_a_word_trains_only_with_consent_and_on_a_page_that_is_there_once(clinic):
    for patient in ("P001", "P002", "P003"):
        clinic.add_words(patient, "Napa", page=patient)
    clinic.accept_all()
    clinic.grant("P001")
    clinic.grant("P003")
    pages = {word.patient: word.page_id for word in clinic.words()}
    with clinic.store.write() as transaction:
        later = transaction.session.get_one(Page, pages["P003"])
        add_pair(transaction, pages["P001"], later, PairKind.NEAR, "0.97", NOW)
    found = report(clinic)
    assert found.uses == {"training": 1, "held-out": 0, "no-consent": 1, "duplicate": 1}
    assert found.duplicates["near"] == {"waiting": 1, "same": 0, "different": 0}
    assert report(clinic, now=NOW + 400 * 24 * 3600).uses["training"] == 0


def test_held_out_words_are_told_apart(clinic):
    clinic.add_words("P001", *(f"Word{number}" for number in range(40)))
    clinic.accept_all()
    clinic.grant("P001")
    uses = report(clinic, held_out_percent=50).uses
    assert uses["training"] + uses["held-out"] == 40
    assert 5 < uses["held-out"] < 35


def test_each_label_says_where_it_comes_from(clinic):
    (word_id,) = clinic.add_words("P001", "Napa")
    clinic.review.accept(word_id.hex(), "dr-khan", NOW)
    (word,) = clinic.words()

    def source(label: str, *, engine: str, model: str | None, status: WordStatus = WordStatus.FIXED) -> LabelSource:
        candidates = (Candidate(model or "", 0.9), Candidate("Ace", 0.05))
        reading = None if model is None else ModelReading(1, model, candidates, sure=True)
        proposal = replace(word.proposal, text=engine, candidates=(Candidate(engine, 1.0),), model=reading)
        found = source_of(replace(word, label=label, status=status, proposal=proposal))
        assert found is not None
        return found

    assert source_of(word) is LabelSource.PAGE_READER
    accepted = WordStatus.ACCEPTED
    assert source("Napa", engine="Napa", model="Napa", status=accepted) is LabelSource.BOTH_READERS
    assert source("Seclo", engine="Napa", model="Seclo", status=accepted) is LabelSource.MODEL
    assert source("napa", engine="Napa", model="Seclo") is LabelSource.PAGE_READER
    assert source("Ace", engine="Napa", model="Seclo") is LabelSource.PICKED
    assert source("Ace", engine="Napa", model="Napa") is LabelSource.PICKED
    assert source("Fexo", engine="Napa", model="Seclo") is LabelSource.TYPED
    assert source("Fexo", engine="Napa", model=None) is LabelSource.TYPED
    assert source_of(replace(word, status=WordStatus.REJECTED, label="")) is None


def test_a_typed_label_that_the_lexicon_does_not_have_is_counted_and_not_shown(clinic):
    (word,) = clinic.add_words("P001", "Napa")
    clinic.review.fix(word.hex(), "Salma Khatun", "dr-khan", NOW)
    found = report(clinic)
    assert (found.brands.unlisted_names, found.brands.unlisted_words, found.brands.counts) == (1, 1, ())
    assert "salma" not in json.dumps(asdict(found)).lower()


def test_equally_frequent_names_are_as_varied_as_their_number():
    brands = report_of([], labelled("a", "b", "c", "d"), ()).brands
    assert brands.effective == pytest.approx(4)
    assert brands.gini == pytest.approx(0)
    assert brands.largest_share == 0.25


@given(st.lists(st.sampled_from("abcde"), min_size=1, max_size=40))
def test_the_imbalance_follows_its_definitions(names):
    brands = report_of([], labelled(*names), ()).brands
    sizes = [names.count(name) for name in set(names)]
    shares = [size / len(names) for size in sizes]
    assert brands.effective == pytest.approx(math.prod(share**-share for share in shares))
    apart = sum(abs(one - other) for one in sizes for other in sizes)
    assert brands.gini == pytest.approx(apart / (2 * len(sizes) ** 2 * (len(names) / len(sizes))))
    assert brands.largest_share == max(shares)


def test_quartiles_are_those_of_numpy():
    values = [3.0, 9.0, 1.0, 4.0, 7.0, 7.5]
    found = spread_of(values)
    assert found is not None
    assert (found.lower, found.middle, found.upper) == pytest.approx(np.quantile(values, [0.25, 0.5, 0.75]))
    assert spread_of([2.0]) == spread_of([2.0, 2.0]).__class__(1, 2.0, 2.0, 2.0, 2.0, 2.0)


def sheared(crop: np.ndarray, degrees: float) -> np.ndarray:
    lean = math.tan(math.radians(degrees))
    height, width = crop.shape
    move = np.float32([[1, -lean, lean * height / 2 + 40], [0, 1, 0]])
    return cv2.warpAffine(crop, move, (width + 80, height), borderValue=240)


def test_a_slanted_hand_measures_as_slanted():
    crop = draw_word("illilllii", 60)
    assert measure_word(crop).slant == pytest.approx(0, abs=3)
    assert measure_word(sheared(crop, 20)).slant == pytest.approx(20, abs=6)
    assert measure_word(sheared(crop, -20)).slant == pytest.approx(-20, abs=6)


def test_a_thicker_pen_a_paler_ink_and_a_blur_are_measured():
    crop = draw_word("Azithrocin", 60)
    plain = measure_word(crop)
    thick = measure_word(cv2.erode(crop, np.ones((5, 5), np.uint8)))
    pale = measure_word((240 - (240 - crop.astype(int)) // 3).astype(np.uint8))
    blurred = measure_word(cv2.GaussianBlur(crop, (0, 0), 3))
    assert thick.stroke > 1.2 * plain.stroke
    assert pale.contrast < 0.5 * plain.contrast
    assert blurred.sharpness < 0.2 * plain.sharpness
    assert plain.height == crop.shape[0]


def test_a_bar_of_known_width_has_that_stroke():
    crop = np.full((64, 200), 255, np.uint8)
    crop[:, 90:106] = 0
    assert measure_word(crop).stroke == pytest.approx(16 / 64, rel=0.15)


def test_an_empty_crop_measures_as_nothing():
    found = measure_word(np.full((30, 50), 255, np.uint8))
    assert (found.contrast, found.sharpness, found.slant, found.stroke) == (0, 0, 0, 0)


def test_the_same_picture_under_two_words_is_found(clinic):
    clinic.add_words("P001", "Napa", page="one")
    clinic.add_words("P002", "Napa", page="two")
    clinic.add_words("P003", "Ace", page="three")
    assert (report(clinic).quality.repeated, report(clinic).quality.measured) == (1, 3)


def test_a_sample_of_the_pictures_is_measured_and_all_are_compared(clinic, monkeypatch):
    monkeypatch.setattr(report_rows, "MEASURED", 2)
    for patient in ("P001", "P002", "P003"):
        clinic.add_words(patient, "Napa", page=patient)
    assert (report(clinic).quality.repeated, report(clinic).quality.measured) == (2, 2)


@pytest.fixture
def settled(clinic: Clinic, tmp_path: Path) -> Clinic:
    """A site whose settings a command can open."""
    (tmp_path / "node.toml").write_text(SETTINGS)
    (tmp_path / "passphrase").touch(mode=0o600)
    (tmp_path / "passphrase").write_text("open sesame")
    KeyRing.open(tmp_path / "data" / "keystore.json", b"open sesame").put(STORE_KEY_NAME, STORE_KEY)
    clinic.add_words("P-4711", "Amoxil", "Lasix", "Prilosec")
    clinic.accept_all()
    return clinic


def run(folder: Path, *arguments: str) -> str:
    app = typer.Typer()
    add_to(app)
    with structlog.testing.capture_logs():
        result = CliRunner().invoke(app, ["data", "report", "--config", str(folder / "node.toml"), *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_report_names_nobody_and_sends_nothing(settled, tmp_path, monkeypatch):
    def no_connection(*_arguments):
        raise AssertionError("the report opened a connection")

    monkeypatch.setattr(socket.socket, "connect", no_connection)
    monkeypatch.setattr(socket.socket, "sendto", no_connection)
    before = {path.name: path.read_bytes() for path in (tmp_path / "data").rglob("*.sqlite")}
    text, tables = run(tmp_path, "--json"), run(tmp_path)
    assert json.loads(text)["brands"]["counts"] == [["Amoxil", 1], ["Lasix", 1], ["Prilosec", 1]]
    for private in ("4711", "Salma", "Khatun", "Popular", "page.pdf", "page.png", "dr-khan"):
        assert private not in text + tables
    assert {path.name: path.read_bytes() for path in (tmp_path / "data").rglob("*.sqlite")} == before


def test_before_the_first_review_the_tables_claim_nothing_of_reviewers_and_medicines(settled, tmp_path):
    settled.desk.erase("P-4711", NOW, settled.originals, settled.quarantine)
    settled.add_words("P-4712", "Amoxil")
    text = run(tmp_path)
    assert "no word was reviewed yet" in text
    assert "busiest" not in text


def test_the_tables_show_both_ends_of_the_medicines(settled, tmp_path):
    text = run(tmp_path, "--top", "1")
    assert "Amoxil" in text
    assert "Prilosec" in text
    assert "Lasix" not in text
    assert "1 more names" in text
    assert bundled_lexicon("drugsfda").find("Lasix") is not None
