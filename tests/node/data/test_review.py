from __future__ import annotations

import csv
import io
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from node.data.other_readings import OtherReading
from node.data.review import Decision, ReviewDesk
from node.data.review_sheet import OUT_COLUMNS, load_sheet, parse_sheet, sheet_of
from node.store.local_store import LocalStore
from node.store.pages import NewPage, NewWord, add_page, ensure_original, known_files
from node.store.tables import WordStatus
from node.store.words import crop_png, find_word
from prescriptions.understand import UNKNOWN_MEDICINE
from protocol.errors import ConfigError, LearningError
from protocol.identifiers import digest_of
from tests.node.data_builders import NOW, STORE_KEY, Clinic, crop_of, proposal_of


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    return Clinic(tmp_path / "site")


def _status(clinic: Clinic, word_id: bytes) -> tuple[WordStatus, str]:
    with clinic.store.read() as transaction:
        word = find_word(transaction, word_id.hex())
    return word.status, word.label


def test_an_accepted_word_has_the_proposal_as_its_label(clinic: Clinic) -> None:
    (word,) = clinic.add_words("P001", "Napa")
    clinic.review.accept(word.hex()[:8], "dr-khan", NOW)
    assert _status(clinic, word) == (WordStatus.ACCEPTED, "Napa")


def test_a_fixed_word_has_the_label_that_a_person_wrote(clinic: Clinic) -> None:
    (word,) = clinic.add_words("P001", "Napa")
    clinic.review.fix(word.hex(), "  Napa Extra ", "dr-khan", NOW)
    assert _status(clinic, word) == (WordStatus.FIXED, "Napa Extra")


def test_a_rejected_word_has_no_label(clinic: Clinic) -> None:
    (word,) = clinic.add_words("P001", "Napa")
    clinic.review.reject(word.hex(), "not a medicine", "dr-khan", NOW)
    assert _status(clinic, word) == (WordStatus.REJECTED, "")


def test_a_word_that_the_readers_name_differently_is_asked_about_and_not_accepted(clinic: Clinic) -> None:
    (word,) = clinic.add_words("P001", "Napa", model="Seclo")
    (waiting,) = clinic.review.waiting()
    assert waiting.proposal.label == ""
    with pytest.raises(ConfigError, match="different medicines"):
        clinic.review.accept(word.hex(), "dr-khan", NOW)
    assert _status(clinic, word) == (WordStatus.PROPOSED, "")
    clinic.review.fix(word.hex(), "Seclo", "dr-khan", NOW)
    assert _status(clinic, word) == (WordStatus.FIXED, "Seclo")


def test_the_least_certain_word_comes_first(clinic: Clinic) -> None:
    shares = {"Seclo": 0.9, "Napa": 0.2, "Ace": 0.5}
    words = tuple(NewWord(crop_of(name), proposal_of(name, share)) for name, share in shares.items())
    words += (NewWord(crop_of("?"), replace(proposal_of("Zz", 0.99), candidates=())),)
    with clinic.store.write() as transaction:
        original = ensure_original(transaction, "P001", digest_of("f"), NOW)
        page = NewPage(digest_of("p"), 1, "a.png", "rapidocr", "", "", words)
        add_page(transaction, "P001", page, original.file_id, NOW)
    assert [word.proposal.text for word in clinic.review.waiting()] == ["Zz", "Napa", "Ace", "Seclo"]


def test_the_original_is_deleted_when_its_last_word_was_reviewed(clinic: Clinic) -> None:
    first, second = clinic.add_words("P001", "Napa", "Seclo")
    clinic.add_words("P002", "Ace")
    assert len(clinic.files()) == 2
    assert clinic.review.accept(first.hex(), "dr-khan", NOW).originals_deleted == 0
    assert clinic.review.reject(second.hex(), "unreadable", "dr-khan", NOW).originals_deleted == 1
    assert len(clinic.files()) == 1


def test_a_site_that_keeps_originals_keeps_them_after_review(tmp_path: Path) -> None:
    clinic = Clinic(tmp_path / "site", keep_originals=True)
    clinic.add_words("P001", "Napa")
    clinic.accept_all()
    assert len(clinic.files()) == 1


