from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from functools import cache
from pathlib import Path
from typing import Self

import cv2
import numpy as np
import pytest
import typer
from numpy.typing import NDArray
from sqlalchemy import select, update
from typer.testing import CliRunner

from node.data import duplicate_commands
from node.data.duplicate_commands import duplicates_app
from node.data.duplicate_desk import DuplicateDesk
from node.data.near_pages import NearPage, SeenPages, note_page, prescribed_on
from node.store.duplicates import (
    DuplicatePair,
    PageFingerprint,
    PairKind,
    PairStatus,
    undecided_or_same_pages,
)
from node.store.receipts import erase_patient
from node.store.redacted import add_redacted
from node.store.tables import Page
from prescriptions.duplicates import NEAR
from prescriptions.fingerprint import PageLook, look_at
from prescriptions.reissue import Prescribed, PrescribedMedicine
from prescriptions.understand import Prescription
from prescriptions.words import encode_png
from protocol.errors import ConfigError, FederationError
from tests.node.data_builders import NOW, Clinic

DAY = date(2025, 3, 12)
NAPA = PrescribedMedicine("Napa", "500 mg", "1+0+1")
SECLO = PrescribedMedicine("Seclo", "20 mg", "od")
NOTHING = Prescribed(None, ())


def scribble(seed: int) -> NDArray[np.uint8]:
    sheet = np.full((900, 700), 245, np.uint8)
    rng = np.random.default_rng(seed)
    for row in range(7):
        x = np.linspace(60, 640, 240)
        y = 90 + 115 * row + 20 * np.sin(np.cumsum(rng.uniform(0, 0.9, 240))) + np.cumsum(rng.normal(0, 1.5, 240))
        cv2.polylines(sheet, [np.stack([x, y], axis=1).astype(np.int32)], False, 30.0, 2, cv2.LINE_AA)
    return sheet


@cache
def look(seed: int) -> PageLook:
    return look_at(scribble(seed))


@cache
def again() -> PageLook:
    """The first page once more: cropped, smaller, blurred."""
    small = cv2.resize(scribble(1)[20:880, 15:690], (500, 640))
    return look_at(np.asarray(cv2.GaussianBlur(small, (0, 0), 0.8), dtype=np.uint8))


class Desk:
    """A clinic whose pages are noted as an import notes them."""

    def __init__(self, folder: Path) -> None:
        self.clinic = Clinic(folder)
        self.seen = SeenPages()
        self.desk = DuplicateDesk(self.clinic.store)

    def draw(self, page_id: bytes, picture: NDArray[np.uint8]) -> None:
        with self.clinic.store.write() as transaction:
            patient_id = transaction.session.get_one(Page, page_id).patient_id
            add_redacted(transaction, page_id, patient_id, encode_png(picture))

    def add(
        self, name: str, look: PageLook, prescribed: Prescribed = NOTHING, patient: str = "P001", now: int = NOW
    ) -> tuple[bytes, tuple[NearPage, ...]]:
        (word,) = self.clinic.add_words(patient, name, page=name)
        page_id = next(stored.page_id for stored in self.clinic.words() if stored.word_id == word)
        with self.clinic.store.write() as transaction:
            return page_id, note_page(transaction, self.seen, page_id, look, prescribed, now)

    def kept_out(self) -> frozenset[bytes]:
        with self.clinic.store.read() as transaction:
            return undecided_or_same_pages(transaction)


@pytest.fixture
def site(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "site")


def test_a_page_that_looks_like_an_earlier_one_waits_and_does_not_train(site: Desk) -> None:
    first, found = site.add("Napa", look(1))
    assert found == ()
    later, (near,) = site.add("Ace", again())
    assert (near.page_id, near.kind) == (first, PairKind.NEAR)
    assert near.likeness >= NEAR
    assert site.kept_out() == {later}
    (shown,) = site.desk.waiting()
    assert (shown.earlier.page_id, shown.later.page_id) == (first, later)
    assert shown.pair.likeness == f"{near.likeness:.2f}"
    assert (shown.earlier.file, shown.later.file, shown.later.patient) == ("Napa.pdf", "Ace.pdf", "P001")


def test_pages_that_look_different_are_no_pair(site: Desk) -> None:
    for number, seed in enumerate((1, 2, 3)):
        assert site.add(f"Napa {number}", look(seed))[1] == ()
    assert site.kept_out() == frozenset()


def test_one_page_under_two_patients_is_a_pair(site: Desk) -> None:
    site.add("Napa", look(1), patient="P001")
    assert [near.kind for near in site.add("Ace", again(), patient="P002")[1]] == [PairKind.NEAR]
    (shown,) = site.desk.waiting()
    assert (shown.earlier.patient, shown.later.patient) == ("P001", "P002")


def test_of_several_pages_that_look_alike_the_earliest_is_named(site: Desk) -> None:
    first, _ = site.add("Napa", look(1))
    site.add("Ace", again())
    assert [near.page_id for near in site.add("Seclo", look(1))[1]] == [first]


