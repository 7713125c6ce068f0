"""One-time codes: each is taken once, and guessing is slowed down (node/consent/second_factor.py)."""

from __future__ import annotations

import dataclasses
import sqlite3
from pathlib import Path

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.consent.desk import ConsentDesk, consent_entries
from node.consent.grant import PatientProof, StaffProof
from node.consent.second_factor import CodeRefused, CodeState, CodeTaken, enrolment_uri, new_secret, try_code
from node.store.evidence import form_of
from node.store.local_store import LocalStore
from node.store.second_factor import enrol_patient, enrol_staff, staff_names
from protocol.consent_factor import NO_SECOND_FACTOR, PatientCode, StaffCodeAndForm, consent_form_digest
from protocol.errors import ConfigError, ConsentError
from tests.node.data_builders import IDENTITY, NOW, SITE_ID, STORE_KEY, Clinic, grant_of

SECRET = bytes(range(20))
STEP = NOW // 30


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    return Clinic(tmp_path / "site")


def code_of(uri_or_secret: bytes, at: int) -> str:
    return pyotp.parse_uri(enrolment_uri(uri_or_secret, "P001", "FedRx")).at(at)


def wrong_code(secret: bytes, at: int) -> str:
    right = {code_of(secret, at + offset) for offset in range(-60, 90, 30)}
    return next(f"{number:06d}" for number in range(1000) if f"{number:06d}" not in right)


def enrolled(clinic: Clinic, patient: str = "P001") -> bytes:
    with clinic.store.write() as transaction:
        return enrol_patient(transaction, patient, replace=False)


