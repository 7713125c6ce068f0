"""The consent desk in a browser beyond the patient who agrees: guardians, waivers, erasure."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import httpx
import pytest
from fastapi.testclient import TestClient

from node.store.evidence import form_of
from node.store.users import acts
from protocol.consent_receipt import BY_PATIENT, RELATIONS, ByGuardian, ByWaiver, ethics_decision_digest
from tests.node.page.page_world import PageWorld, consent, draw_page, post, upload

DECISION = b"%PDF the committee's decision"


def waive(page: PageWorld, client: TestClient, decision: bytes = DECISION, **changes: str) -> httpx.Response:
    fields = {
        "patient": "P-100", "giver": "waiver", "purpose": "DUO:0000006", "days": "90", "proof": "none",
        "decided_on": "2026-03-01",
    }  # fmt: skip
    return post(client, "/consent/new", fields | changes, files={"decision": ("decision.pdf", decision)})


def patient_path(client: TestClient, patient: str = "P-100") -> str:
    return re.search(rf'href="(/consent/patients/[0-9a-f]{{32}})">{patient}<', client.get("/consent").text)[1]


@pytest.mark.parametrize("relation", RELATIONS)
def test_every_guardian_of_the_specification_can_be_chosen(page, relation):
    client = page.client("nurse-rahman")
    assert f'<option value="{relation}">' in client.get("/consent/new").text
    assert consent(page, client, giver=relation).status_code == 303
    assert page.parts.consent.receipts("P-100")[0].entry.signed.receipt.giver == ByGuardian(relation)


def test_a_waiver_rests_on_the_committees_document_and_nobody_saw_a_text(page):
    client = page.client("nurse-rahman")
    answer = waive(page, client)
    assert answer.status_code == 303, answer.text
    receipt = page.parts.consent.receipts("P-100")[0].entry.signed.receipt
    assert receipt.giver == ByWaiver(ethics_decision_digest(DECISION), datetime(2026, 3, 1, tzinfo=UTC).date())
    assert receipt.method == "ethics-decision"
    assert (
        "an ethics committee waived it on 01 Mar 2026; recorded by nurse-rahman"
        in client.get(answer.headers["location"]).text
    )


def test_under_a_waiver_the_document_is_kept_beside_the_staffs_code(page):
    client = page.client("nurse-rahman")
    answer = waive(page, client, proof="staff", staff_code=page.code("nurse-rahman"))
    assert "document and code of nurse-rahman" in client.get(answer.headers["location"]).text
    receipt = page.parts.consent.receipts("P-100")[0].entry.signed.receipt
    with page.parts.store.read() as transaction:
        assert form_of(transaction, receipt.receipt_id) == DECISION


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"decision": b""}, "rests on one document"),
        ({"decided_on": ""}, "day of the committee&#39;s decision"),
        ({"decided_on": "soon"}, "day of the committee&#39;s decision"),
        ({"decided_on": "2099-01-01"}, "dated after today"),
        ({"proof": "patient", "patient_code": "123456"}, "no patient gives a code"),
    ],
)
def test_an_incomplete_waiver_is_no_consent(page, changes, says):
    answer = waive(page, page.client("nurse-rahman"), **changes)
    assert answer.status_code == 400
    assert says in answer.text


def test_a_patient_is_no_committee(page):
    """A document beside another giver changes nothing."""
    client = page.client("nurse-rahman")
    assert waive(page, client, giver="patient", method="signed-form", shown="yes").status_code == 303
    assert page.parts.consent.receipts("P-100")[0].entry.signed.receipt.giver == BY_PATIENT


def test_an_erased_patient_leaves_nothing_and_the_chain_is_told(page):
    upload(page.client("rashid"), draw_page())
    upload(page.client("rashid"), b"this is no picture", name="letter.png")
    client = page.client("nurse-rahman")
    consent(page, client)
    path = patient_path(client)
    features = page.folder / "features"
    features.mkdir(exist_ok=True)
    for word in page.world.clinic.review.waiting():
        (features / word.word_id.hex()).write_bytes(b"features")
    answer = post(client, f"{path}/erase", {"confirm": "P-100"})
    assert answer.status_code == 200
    assert "2 words and 2 files" in answer.text
    assert "Backups from before" in answer.text
    assert list(features.iterdir()) == []
    assert client.get(path).status_code == 404
    assert "P-100" not in client.get("/consent").text
    assert page.parts.store.withdrawal_count() == 1
    with page.parts.store.read() as transaction:
        assert acts(transaction, 1)[0].kind == "erase"


@pytest.mark.parametrize("typed", ["", "P-10", "p-100", "P-001", "yes"])
def test_nothing_is_erased_before_the_identifier_is_typed(page, typed):
    client = page.client("nurse-rahman")
    consent(page, client)
    path = patient_path(client)
    answer = post(client, f"{path}/erase", {"confirm": typed})
    assert answer.status_code == 400
    assert "nothing was erased" in answer.text.lower()
    assert client.get(path).status_code == 200


def test_only_a_consent_officer_erases(page):
    path = patient_path(page.client("nurse-rahman"), "P-001")
    assert post(page.client("olga"), f"{path}/erase", {"confirm": "P-001"}).status_code == 403
    assert post(page.client("rashid"), f"{path}/erase", {"confirm": "P-001"}).status_code == 403


def test_the_letters_of_the_text_come_with_the_page(page):
    font = page.client().get("/static/fonts/NotoSansBengali-Regular.ttf")
    assert font.status_code == 200
    assert font.content[:4] == b"\x00\x01\x00\x00"
    assert "fonts/NotoSansBengali-Regular.ttf" in page.client().get("/static/page.css").text
    assert page.client().get("/static/fonts/OFL.txt").status_code == 200


def test_whoever_made_a_mistake_gets_back_to_the_form(page):
    client = page.client("nurse-rahman")
    form = "http://testserver/consent/new?language=bn"
    fields = {"proof": "patient", "patient_code": "123456"}
    answer = post(client, "/consent/new", fields, headers={"Referer": form})
    assert 'href="/consent/new?language=bn">Back' in answer.text
    for foreign in ("http://evil.example/x", "http://testserver//evil.example", "http://[", ""):
        assert 'href="/">To the first screen' in post(client, "/consent/new", fields, headers={"Referer": foreign}).text


def test_hints_for_the_command_line_are_not_given_to_whoever_has_none(page):
    client = page.client("nurse-rahman")
    text = consent(page, client, proof="patient", patient_code="123456").text
    assert "For the operator of this site: make one: fedrx node consent enrol" in text
    post(client, "/consent/enrol", {"patient": "P-100"})
    again = post(client, "/consent/enrol", {"patient": "P-100"})
    assert "there is an authenticator already" in again.text.lower()
    assert "--replace" not in again.text
