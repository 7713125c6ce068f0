"""What each role does on the page: import, review, consent, duplicates, rounds, what left, trying the model."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from node.data.other_readings import OtherReading
from node.data.proposal import READERS_DISAGREE, Candidate, ModelReading
from node.page.plot import Point, Series, line_plot
from node.page.sentences import flag_sentence, readers_sentence, sent_sentence
from node.sent import SentItem
from node.store.duplicates import PairKind, PairStatus, add_pair, pairs, undecided_or_same_pages
from node.store.tables import Page, WordStatus
from node.store.users import Role, acts
from node.store.words import StoredWord, crop_pngs
from prescriptions.understand import FLAGS, UNKNOWN_MEDICINE
from protocol.errors import LedgerUnavailableError
from tests.node.data_builders import proposal_of
from tests.node.page.page_world import LINES, PageWorld, draw_page, pixels_of, post


@pytest.fixture
def page(tmp_path: Path) -> PageWorld:
    return PageWorld(tmp_path / "data")


def upload(client: TestClient, content: bytes, name: str = "ward-7.png", patient: str = "P-100") -> str:
    answer = post(client, "/import", {"patient": patient}, files={"files": (name, content, "image/png")})
    assert answer.status_code == 303, answer.text
    for _ in range(300):
        text = client.get("/import/jobs").text
        if "data-part" not in text:
            return text
        time.sleep(0.1)
    raise AssertionError("the import never ended")


def waiting(page: PageWorld) -> tuple[StoredWord, ...]:
    return page.world.clinic.review.waiting()


def test_a_photograph_becomes_words_that_wait(page):
    client = page.client("rashid")
    text = upload(client, draw_page())
    assert "ward-7.png" in text
    assert f"{len(LINES)} words wait for review" in text
    assert len(waiting(page)) == len(LINES)
    assert "P-100" in client.get("/pages").text


def test_an_upload_never_stands_in_clear_on_the_disk(page):
    content = draw_page()
    upload(page.client("olga"), content)
    assert content[40:200] not in page.world.clinic.everything_on_disk()


def test_an_upload_that_is_no_page_says_why(page):
    text = upload(page.client("olga"), b"this is no picture", name="letter.png")
    assert "kept aside" in text
    assert waiting(page) == ()


def test_the_same_page_twice_is_said_to_be_there(page):
    client = page.client("olga")
    upload(client, draw_page())
    assert "was here already" in upload(client, draw_page(), name="again.png")


def test_an_import_without_a_patient_is_refused_with_a_sentence(page):
    answer = post(page.client("olga"), "/import", {"patient": " "}, files={"files": ("a.png", draw_page())})
    assert answer.status_code == 400
    assert "identifier" in answer.text


def test_a_page_is_shown_with_its_words_boxed(page):
    client = page.client("rashid")
    upload(client, draw_page())
    path = re.search(r'href="(/pages/[0-9a-f]{32})"', client.get("/pages").text)[1]
    text = client.get(path).text
    assert text.count("<rect") == len(LINES)
    assert 'viewBox="0 0 1000 1400"' in text
    picture = client.get(f"{path}/picture")
    assert picture.headers["content-type"] == "image/jpeg"
    assert picture.headers["cache-control"] == "no-store"
    assert pixels_of(picture.content).shape[:2] == (1400, 1000)


def test_a_word_shows_where_the_model_looks_in_its_own_crop(page):
    client = page.client("rashid")
    upload(client, draw_page())
    with page.parts.store.read() as transaction:
        (key, crop), *_ = crop_pngs(transaction)
    answer = client.get(f"/words/{key.hex()}/explanation")
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == ("image/png", "no-store")
    drawn = pixels_of(answer.content)
    assert drawn.shape[1] == 640
    assert drawn.shape[0] > pixels_of(crop).shape[0]
    assert page.client("nurse-rahman").get(f"/words/{key.hex()}/explanation").status_code == 403
    assert client.get(f"/words/{'0' * 32}/explanation").status_code == 404


def test_without_a_model_a_word_says_so(page):
    client = page.client("rashid")
    upload(client, draw_page())
    with page.parts.store.read() as transaction:
        (key, _), *_ = crop_pngs(transaction)
    page.has_model = False
    answer = client.get(f"/words/{key.hex()}/explanation")
    assert answer.status_code == 404
    assert "no model yet" in answer.text


def test_words_come_least_certain_first(page):
    client = page.client("rashid")
    upload(client, draw_page())
    path = re.search(r'href="(/pages/[0-9a-f]{32})"', client.get("/pages").text)[1]
    shown = re.findall(r'id="word-([0-9a-f]{32})"', client.get(path).text)
    assert shown == [word.word_id.hex() for word in waiting(page)]


def test_what_stands_in_the_box_is_accepted_or_is_a_correction(page):
    client = page.client("rashid")
    upload(client, draw_page())
    first, second = waiting(page)
    where = {"page": first.page_id.hex(), "action": "accept"}
    assert post(client, f"/words/{first.word_id.hex()}", {**where, "label": first.proposal.label}).status_code == 303
    post(client, f"/words/{second.word_id.hex()}", {**where, "label": "Seclo"})
    found = {word.word_id: word for word in page.world.clinic.words()}
    assert found[first.word_id].status is WordStatus.ACCEPTED
    assert (found[second.word_id].status, found[second.word_id].label) == (WordStatus.FIXED, "Seclo")


def test_where_the_readers_differ_nothing_stands_in_the_box_and_a_name_is_picked(page, monkeypatch):
    says = [ModelReading(1, name.lower(), (Candidate(name, 0.9),), sure=True) for name in ("Amoxil", "Lasix")]
    monkeypatch.setattr("node.data.intake.second_readings", lambda *_: says)
    client = page.client("rashid")
    upload(client, draw_page())
    differs, agreed = waiting(page)
    path = f"/pages/{differs.page_id.hex()}"
    shown = client.get(path).text
    assert ("they differ: a person is asked" in shown, "both name Amoxil" in shown) == (True, True)
    assert re.findall(r'name="label" value="(\w*)"', shown) == ["", "Amoxil"]
    assert {"Lasix", "Prilosec", "Amoxil"} <= set(re.findall(r'name="pick" value="(\w+)"', shown))
    where, word = {"page": differs.page_id.hex(), "action": "accept", "label": ""}, differs.word_id.hex()
    answer = post(client, f"/words/{word}", where, headers={"X-FedRx-Part": "1"})
    assert answer.status_code == 400
    assert "different medicines" in answer.json()["trouble"]
    post(client, f"/words/{word}", {**where, "pick": "Lasix"})
    found = {stored.word_id: stored for stored in page.world.clinic.words()}
    assert (found[differs.word_id].status, found[differs.word_id].label) == (WordStatus.FIXED, "Lasix")
    assert found[agreed.word_id].status is WordStatus.PROPOSED


def test_a_label_that_both_readers_contradict_is_shown_with_its_page(page):
    client = page.client("rashid")
    assert "No label is in doubt" in client.get("/doubts").text
    doubtful, other = page.world.clinic.add_words("P001", "Napa", "Seclo", model="Napa")
    for word_id, label in ((doubtful, "Napo"), (other, "Seclo")):
        page.world.clinic.review.fix(word_id.hex(), label, "dr-khan", page.world.now)
    shown = client.get("/doubts").text
    assert re.findall(r'href="/pages/[0-9a-f]{32}#word-([0-9a-f]{32})"', shown) == [doubtful.hex()]
    assert re.findall(r"<td[^>]*>([^<]+)</td>", shown)[:2] == ["Napo", "Napa"]
    assert 'href="/doubts"' in client.get("/pages").text


@pytest.mark.parametrize(
    ("text", "flags", "model", "sure", "says"),
    [
        ("Napa", (), "Napa", True, "both name Napa"),
        ("Napa", (), "Seclo", True, "they differ: a person is asked"),
        ("Napa", (), "Seclo", False, "only the page reader names Napa"),
        ("Npq", (UNKNOWN_MEDICINE,), "Seclo", True, "only the model names Seclo"),
        ("Npq", (UNKNOWN_MEDICINE,), "Seclo", False, "neither names a medicine"),
    ],
)
def test_a_reviewer_is_told_which_reader_names_the_medicine(text, flags, model, sure, says):
    reading = ModelReading(1, model, (Candidate(model, 0.9),), sure=sure)
    assert readers_sentence(replace(proposal_of(text), flags=flags, model=reading)) == says
    assert readers_sentence(proposal_of(text)) == ""


@pytest.mark.parametrize(
    ("flags", "sure", "third", "says"),
    [
        ((), True, "Napa", "all 3 name Napa"),
        ((), False, "Napa", "2 of 3 name Napa"),
        ((UNKNOWN_MEDICINE,), False, "Ace", "1 of 3 names Ace"),
        ((UNKNOWN_MEDICINE,), False, None, "none of 3 names a medicine"),
        ((), True, "Ace", "they differ: a person is asked"),
    ],
)
def test_with_a_second_model_the_readers_that_name_the_medicine_are_counted(flags, sure, third, says):
    reading, other = ModelReading(1, "napa", (Candidate("Napa", 0.9),), sure=sure), OtherReading("b", 2, third, 0.8, "")
    assert readers_sentence(replace(proposal_of("Napa"), flags=flags, model=reading, others=(other,))) == says


def test_a_reviewer_sees_what_each_model_reads_and_names(page, monkeypatch):
    says = [ModelReading(1, name.lower(), (Candidate(name, 0.9),), sure=False) for name in ("Amoxil", "Lasix")]
    others = [(OtherReading("printed", 2, name, 0.9, f"{name}l"),) for name in ("Amoxil", "Lasix")]
    monkeypatch.setattr("node.data.intake.second_readings", lambda *_: says)
    monkeypatch.setattr("node.data.intake.other_readings", lambda *_: others)
    client = page.client("rashid")
    upload(client, draw_page())
    shown = client.get(f"/pages/{waiting(page)[0].page_id.hex()}").text
    assert "2 of 3 name Amoxil" in shown
    assert re.findall(r"<dt>(Model[^<]*)</dt><dd><q>(\w+)</q>([^<]*)</dd>", shown) == [
        ("Model, round 1", "lasix", ""),
        ("Model of printed, round 2", "Lasixl", " → Lasix"),
        ("Model, round 1", "amoxil", ""),
        ("Model of printed, round 2", "Amoxill", " → Amoxil"),
    ]


def test_a_picked_name_is_a_correction_and_a_rejection_needs_no_label(page):
    client = page.client("rashid")
    upload(client, draw_page())
    first, second = waiting(page)
    where = {"page": first.page_id.hex()}
    post(client, f"/words/{first.word_id.hex()}", {**where, "pick": "Napa", "label": "x"})
    post(client, f"/words/{second.word_id.hex()}", {**where, "action": "reject", "label": ""})
    found = {word.word_id: word for word in page.world.clinic.words()}
    assert (found[first.word_id].status, found[first.word_id].label) == (WordStatus.FIXED, "Napa")
    assert found[second.word_id].status is WordStatus.REJECTED


def test_a_reviewed_page_loses_its_picture_and_nobody_is_given_an_old_copy(page):
    client = page.client("rashid")
    upload(client, draw_page())
    first, second = waiting(page)
    path = f"/pages/{first.page_id.hex()}"
    assert client.get(f"{path}/picture").status_code == 200
    for word in (first, second):
        post(client, f"/words/{word.word_id.hex()}", {"page": first.page_id.hex(), "action": "accept", "label": "Napa"})
    assert client.get(f"{path}/picture").status_code == 404
    assert f"{path}/redacted" in client.get(path).text
    assert client.get(f"{path}/redacted").headers["content-type"] == "image/png"
    assert "Every word of this page is reviewed" in client.get(path).text


def test_a_label_that_nobody_can_write_is_refused_where_the_reviewer_is(page):
    client = page.client("rashid")
    upload(client, draw_page())
    word = waiting(page)[0]
    answer = post(
        client,
        f"/words/{word.word_id.hex()}",
        {"page": word.page_id.hex(), "action": "accept", "label": "নাপা"},
        headers={"X-FedRx-Part": "1"},
    )
    assert answer.status_code == 400
    assert "character" in answer.json()["trouble"]


def test_the_log_says_who_reviewed_which_word(page):
    client = page.client("rashid")
    upload(client, draw_page())
    word = waiting(page)[0]
    post(client, f"/words/{word.word_id.hex()}", {"page": word.page_id.hex(), "action": "reject"})
    with page.world.clinic.store.read() as transaction:
        newest = acts(transaction, 1)[0]
    assert (newest.user, newest.kind, newest.about) == ("rashid", "reject", word.word_id)
    text = page.client("olga").get("/log").text
    assert "rashid" in text
    assert word.word_id.hex()[:8] in text


def add_pair_of_pages(page: PageWorld) -> tuple[bytes, bytes]:
    clinic = page.world.clinic
    for name in ("first", "second"):
        clinic.add_words("P-100", f"Napa{name}", page=name)
    found = {word.proposal.text: word.page_id for word in clinic.words() if word.patient == "P-100"}
    earlier, later = found["Napafirst"], found["Napasecond"]
    with clinic.store.write() as transaction:
        add_pair(transaction, earlier, transaction.session.get_one(Page, later), PairKind.NEAR, "0.93", int(page.time))
    return earlier, later


@pytest.mark.parametrize(("said", "kept_out"), [("same", True), ("different", False)])
def test_a_person_decides_whether_two_pages_are_one(page, said, kept_out):
    client = page.client("rashid")
    earlier, later = add_pair_of_pages(page)
    text = client.get("/duplicates").text
    assert "They look alike (0.93)" in text
    assert f"/pages/{earlier.hex()}/picture" in text
    assert f"/pages/{later.hex()}/picture" in text
    path = re.search(r'action="(/duplicates/[0-9a-f]{32})"', text)[1]
    assert post(client, path, {"said": "perhaps"}).status_code == 404
    assert post(client, path, {"said": said}).status_code == 303
    assert "No pair of pages waits" in client.get("/duplicates").text
    assert post(client, path, {"said": said}).status_code == 404
    with page.world.clinic.store.read() as transaction:
        assert (later in undecided_or_same_pages(transaction)) is kept_out
        assert [pair.reviewer for pair in pairs(transaction, *PairStatus)] == ["rashid"]


def consent(page: PageWorld, client: TestClient, patient: str = "P-100", **changes: str) -> object:
    fields = {
        "patient": patient, "giver": "patient", "purpose": "DUO:0000006", "method": "signed-form", "days": "90",
        "proof": "none", "shown": "yes",
    }  # fmt: skip
    return post(client, "/consent/new", fields | changes, files={"form": ("", b"")})


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


def test_a_round_is_seen_to_run_and_to_end(tmp_path):
    # With half of sixteen words held out no luck is needed for one to score and one to train.
    page = PageWorld(tmp_path / "data", settings={"training": {"min_examples": 1, "held_out_percent": 50}})
    client, world = page.client("olga"), page.world
    world.start()
    assert "No round is running" in client.get("/rounds").text
    world.settle()
    world.open_round()
    assert "Round 1 is running" in client.get("/rounds/now").text
    world.settle()
    text = client.get("/rounds/now").text
    assert text.count('class="done"') == 4
    assert "1 of 3 sites" in text
    world.others_register()
    world.finish()
    world.settle()
    text = client.get("/rounds").text
    assert "No round is running" in text
    assert "finalized" in text
    assert '<svg class="plot"' in text


def test_what_left_is_told_in_sentences_with_the_codes_below(page):
    client, world = page.client("nurse-rahman"), page.world
    world.start()
    world.settle()
    world.open_round()
    world.settle()
    text = client.get("/sent").text
    assert "A sealed model update" in text
    assert "No picture, no text, no name" in text
    assert "A fingerprint over all consents in force" in text
    assert str(world.view(1).registrations[0].event.envelope_cid) in text


def test_a_site_that_is_asked_takes_part_when_an_operator_says_yes(tmp_path):
    page = PageWorld(tmp_path / "data", settings={"participation": "ask"})
    world = page.world
    world.start()
    world.settle()
    world.open_round()
    world.settle()
    assert "Take part" not in page.client("rashid").get("/rounds").text
    client = page.client("olga")
    text = client.get("/rounds").text
    assert "Take part in round 1" in text
    assert post(client, "/rounds/participate", {"lineage": world.lineage_id.hex()}).status_code == 303
    world.settle()
    assert "Take part" not in client.get("/rounds").text
    assert world.view(1).registrations


def test_without_a_chain_the_page_still_works_and_says_so(page):
    def silent() -> None:
        raise LedgerUnavailableError("no answer from the RPC endpoint")

    page.parts.chain._connect = silent
    text = page.client("olga").get("/rounds").text
    assert "The chain does not answer" in text
    assert page.client("rashid").get("/pages").status_code == 200


def test_trying_the_model_stores_nothing_and_never_hides_what_it_cannot_tell(page):
    client = page.client("rashid")
    answer = post(client, "/try", files={"file": ("new.png", draw_page(), "image/png")})
    assert "Napa" in answer.text
    assert "Cannot tell: a person must read it" in answer.text
    assert "never a dispensing decision" in answer.text
    assert waiting(page) == ()


def test_an_unknown_page_word_or_patient_is_not_found(page):
    assert page.client("rashid").get(f"/pages/{'00' * 16}").status_code == 404
    assert page.client("rashid").get("/pages/nothing").status_code == 404
    assert page.client("rashid").get(f"/words/{'00' * 16}/picture").status_code == 404
    assert page.client("nurse-rahman").get(f"/consent/patients/{'00' * 16}").status_code == 404


def test_text_of_a_page_is_shown_as_text(page):
    """A file may be called anything; a reader may read anything."""
    client = page.client("olga")
    text = upload(client, draw_page(), name="<img src=x onerror=alert(1)>.png")
    assert "<img" not in text


def test_every_flag_has_a_sentence_of_its_own():
    sentences = {flag_sentence(flag) for flag in (*FLAGS, READERS_DISAGREE)}
    assert len(sentences) == len(FLAGS) + 1
    assert all(flag not in sentence for flag in FLAGS for sentence in sentences)


def test_something_that_left_under_a_new_name_is_listed_all_the_same():
    assert sent_sentence(SentItem("a new kind", 0, 0, "", "", "", 0)).title == "A new kind"


def test_a_plot_draws_every_point_and_nothing_without_points():
    points = tuple(Point(number, number / 4, 0.0, 1.0) for number in range(1, 5))
    svg = str(line_plot("Shares", (Series("A", "global", points),)))
    assert svg.count("<circle") == 4
    assert svg.count("<polyline") == 1
    assert line_plot("Shares", (Series("A", "global", ()),)) == ""
    assert "&lt;b&gt;" in str(line_plot("<b>", (Series("A", "global", points),)))


def test_the_text_is_shown_in_the_language_that_the_patient_reads_and_the_receipt_names_it(page):
    client = page.client("nurse-rahman")
    text = client.get("/consent/new?language=bn").text
    assert '<div class="text" lang="bn"' in text
    assert 'name="language" value="bn"' in text
    consent(page, client, language="bn")
    assert page.world.clinic.desk.receipts("P-100")[0].entry.signed.receipt.language == "bn"
    assert client.get("/consent/new?language=xx").status_code == 400