@given(offset=st.integers(-90, 90))
def test_a_code_is_good_in_its_own_step_and_one_step_around(offset: int) -> None:
    tried = try_code(SECRET, CodeState(), code_of(SECRET, NOW), NOW + offset)
    near = abs((NOW + offset) // 30 - STEP) <= 1
    assert isinstance(tried, CodeTaken) is near


def test_spaces_in_a_code_do_not_matter_and_other_than_six_digits_is_no_guess() -> None:
    code = code_of(SECRET, NOW)
    assert isinstance(try_code(SECRET, CodeState(), f"{code[:3]} {code[3:]}", NOW), CodeTaken)
    for slip in ("", "12345", "1234567", "12a456", "１２３４５６"):
        with pytest.raises(ConfigError, match="6 digits"):
            try_code(SECRET, CodeState(), slip, NOW)


def test_a_code_and_an_older_one_are_never_taken_again() -> None:
    tried = try_code(SECRET, CodeState(), code_of(SECRET, NOW), NOW)
    assert isinstance(tried, CodeTaken)
    assert tried.counter == STEP
    for code in (code_of(SECRET, NOW), code_of(SECRET, NOW - 30)):
        again = try_code(SECRET, tried.state, code, NOW)
        assert isinstance(again, CodeRefused)
        assert "used before" in again.what


def test_five_wrong_codes_lock_for_fifteen_minutes_and_a_right_one_then_waits_too() -> None:
    state, wrong = CodeState(), wrong_code(SECRET, NOW)
    for attempt in range(5):
        tried = try_code(SECRET, state, wrong, NOW + attempt)
        state = tried.state
    locked = try_code(SECRET, state, code_of(SECRET, NOW + 10), NOW + 10)
    assert isinstance(locked, CodeRefused)
    assert "too many wrong codes" in locked.what
    later = NOW + 4 + 15 * 60
    assert isinstance(try_code(SECRET, state, code_of(SECRET, later), later), CodeTaken)


def test_wrong_codes_that_lie_far_apart_lock_nobody_out() -> None:
    state = CodeState()
    for attempt in range(20):
        at = NOW + attempt * 4 * 60
        state = try_code(SECRET, state, wrong_code(SECRET, at), at).state
    assert state.locked_until == 0


def test_a_receipt_names_the_step_of_the_patients_code(clinic: Clinic) -> None:
    secret = enrolled(clinic)
    agreed = dataclasses.replace(grant_of("P001"), proof=PatientProof(code_of(secret, NOW)))
    assert clinic.desk.grant(agreed, NOW).receipt.second_factor == PatientCode(STEP)
    with pytest.raises(ConsentError, match="used before"):
        clinic.desk.grant(agreed, NOW)
    assert len(consent_entries(clinic.store, NOW)) == 1


def test_a_wrong_code_keeps_no_receipt_and_counts_after_a_restart(clinic: Clinic) -> None:
    secret = enrolled(clinic)
    agreed = dataclasses.replace(grant_of("P001"), proof=PatientProof(wrong_code(secret, NOW)))
    for _ in range(5):
        with pytest.raises(ConsentError, match="wrong"):
            clinic.desk.grant(agreed, NOW)
    assert consent_entries(clinic.store, NOW) == ()
    clinic.store.close()
    store = LocalStore(clinic.folder / "store.sqlite", STORE_KEY)
    desk = ConsentDesk(store, clinic.key_ring, IDENTITY, SITE_ID)
    with pytest.raises(ConsentError, match="too many wrong codes"):
        desk.grant(dataclasses.replace(agreed, proof=PatientProof(code_of(secret, NOW))), NOW)


def test_a_code_whose_receipt_was_not_kept_is_not_used_up(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are one transaction: killed in between, neither is there."""
    secret = enrolled(clinic)
    agreed = dataclasses.replace(grant_of("P001"), proof=PatientProof(code_of(secret, NOW)))

    def dies(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("node.consent.desk.add_receipt", dies)
        with pytest.raises(KeyboardInterrupt):
            clinic.desk.grant(agreed, NOW)
    assert clinic.desk.grant(agreed, NOW).receipt.second_factor == PatientCode(STEP)


def test_without_a_telephone_a_staff_members_code_and_the_scanned_form_do(clinic: Clinic) -> None:
    with clinic.store.write() as transaction:
        secret = enrol_staff(transaction, "sister.akter", replace=False)
        assert staff_names(transaction) == ("sister.akter",)
    scan = b"%PDF the signed form of P001"
    agreed = dataclasses.replace(grant_of("P001"), proof=StaffProof("sister.akter", code_of(secret, NOW), scan))
    receipt = clinic.desk.grant(agreed, NOW).receipt
    assert receipt.second_factor == StaffCodeAndForm("sister.akter", STEP, consent_form_digest(scan))
    with clinic.store.read() as transaction:
        assert form_of(transaction, receipt.receipt_id) == scan
    assert scan not in clinic.everything_on_disk()
    with pytest.raises(ConsentError, match="used before"):
        clinic.desk.grant(dataclasses.replace(agreed, patient="P002"), NOW)


def test_nobody_without_an_authenticator_can_give_a_code(clinic: Clinic) -> None:
    with pytest.raises(ConsentError, match="no authenticator"):
        clinic.desk.grant(dataclasses.replace(grant_of("P001"), proof=PatientProof("123456")), NOW)
    with pytest.raises(ConsentError, match="dr-khan has no authenticator"):
        clinic.desk.grant(dataclasses.replace(grant_of("P001"), proof=StaffProof("dr-khan", "123456", b"x")), NOW)


def test_a_telephone_is_replaced_only_when_it_is_said(clinic: Clinic) -> None:
    old = enrolled(clinic)
    with pytest.raises(ConfigError, match="already"):
        enrolled(clinic)
    with clinic.store.write() as transaction:
        enrol_patient(transaction, "P001", replace=True)
    with pytest.raises(ConsentError, match="wrong"):
        clinic.desk.grant(dataclasses.replace(grant_of("P001"), proof=PatientProof(code_of(old, NOW))), NOW)


def test_a_site_that_requires_a_second_factor_takes_no_consent_without(clinic: Clinic) -> None:
    desk = ConsentDesk(clinic.store, clinic.key_ring, IDENTITY, SITE_ID, second_factor_required=True)
    with pytest.raises(ConsentError, match="without a second factor"):
        desk.grant(grant_of("P001"), NOW)
    assert clinic.desk.grant(grant_of("P001"), NOW).receipt.second_factor == NO_SECOND_FACTOR


def test_a_secret_is_on_disk_only_sealed_and_goes_with_the_patient(clinic: Clinic) -> None:
    secret = enrolled(clinic)
    agreed = dataclasses.replace(grant_of("P001"), proof=PatientProof(code_of(secret, NOW)))
    clinic.desk.grant(agreed, NOW)
    assert secret not in clinic.everything_on_disk()
    clinic.desk.erase("P001", NOW, clinic.originals, clinic.quarantine)
    connection = sqlite3.connect(clinic.folder / "store.sqlite")
    assert connection.execute("SELECT COUNT(*) FROM patient_authenticators").fetchone() == (0,)
    connection.close()


def test_a_fresh_secret_is_never_the_same() -> None:
    assert len({new_secret() for _ in range(100)}) == 100
