"""What a reviewer sees, decides and is told: words, doubts, pairs of pages."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from node.data.other_readings import OtherReading
from node.data.proposal import Candidate, ModelReading
from node.page.sentences import readers_sentence
from node.store.duplicates import PairKind, PairStatus, add_pair, pairs, undecided_or_same_pages
from node.store.tables import Page, WordStatus
from node.store.users import acts
from prescriptions.understand import UNKNOWN_MEDICINE
from tests.node.data_builders import proposal_of
from tests.node.page.page_world import PageWorld, draw_page, post, upload, waiting


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
