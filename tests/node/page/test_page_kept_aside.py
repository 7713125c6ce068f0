"""Files that could not be imported: shown with their reason, tried again, dropped."""

from __future__ import annotations

import re
from io import BytesIO

from fastapi.testclient import TestClient
from PIL import Image

from node.page.screens import sentences
from node.store.quarantine import QuarantinedFile, quarantined_files
from node.store.users import acts
from tests.node.page.page_world import LINES, PageWorld, draw_page, pixels_of, post, upload, waiting

BROKEN = draw_page()[:3000]
BLANK = BytesIO()
Image.new("L", (400, 500), 255).save(BLANK, "PNG")


def kept(page: PageWorld) -> tuple[QuarantinedFile, ...]:
    with page.parts.store.read() as transaction:
        return quarantined_files(transaction)


def path_of(client: TestClient) -> str:
    return re.search(r'action="(/import/kept-aside/[0-9a-f]{32})/again"', client.get("/import/kept-aside").text)[1]


def settled(page: PageWorld) -> None:
    page.app.state.office.worker.submit(int).result(30)


def test_what_was_refused_stands_there_with_its_reason(page):
    client = page.client("olga")
    assert "Nothing is kept aside" in client.get("/import/kept-aside").text
    upload(client, b"this is no picture", name="letter.png")
    text = client.get("/import/kept-aside").text
    assert "letter.png" in text
    assert "P-100" in text
    (file,) = kept(page)
    assert sentences(file.sentence) in text
    assert "could not be imported" in client.get("/import").text
    assert "/import/kept-aside" in client.get("/").text
    assert "/import/kept-aside" not in page.client("nurse-rahman").get("/").text


def test_a_dropped_file_is_gone_with_its_copy(page):
    client = page.client("rashid")
    upload(client, BROKEN)
    (file,) = kept(page)
    assert page.parts.quarantine.holds(file.quarantine_id)
    path = path_of(client)
    assert post(client, f"{path}/drop").headers["location"] == "/import/kept-aside"
    assert kept(page) == ()
    assert not page.parts.quarantine.holds(file.quarantine_id)
    assert post(client, f"{path}/drop").status_code == 404
    with page.parts.store.read() as transaction:
        assert (acts(transaction, 1)[0].kind, acts(transaction, 1)[0].about) == ("drop", file.quarantine_id)


def test_a_file_that_is_still_refused_stays_once(page):
    client = page.client("olga")
    upload(client, BROKEN)
    before = kept(page)
    assert post(client, f"{path_of(client)}/again", {"patient": "P-100"}).status_code == 303
    settled(page)
    assert kept(page) == before
    assert page.parts.quarantine.holds(before[0].quarantine_id)


def test_under_another_patient_a_refused_file_is_kept_there_alone(page):
    client = page.client("olga")
    upload(client, BROKEN)
    post(client, f"{path_of(client)}/again", {"patient": "P-200"})
    settled(page)
    assert [file.patient for file in kept(page)] == ["P-200"]
    assert page.parts.quarantine.read(kept(page)[0].quarantine_id, kept(page)[0].kept.key) == BROKEN


def test_a_file_that_comes_in_now_is_kept_aside_no_more(page, monkeypatch):
    """A reader of a later version finds words where there were none."""
    client = page.client("rashid")
    monkeypatch.setattr("tests.node.page.page_world.PagePen.read", lambda *_: ())
    upload(client, draw_page())
    assert len(kept(page)) == 1
    monkeypatch.undo()
    post(client, f"{path_of(client)}/again", {"patient": "P-100"})
    settled(page)
    assert kept(page) == ()
    assert len(waiting(page)) == len(LINES)
    assert pixels_of(client.get(f"/pages/{waiting(page)[0].page_id.hex()}/picture").content).shape[:2] == (1400, 1000)


def test_a_patient_has_to_be_named(page):
    client = page.client("olga")
    upload(client, BROKEN)
    assert post(client, f"{path_of(client)}/again", {"patient": " "}).status_code == 400
    assert post(client, f"/import/kept-aside/{'00' * 16}/again", {"patient": "P-1"}).status_code == 404


def test_a_large_copy_waits_for_room_like_an_upload(page):
    client, budget = page.client("olga"), page.app.state.office.in_flight
    upload(client, BROKEN)
    free = budget._free
    path = path_of(client)
    budget.take(free)
    assert post(client, f"{path}/again", {"patient": "P-100"}).status_code == 429
    budget.give_back(free)
    assert post(client, f"{path}/again", {"patient": "P-100"}).status_code == 303
    assert budget._free == free


def test_the_screen_says_how_many_and_speaks_in_sentences(page):
    client = page.client("olga")
    upload(client, b"this is no picture", name="letter.png")
    text = client.get("/import/kept-aside").text
    assert "1 file or page was not imported" in text
    assert "QuarantinedFile" not in text
    assert "DICOM. Export the page" in text