def test_the_picture_of_a_rejected_word_goes_when_its_page_is_reviewed(clinic: Clinic) -> None:
    rejected, other = clinic.add_words("P001", "Salma", "Napa")
    clinic.review.reject(rejected.hex(), "a name", "dr-khan", NOW)
    with clinic.store.read() as transaction:
        assert crop_png(transaction, rejected) == crop_of("Salma")
    clinic.review.accept(other.hex(), "dr-khan", NOW)
    with clinic.store.read() as transaction:
        assert crop_png(transaction, rejected) is None
        assert crop_png(transaction, other) == crop_of("Napa")
    with pytest.raises(ConfigError, match="its picture is gone"):
        clinic.review.accept(rejected.hex(), "dr-khan", NOW)


def test_a_person_may_change_their_mind_about_a_label(clinic: Clinic) -> None:
    (word,) = clinic.add_words("P001", "Napa")
    clinic.review.accept(word.hex(), "dr-khan", NOW)
    clinic.review.fix(word.hex(), "Napadol", "dr-khan", NOW + 1)
    assert _status(clinic, word) == (WordStatus.FIXED, "Napadol")


def test_where_no_medicine_is_near_the_proposal_is_what_was_read() -> None:
    near = proposal_of("Napa")
    assert replace(near, text="Nqpx").label == "Napa"
    assert replace(near, text="Nqpx", flags=(UNKNOWN_MEDICINE,)).label == "Nqpx"


@pytest.mark.parametrize("label", ["", "  ", "নাপা", "Napa\t5", "x" * 41])
def test_a_label_that_the_recogniser_cannot_write_is_refused(clinic: Clinic, label: str) -> None:
    (word,) = clinic.add_words("P001", "Napa")
    with pytest.raises(ConfigError, match="a label"):
        clinic.review.fix(word.hex(), label, "dr-khan", NOW)
    assert _status(clinic, word)[0] is WordStatus.PROPOSED


def test_the_recognisers_own_alphabet_decides_when_it_is_given(clinic: Clinic) -> None:
    def no_digits(label: str) -> None:
        if any(character.isdigit() for character in label):
            raise LearningError("the recogniser cannot write digits")

    desk = ReviewDesk(clinic.store, clinic.originals, keep_originals=False, check_label=no_digits)
    (word,) = clinic.add_words("P001", "Napa")
    with pytest.raises(LearningError, match=r"sheet.csv line 7: the recogniser cannot write digits"):
        desk.apply([Decision(word.hex(), "fix", "Napa5", "sheet.csv line 7")], "dr-khan", NOW)


@pytest.mark.parametrize("typed", ["", "abc", "zzzzzzzz", "0" * 33, "../../etc"])
def test_what_is_no_word_id_is_refused(clinic: Clinic, typed: str) -> None:
    clinic.add_words("P001", "Napa")
    with pytest.raises(ConfigError, match="no word id"):
        clinic.review.accept(typed, "dr-khan", NOW)


def test_an_id_that_several_words_share_is_refused(clinic: Clinic) -> None:
    words = [word for n in range(2) for word in clinic.add_words("P001", *_names(n), page=f"page {n}")]
    connection = sqlite3.connect(clinic.folder / "store.sqlite")
    connection.execute("UPDATE words SET id = ? WHERE id = ?", (words[0][:4] + bytes(12), words[1]))
    connection.commit()
    connection.close()
    with clinic.store.read() as transaction, pytest.raises(ConfigError, match="several words"):
        find_word(transaction, words[0].hex()[:8])


def test_an_id_of_no_word_is_refused(clinic: Clinic) -> None:
    (word,) = clinic.add_words("P001", "Napa")
    other = "0000" if word.hex()[:4] != "0000" else "ffff"
    with pytest.raises(ConfigError, match="there is no word"):
        clinic.review.accept(other, "dr-khan", NOW)


def test_a_sheet_that_goes_out_and_comes_back_reviews_every_word(clinic: Clinic, tmp_path: Path) -> None:
    clinic.add_words("P001", "Napa", "Seclo", "Ace")
    rows = list(csv.DictReader(io.StringIO(sheet_of(clinic.review.waiting(), {}))))
    assert tuple(rows[0]) == OUT_COLUMNS
    for row in rows:
        row["action"] = {"Napa": "accept", "Seclo": "FIX", "Ace": "reject"}[row["proposal"]]
        row["label"] = {"Napa": "", "Seclo": "Seclo 20", "Ace": "smudged"}[row["proposal"]]
    path = tmp_path / "filled.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.DictWriter(stream, OUT_COLUMNS, lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(rows)
    counts = clinic.review.apply(load_sheet(path), "dr-khan", NOW)
    assert (counts.accepted, counts.fixed, counts.rejected, counts.originals_deleted) == (1, 1, 1, 1)
    assert sorted(word.label for word in clinic.words()) == ["", "Napa", "Seclo 20"]


