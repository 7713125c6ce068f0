"""``fedrx node consent`` and ``staff`` as the desk runs them: second factor, guardian, waiver, asking again."""

from __future__ import annotations

import json
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import pyotp
import pytest
import structlog

from node.consent.due import Due, Why, due
from protocol.errors import ConfigError, ConsentError, MalformedError
from protocol.site_audit_key import parse_site_audit_key
from tests.node.data.test_data_commands import GRANT, SETTINGS, Shell
from tests.node.data_builders import DAY, NOW, Clinic


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with structlog.testing.capture_logs() as logs:
        yield Shell(tmp_path)
    assert "P001" not in repr(logs)


def authenticator(picture: Path) -> pyotp.TOTP:
    """What a telephone makes of a QR code."""
    text, _, _ = cv2.QRCodeDetectorAruco().detectAndDecode(cv2.imread(str(picture)))
    found = pyotp.parse_uri(text)
    assert isinstance(found, pyotp.TOTP)
    return found


def test_a_patient_enrols_a_telephone_and_consents_with_its_code_once(shell: Shell, tmp_path: Path) -> None:
    picture = tmp_path / "code.png"
    shell.run("consent", "enrol", "P001", "--png", str(picture))
    assert stat.S_IMODE(picture.stat().st_mode) == 0o600
    telephone = authenticator(picture)
    assert (telephone.issuer, telephone.name) == ("FedRx dhaka-general", "P001")
    code = telephone.at(int(time.time()))
    shell.run(*GRANT, "--code", code)
    (row,) = shell.listed("consent", "list")
    assert (row["given_by"], row["second_factor"]) == ("patient", "patient's code")
    assert isinstance(shell.refused(*GRANT, "--code", code), ConsentError)
    assert len(shell.listed("consent", "list")) == 1
    assert isinstance(shell.refused("consent", "enrol", "P001"), ConfigError)


def test_a_qr_code_is_shown_in_the_terminal(shell: Shell) -> None:
    shown = shell.run("consent", "enrol", "P001").stdout
    assert len({len(line) for line in shown.splitlines()}) <= 2
    assert "▄" in shown
    assert "otpauth" not in shown


def test_a_staff_code_and_a_scan_stand_in_for_a_telephone_and_the_scan_can_be_had_again(
    shell: Shell, tmp_path: Path
) -> None:
    picture, scan, copy = tmp_path / "code.png", tmp_path / "form.pdf", tmp_path / "again.pdf"
    scan.write_bytes(b"%PDF signed by hand")
    shell.run("staff", "enrol", "sister.akter", "--png", str(picture))
    assert shell.run("staff", "list").stdout.split() == ["sister.akter"]
    code = authenticator(picture).at(int(time.time()))
    staff = ("--staff", "sister.akter", "--staff-code", code)
    assert "give its scan" in str(shell.refused(*GRANT, *staff))
    assert "give --staff-code" in str(shell.refused(*GRANT, "--form", str(scan)))
    shell.run(*GRANT, *staff, "--form", str(scan))
    (row,) = shell.listed("consent", "list")
    assert row["second_factor"] == "form, code of sister.akter"
    shell.run("consent", "evidence", str(row["receipt"])[:10], "-o", str(copy))
    assert copy.read_bytes() == scan.read_bytes()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_a_site_may_require_the_second_factor(shell: Shell) -> None:
    (shell.folder / "node.toml").write_text(SETTINGS + '[consent]\nsecond_factor = "required"\n')
    assert "without a second factor" in str(shell.refused(*GRANT))


def test_a_guardian_and_a_waiver_show_as_such(shell: Shell, tmp_path: Path) -> None:
    decision = tmp_path / "decision.pdf"
    decision.write_bytes(b"%PDF the committee waives")
    shell.run(*GRANT, "--guardian", "parent")
    waived = ("--waiver", str(decision), "--decided-on", "2026-01-31")
    shell.run(*GRANT, *waived)
    given, waiver = sorted(shell.listed("consent", "list"), key=lambda row: str(row["given_by"]))
    assert (given["given_by"], given["giver"]) == ("guardian", "guardian (parent)")
    assert (waiver["given_by"], waiver["giver"]) == ("waiver", "ethics waiver of 2026-01-31")
    assert waiver["method"] == "ethics-decision"
    assert "decision and its date" in str(shell.refused(*GRANT, "--waiver", str(decision)))
    assert "either" in str(shell.refused(*GRANT, *waived, "--guardian", "parent"))
    assert "no patient gives a code" in str(shell.refused(*GRANT, *waived, "--code", "123456"))
    late = shell.refused(*GRANT, "--waiver", str(decision), "--decided-on", "2999-01-31")
    assert isinstance(late, MalformedError)


def test_a_code_belongs_to_one_patient(shell: Shell) -> None:
    error = shell.refused("consent", "grant", "P001", "P002", *GRANT[3:], "--code", "123456")
    assert "one patient at a time" in str(error)


def test_the_desk_lists_whom_to_ask_again(shell: Shell) -> None:
    shell.run("consent", "grant", "P001", *GRANT[3:], "--days", "10")
    shell.run("consent", "grant", "P002", *GRANT[3:], "--purpose", "DUO:0000043")
    shell.run("consent", "grant", "P003", *GRANT[3:])
    found = {row["patient"]: row["why"] for row in shell.listed("consent", "due")}
    assert found == {"P001": "expires soon", "P002": "does not cover the purpose"}
    assert shell.listed("consent", "due", "--days", "5")[0]["patient"] == "P002"
    (shell.folder / "node.toml").write_text(SETTINGS + '[consent]\npurpose = "DUO:0000042"\n')
    assert {row["patient"] for row in shell.listed("consent", "due")} == {"P001", "P002", "P003"}


def test_a_withdrawal_goes_through_while_the_chain_is_away_and_says_what_cannot_be_listed(shell: Shell) -> None:
    shell.run(*GRANT)
    done = shell.run("consent", "withdraw", "P001")
    assert "1 consent receipt withdrawn" in done.stderr
    assert "cannot be listed now" in done.stderr.replace("\n", " ")
    shown = json.loads(shell.run("consent", "show", "P001", "--json").stdout)
    assert [row["state"] for row in shown["receipts"]] == ["withdrawn"]
    assert shown["touched"] is None


def test_the_audit_key_is_written_for_an_auditor_only(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "audit-key.json"
    assert "is a secret" in shell.run("prove", "audit-key", "-o", str(path)).stderr.replace("\n", " ")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert parse_site_audit_key(path.read_bytes()).audit_key == b"\x07" * 32


def test_who_withdrew_is_not_asked_again_and_a_renewed_consent_is_not_due(tmp_path: Path) -> None:
    clinic = Clinic(tmp_path / "site")
    for patient in ("P001", "P002", "P003", "P004"):
        clinic.grant(patient, days=10)
    clinic.desk.withdraw("P001", NOW)
    clinic.grant("P002", days=400)
    clinic.grant("P003", "DUO:0000043", days=400)
    found = due(clinic.desk.receipts(), "DUO:0000006", NOW + 20 * DAY, NOW + 50 * DAY)
    assert found == (
        Due("P004", Why.EXPIRED, NOW + 10 * DAY),
        Due("P003", Why.OTHER_PURPOSE, NOW + 400 * DAY),
    )
    soon = due(clinic.desk.receipts(), "DUO:0000006", NOW, NOW + 30 * DAY)
    assert [(item.patient, item.why) for item in soon] == [("P003", Why.EXPIRES_SOON), ("P004", Why.EXPIRES_SOON)]