def test_a_prescription_written_again_is_a_pair_for_one_patient_alone(site: Desk) -> None:
    first, _ = site.add("Napa", look(1), Prescribed(DAY, (NAPA, SECLO)))
    assert site.add("Ace", look(2), Prescribed(DAY, (NAPA, SECLO)), patient="P002")[1] == ()
    later, found = site.add("Seclo", look(3), Prescribed(DAY, (SECLO, NAPA)))
    assert found == (NearPage(first, PairKind.REISSUED, 0.0),)
    (shown,) = site.desk.waiting()
    assert shown.later.page_id == later
    assert (shown.earlier.written_on, shown.earlier.medicines) == (DAY, ("Napa 500 mg 1+0+1", "Seclo 20 mg od"))


def test_a_look_up_that_failed_half_way_shifts_no_page(site: Desk) -> None:
    pages = [site.add(f"page {seed}", look(seed))[0] for seed in (1, 2, 3)]
    second = update(PageFingerprint).where(PageFingerprint.page_id == pages[1])
    with site.clinic.store.write() as transaction:
        query = select(PageFingerprint.sealed_fingerprint).where(PageFingerprint.page_id == pages[1])
        kept = transaction.session.scalars(query).one()
        transaction.session.execute(second.values(sealed_fingerprint=b"damaged"))
    seen = SeenPages()
    with pytest.raises(FederationError):
        seen.catch_up(site.clinic.store)
    with site.clinic.store.write() as transaction:
        transaction.session.execute(second.values(sealed_fingerprint=kept))
    seen.catch_up(site.clinic.store)
    for seed, page_id in enumerate(pages, start=1):
        assert page_id in seen.candidates(look(seed).fingerprint)


def test_of_several_prescriptions_the_one_of_the_same_day_is_named(site: Desk) -> None:
    site.add("Napa", look(1), Prescribed(None, (NAPA, SECLO)))
    later, (unread,) = site.add("Ace", look(2), Prescribed(DAY, (NAPA, SECLO)))
    assert unread.kind is PairKind.REISSUED
    assert "could not be read" in site.desk.waiting()[0].why
    _, found = site.add("Seclo", look(3), Prescribed(DAY, (NAPA, SECLO)), now=NOW + 1)
    assert [near.page_id for near in found] == [later]
    assert site.desk.waiting()[-1].why == "one day, the same medicines"


def test_the_repeat_of_a_prescription_on_another_day_trains(site: Desk) -> None:
    site.add("Napa", look(1), Prescribed(DAY, (NAPA, SECLO)))
    for number, day in enumerate((date(2025, 4, 12), date(2025, 4, 9), date(2025, 3, 19), date(2026, 3, 12))):
        assert site.add(f"repeat {number}", look(2 + number), Prescribed(day, (NAPA, SECLO)))[1] == ()
    assert site.kept_out() == frozenset()


def test_the_same_picture_is_not_named_a_second_time_for_what_it_says(site: Desk) -> None:
    site.add("Napa", look(1), Prescribed(DAY, (NAPA,)))
    assert [near.kind for near in site.add("Ace", again(), Prescribed(DAY, (NAPA,)))[1]] == [PairKind.NEAR]


def test_a_person_decides_and_may_change_their_mind(site: Desk) -> None:
    site.add("Napa", look(1))
    later, _ = site.add("Ace", again())
    (shown,) = site.desk.waiting()
    assert site.desk.say_different([shown.short_id], "dr-khan", NOW + 5) == 1
    assert site.kept_out() == frozenset()
    assert site.desk.waiting() == ()
    assert site.desk.say_same([shown.pair.pair_id.hex(), shown.short_id], " dr-roy ", NOW + 9) == 1
    assert site.kept_out() == {later}
    (decided,) = site.desk.pairs()
    assert (decided.pair.status, decided.pair.reviewer, decided.pair.decided_at) == (PairStatus.SAME, "dr-roy", NOW + 9)
    assert decided.pair.likeness == shown.pair.likeness


@pytest.mark.parametrize("typed", ["", "zz", "12", "not-a-pair", "00000000", "0" * 40])
def test_an_id_that_names_no_pair_is_refused(site: Desk, typed: str) -> None:
    with pytest.raises(ConfigError):
        site.desk.say_same([typed], "dr-khan", NOW)


def test_nothing_is_written_when_one_id_is_wrong_or_nobody_signs(site: Desk) -> None:
    site.add("Napa", look(1))
    site.add("Ace", again())
    (shown,) = site.desk.waiting()
    with pytest.raises(ConfigError):
        site.desk.say_different([shown.short_id, "ffffffffffff"], "dr-khan", NOW)
    with pytest.raises(ConfigError, match="who decided"):
        site.desk.say_different([shown.short_id], "  ", NOW)
    assert len(site.desk.waiting()) == 1


def test_a_page_that_was_not_committed_is_found_when_it_comes_again(site: Desk) -> None:
    site.clinic.add_words("P001", "Napa", page="Napa")
    page_id = site.clinic.words()[0].page_id

    def power_fails() -> None:
        with site.clinic.store.write() as transaction:
            note_page(transaction, site.seen, page_id, look(1), NOTHING, NOW)
            raise RuntimeError("the power fails")

    with pytest.raises(RuntimeError, match="power"):
        power_fails()
    with site.clinic.store.write() as transaction:
        assert note_page(transaction, site.seen, page_id, look(1), NOTHING, NOW) == ()
    assert [near.page_id for near in site.add("Ace", again())[1]] == [page_id]