def test_a_sheet_says_what_the_models_of_other_lineages_read(clinic: Clinic) -> None:
    clinic.add_words("P001", "Napa")
    (word,) = clinic.review.waiting()
    others = (OtherReading("neck", 2, "Seclo", 0.93, "seclc"), OtherReading("head", 4, None, 0.2, "nqa"))
    stored = replace(word, proposal=replace(word.proposal, others=others))
    (row,) = csv.DictReader(io.StringIO(sheet_of([stored], {})))
    assert row["other_models"] == "neck: seclc → Seclo 93%|head: nqa"
    assert (row["proposal"], row["certainty"], row["box"]) == ("", "0.45", "10 20 110 60")


def test_a_sheet_may_come_back_twice(clinic: Clinic) -> None:
    first, second = clinic.add_words("P001", "Napa", "Seclo")
    decisions = parse_sheet(f"word,action,label\n{first.hex()},accept,\n{second.hex()},reject,smudged\n", "s.csv")
    clinic.review.apply(decisions, "dr-khan", NOW)
    clinic.review.apply(decisions, "dr-khan", NOW)
    assert sorted(word.status for word in clinic.words()) == ["accepted", "rejected"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: there is no column 'word'"),
        ("word,label\nab,c\n", "line 1: there is no column 'action'"),
        ("word,action,label\n\nabcd1234,maybe,\n", "line 3: 'maybe' is no action"),
        ("word,action,label\nabcd1234,fix,\n", "line 2: fix needs a label"),
        ("word,action,label\n,accept,\n", "line 2: there is no word id"),
        ("word,action,label\nabcd1234,accept\n", "line 2: 2 columns are too few"),
        ("word,action,label\nabcd1234,accept,\nabcd1234,reject,\n", "line 3: the word of line 2 comes again"),
        ('word,action,label\nabcd1234,fix,"Na\n', "line 2 is no CSV"),
    ],
)
def test_a_sheet_with_a_fault_names_the_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_sheet(text, "sheet.csv")


def test_a_sheet_with_one_bad_word_changes_nothing_and_names_the_line(clinic: Clinic) -> None:
    first, second = clinic.add_words("P001", "Napa", "Seclo")
    text = f"word,action,label\n{first.hex()},accept,\n{second.hex()},fix,নাপা\n"
    with pytest.raises(ConfigError, match=r"sheet.csv line 3: a label cannot hold"):
        clinic.review.apply(parse_sheet(text, "sheet.csv"), "dr-khan", NOW)
    assert {word.status for word in clinic.words()} == {WordStatus.PROPOSED}


def test_rows_without_an_action_are_left_for_later() -> None:
    assert parse_sheet("word,action,label\nabcd1234,,\n ,,\n", "sheet.csv") == ()


def test_what_was_read_on_a_page_is_no_formula_in_a_sheet(clinic: Clinic) -> None:
    clinic.add_words("P001", '=HYPERLINK("http://evil")')
    (row,) = csv.DictReader(io.StringIO(sheet_of(clinic.review.waiting(), {})))
    assert row["read"].startswith("'=")
    assert row["proposal"].startswith("'=")


def test_pictures_are_written_where_the_clinician_says(clinic: Clinic, tmp_path: Path) -> None:
    (word,) = clinic.add_words("P001", "Napa")
    names = clinic.review.write_crops(clinic.review.waiting(), tmp_path / "crops")
    assert (tmp_path / "crops" / names[word]).read_bytes() == crop_of("Napa")


def test_a_crash_between_deleting_a_key_and_its_file_leaves_only_noise(clinic: Clinic) -> None:
    class DyingError(RuntimeError):
        pass

    class Files:
        def remove(self, file_id: bytes) -> None:
            raise DyingError

    clinic.add_words("P001", "Napa")
    desk = ReviewDesk(clinic.store, Files(), keep_originals=False)  # type: ignore[arg-type]
    with pytest.raises(DyingError):
        desk.apply([Decision(clinic.words()[0].word_id.hex(), "accept")], "dr-khan", NOW)
    assert len(clinic.files()) == 1
    reopened = LocalStore(clinic.folder / "store.sqlite", STORE_KEY)
    with reopened.read() as transaction:
        originals, _ = known_files(transaction)
    assert clinic.originals.sweep(lambda: originals) == 1


def _names(n: int) -> tuple[str, ...]:
    return (f"Medicine{n}",)
