"""The consent desk in a browser: the patient who agrees, the witness, withdrawal."""

from __future__ import annotations

import re

from node.store.users import Role
from tests.node.page.page_world import consent, post


def test_the_officer_who_is_logged_in_is_the_witness(page):
    answer = consent(page, page.client("nurse-rahman"))
    assert answer.status_code == 303
    receipt = page.world.clinic.desk.receipts("P-100")[0].entry.signed.receipt
    assert (receipt.asked_by, receipt.expires_at - receipt.granted_at) == ("nurse-rahman", 90 * 24 * 3600)


def test_an_officer_without_a_key_cannot_sign_with_anothers(page):
    page.add_user("dr-new", Role.CONSENT_OFFICER)
    client = page.client("dr-new")
    assert "no key to sign" in client.get("/consent/new").text
    assert consent(page, client).status_code == 400


def test_a_consent_with_a_code_of_the_patients_telephone(page):
    client = page.client("nurse-rahman")
    shown = post(client, "/consent/enrol", {"patient": "P-100"})
    assert "<svg" in shown.text
    assert "otpauth" not in shown.text
    wrong = consent(page, client, proof="patient", patient_code="000000")
    assert wrong.status_code == 400
    assert "code is wrong" in wrong.text


def test_a_consent_needs_the_text_to_have_been_shown(page):
    answer = consent(page, page.client("nurse-rahman"), shown="")
    assert answer.status_code == 400
    assert "see the text first" in answer.text


def test_a_guardian_and_a_form_with_the_staffs_own_code(page):
    client = page.client("nurse-rahman")
    fields = {
        "patient": "P-child", "giver": "parent", "purpose": "DUO:0000006", "method": "signed-form", "days": "30",
        "proof": "staff", "shown": "yes", "staff_code": page.code("nurse-rahman"),
    }  # fmt: skip
    answer = post(client, "/consent/new", fields, files={"form": ("form.pdf", b"%PDF signed")})
    assert answer.status_code == 303, answer.text
    text = client.get(answer.headers["location"]).text
    assert "a guardian (parent)" in text
    assert "signed form and code of nurse-rahman" in text


def test_a_withdrawal_takes_one_click_and_says_where_the_words_went(page):
    client = page.client("nurse-rahman")
    path = re.search(r'href="(/consent/patients/[0-9a-f]{32})">P-001', client.get("/consent").text)[1]
    answer = post(client, f"{path}/withdraw")
    assert answer.status_code == 200
    assert "none of the patient's words trains" in answer.text
    assert "No update of this site held words of this patient" in answer.text
    assert page.world.clinic.store.withdrawal_count() == 1


def test_the_text_is_shown_in_the_language_that_the_patient_reads_and_the_receipt_names_it(page):
    client = page.client("nurse-rahman")
    text = client.get("/consent/new?language=bn").text
    assert '<div class="text" lang="bn"' in text
    assert 'name="language" value="bn"' in text
    consent(page, client, language="bn")
    assert page.world.clinic.desk.receipts("P-100")[0].entry.signed.receipt.language == "bn"
    assert client.get("/consent/new?language=xx").status_code == 400