def test_a_page_that_another_process_imported_is_found(site: Desk) -> None:
    first, _ = site.add("Napa", look(1))
    site.seen = SeenPages()
    assert [near.page_id for near in site.add("Ace", again())[1]] == [first]


@pytest.mark.parametrize("erased", ["P001", "P002"])
def test_erasing_either_patient_takes_the_pair_along(site: Desk, erased: str) -> None:
    site.add("Napa", look(1), patient="P001")
    site.add("Ace", again(), patient="P002")
    with site.clinic.store.write() as transaction:
        row = transaction.find_patient(erased)
        assert row is not None
        erase_patient(transaction, row.id)
    assert site.kept_out() == frozenset()
    with site.clinic.store.read() as transaction:
        pages = set(transaction.session.scalars(select(Page.id)))
        assert set(transaction.session.scalars(select(PageFingerprint.page_id))) == pages
        assert list(transaction.session.scalars(select(DuplicatePair))) == []
    # The index of this process still holds the erased page: it is passed over.
    site.add("Seclo", look(1), patient="P003")


def test_the_store_says_nothing_of_looks_medicines_or_reviewers(site: Desk) -> None:
    site.add("page-1", look(1), Prescribed(DAY, (NAPA, SECLO)))
    site.add("page-2", again(), Prescribed(DAY, (NAPA, SECLO)))
    site.desk.say_same([site.desk.waiting()[0].short_id], "dr-khan", NOW)
    on_disk = site.clinic.everything_on_disk()
    for secret in (
        b"Seclo",
        b"2025-03-12",
        b"dr-khan",
        look(1).fingerprint.codes.tobytes()[:64],
        look(1).fingerprint.places.tobytes()[:64],
    ):
        assert secret not in on_disk


def test_both_pages_are_drawn_side_by_side(site: Desk, tmp_path: Path) -> None:
    for name, seed in (("Napa", look(1)), ("Ace", again())):
        page_id, _ = site.add(name, seed)
        site.draw(page_id, scribble(1)[: 600 if name == "Ace" else 900])
    (shown,) = site.desk.waiting()
    names = site.desk.write_pictures([shown], tmp_path / "pictures")
    file = tmp_path / "pictures" / names[shown.pair.pair_id]
    assert file.stat().st_mode & 0o777 == 0o600
    picture = np.asarray(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE))
    assert picture.shape[0] == 1002
    assert picture[:, :700].min() < 60
    assert picture[:, -700:].min() < 60


def test_a_pair_of_which_no_picture_is_kept_has_none(site: Desk, tmp_path: Path) -> None:
    site.add("Napa", look(1))
    page_id, _ = site.add("Ace", again())
    site.draw(page_id, scribble(1))
    (shown,) = site.desk.waiting()
    assert site.desk.picture(shown.pair) is None
    assert site.desk.write_pictures([shown], tmp_path / "pictures") == {}


def test_lines_that_are_near_no_medicine_prescribe_nothing() -> None:
    assert prescribed_on(DAY, Prescription(None, None, ())) == Prescribed(DAY, ())


class _OpenedSite:
    def __init__(self, clinic: Clinic) -> None:
        self.store = clinic.store

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


@pytest.fixture
def command(site: Desk, monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    monkeypatch.setattr(duplicate_commands, "open_site", lambda _config: _OpenedSite(site.clinic))
    return duplicates_app


def test_the_commands_list_and_decide(site: Desk, command: typer.Typer, tmp_path: Path) -> None:
    for name, seed, prescribed in (("Napa", look(1), Prescribed(DAY, (NAPA,))), ("Ace", again(), NOTHING)):
        page_id, _ = site.add(name, seed, prescribed)
        site.draw(page_id, scribble(1))
    run = CliRunner()
    listed = json.loads(run.invoke(command, ["list", "--json", "--pictures", str(tmp_path / "p")]).stdout)
    assert [(pair["kind"], pair["status"], pair["earlier"]["file"]) for pair in listed] == [
        ("near", "waiting", "Napa.pdf")
    ]
    assert (tmp_path / "p" / listed[0]["picture"]).exists()
    assert listed[0]["pair"][:8] in run.invoke(command, ["list"]).stdout
    assert run.invoke(command, ["same", listed[0]["pair"][:8], "--reviewer", "dr-khan"]).exit_code == 0
    assert json.loads(run.invoke(command, ["list", "--json"]).stdout) == []
    (decided,) = json.loads(run.invoke(command, ["list", "--json", "--all"]).stdout)
    assert (decided["status"], decided["reviewer"]) == ("same", "dr-khan")
    assert run.invoke(command, ["different", decided["pair"], "--reviewer", "dr-khan"]).exit_code == 0
    assert site.kept_out() == frozenset()


def test_the_commands_load_no_image_library() -> None:
    code = "import sys, node.data.duplicate_commands; sys.exit('cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
