from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from node.consent.desk import (
    consent_entries,
    earliest_expiry,
    mark_withdrawals_published,
    pending_withdrawals,
)
from node.consent.notice import load_notice, shipped_notice
from node.store.tables import ReceiptState
from protocol.consent import consent_tree, verify_receipt
from protocol.errors import ConfigError, ConsentError
from protocol.identifiers import TxHash
from tests.node.data_builders import AUDIT_KEY, DAY, IDENTITY, NOW, Clinic, grant_of


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    return Clinic(tmp_path / "site")


def test_a_receipt_is_signed_by_the_witness_who_was_named(clinic: Clinic) -> None:
    rahman = clinic.desk.grant(grant_of("P001"), NOW)
    akter = clinic.add_witness("sister.akter")
    signed = clinic.desk.grant(grant_of("P001", witness="sister.akter"), NOW)
    assert verify_receipt(signed, frozenset({akter}), IDENTITY).patient == "P001"
    with pytest.raises(ConsentError):
        verify_receipt(rahman, frozenset({akter}), IDENTITY)


def test_a_receipt_names_the_text_that_was_shown(clinic: Clinic) -> None:
    receipt = clinic.desk.grant(grant_of("P001"), NOW).receipt
    notice = shipped_notice("en")
    assert (receipt.notice_digest, receipt.notice_version, receipt.language) == (notice.digest, notice.version, "en")


def test_a_receipt_in_force_comes_back_with_its_signature_and_salt(clinic: Clinic) -> None:
    signed = clinic.desk.grant(grant_of("P001"), NOW)
    (entry,) = consent_entries(clinic.store, NOW)
    assert entry.signed == signed
    assert len(entry.salt) == 32


def test_the_same_receipts_give_the_same_root_every_time(clinic: Clinic) -> None:
    for number in range(5):
        clinic.grant(f"P{number:03d}")
    roots = {consent_tree(consent_entries(clinic.store, NOW), AUDIT_KEY).root for _ in range(3)}
    assert len(roots) == 1


def test_a_receipt_stops_being_in_force_when_it_expires(clinic: Clinic) -> None:
    clinic.grant("P001", days=2)
    clinic.grant("P002", days=1)
    assert earliest_expiry(consent_entries(clinic.store, NOW)) == NOW + DAY
    assert len(consent_entries(clinic.store, NOW + DAY - 1)) == 2
    assert len(consent_entries(clinic.store, NOW + DAY)) == 1
    assert earliest_expiry(consent_entries(clinic.store, NOW + 2 * DAY)) is None


def test_a_withdrawal_ends_every_receipt_of_the_patient_and_waits_to_be_published(clinic: Clinic) -> None:
    withdrawn = {clinic.grant("P001"), clinic.grant("P001")}
    other = clinic.grant("P002")
    assert clinic.desk.withdraw("P001", NOW + 5) == 2
    assert [entry.signed.receipt.receipt_id for entry in consent_entries(clinic.store, NOW + 5)] == [other]
    pending = pending_withdrawals(clinic.store)
    assert {item.withdrawal_id for item in pending} == withdrawn
    assert clinic.store.withdrawal_count() == 2


def test_a_withdrawal_recorded_while_the_chain_is_told_of_others_still_waits(clinic: Clinic) -> None:
    clinic.grant("P001")
    clinic.grant("P002")
    clinic.desk.withdraw("P001", NOW)
    pending = pending_withdrawals(clinic.store)
    clinic.desk.withdraw("P002", NOW + 1)
    mark_withdrawals_published(clinic.store, [item.withdrawal_id for item in pending], TxHash(b"\x09" * 32))
    assert [item.recorded_at for item in pending_withdrawals(clinic.store)] == [NOW + 1]
    assert clinic.store.withdrawal_count() == 2


def test_a_withdrawal_of_somebody_without_consent_says_so(clinic: Clinic) -> None:
    clinic.add_words("P001", "Napa")
    with pytest.raises(ConsentError, match="no consent to withdraw"):
        clinic.desk.withdraw("P001", NOW)
    with pytest.raises(ConsentError, match="not known here"):
        clinic.desk.withdraw("P999", NOW)


def test_a_second_withdrawal_says_that_there_is_nothing_left(clinic: Clinic) -> None:
    clinic.grant("P001")
    clinic.desk.withdraw("P001", NOW)
    with pytest.raises(ConsentError, match="no consent to withdraw"):
        clinic.desk.withdraw("P001", NOW)
    assert clinic.store.withdrawal_count() == 1


def test_a_patient_may_consent_again_after_a_withdrawal(clinic: Clinic) -> None:
    clinic.grant("P001")
    clinic.desk.withdraw("P001", NOW)
    again = clinic.grant("P001", now=NOW + 9)
    assert [entry.signed.receipt.receipt_id for entry in consent_entries(clinic.store, NOW + 9)] == [again]
    assert [stored.state for stored in clinic.desk.receipts()] == [ReceiptState.WITHDRAWN, ReceiptState.IN_FORCE]


def test_erasing_a_patient_withdraws_and_leaves_no_row_or_file_of_theirs(clinic: Clinic) -> None:
    words = clinic.add_words("P001", "Napa", "Seclo")
    clinic.add_words("P002", "Ace")
    clinic.grant("P001")
    erasure = clinic.desk.erase("P001", NOW, clinic.originals, clinic.quarantine)
    assert set(erasure.word_ids) == set(words)
    assert (erasure.files, erasure.log_emptied) == (1, True)
    assert len(clinic.files()) == 1
    assert len(pending_withdrawals(clinic.store)) == 1
    assert clinic.store.withdrawal_count() == 1
    connection = sqlite3.connect(clinic.folder / "store.sqlite")
    counts = {
        table: connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
        for table in ("patients", "pages", "words", "originals", "receipts")
    }
    connection.close()
    assert counts == {"patients": 1, "pages": 1, "words": 1, "originals": 1, "receipts": 0}


def test_the_bytes_of_an_erased_patients_key_and_crops_are_gone_from_the_disk(clinic: Clinic) -> None:
    (word,) = clinic.add_words("P001", "Napa")
    connection = sqlite3.connect(clinic.folder / "store.sqlite")
    (key,) = connection.execute("SELECT wrapped_key FROM patients").fetchone()
    (crop,) = connection.execute("SELECT sealed_crop FROM words WHERE id = ?", (word,)).fetchone()
    connection.close()
    assert key in clinic.everything_on_disk()
    assert crop[:64] in clinic.everything_on_disk()
    clinic.desk.erase("P001", NOW, clinic.originals, clinic.quarantine)
    assert key not in clinic.everything_on_disk()
    assert crop[:64] not in clinic.everything_on_disk()


def test_the_log_is_not_emptied_while_somebody_reads(clinic: Clinic) -> None:
    clinic.add_words("P001", "Napa")
    clinic.store._engine.dispose()
    reader = sqlite3.connect(clinic.folder / "store.sqlite")
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM patients").fetchall()
    with clinic.store._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 50")
    erasure = clinic.desk.erase("P001", NOW, clinic.originals, clinic.quarantine)
    assert not erasure.log_emptied
    reader.close()
    assert clinic.store.forget_deleted()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"purposes": ()}, "known purposes"),
        ({"purposes": ("DUO:9999999",)}, "known purposes"),
        ({"validity_days": 0}, "lasts 1 to"),
        ({"validity_days": 100_000}, "lasts 1 to"),
        ({"asked_by": "  "}, "who asked"),
        ({"patient": " "}, "identifier"),
        ({"witness": "Nurse Rahman!"}, "no witness name"),
    ],
)
def test_a_consent_that_a_receipt_cannot_hold_is_refused(
    clinic: Clinic, change: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        clinic.desk.grant(replace(grant_of("P001"), **change), NOW)  # type: ignore[arg-type]
    assert consent_entries(clinic.store, NOW) == ()


def test_a_witness_without_a_key_cannot_sign(clinic: Clinic) -> None:
    with pytest.raises(ConfigError, match=r"nobody is no witness here\. fedrx node witness add nobody"):
        clinic.desk.grant(grant_of("P001", witness="nobody"), NOW)


def test_the_shipped_notice_fits_one_page_and_says_what_it_must() -> None:
    notice = shipped_notice("en")
    assert notice.version == "1"
    assert len(notice.text.split()) < 600
    for promise in ("What we would use", "What stays here", "What leaves", "change your mind", "Whom to ask"):
        assert promise in notice.text


def test_a_site_may_show_its_own_notice(tmp_path: Path) -> None:
    path = tmp_path / "bn.txt"
    path.write_text("Version: 2.1-dhaka\n\nআপনার সম্মতি\n", encoding="utf-8")
    notice = load_notice(path, "bn-BD")
    assert (notice.language, notice.version) == ("bn-BD", "2.1-dhaka")
    assert notice.digest != shipped_notice("en").digest


def test_a_notice_without_a_version_or_language_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("Hello", encoding="utf-8")
    with pytest.raises(ConfigError, match="has no version"):
        load_notice(path, "en")
    with pytest.raises(ConfigError, match="no language tag"):
        shipped_notice("../en")
    with pytest.raises(ConfigError, match="no notice in 'fr'"):
        shipped_notice("fr")
