"""A file becomes a page with words on the screen: import, page, word."""

from __future__ import annotations

import re

from node.store.words import crop_pngs
from tests.node.page.page_world import LINES, draw_page, pixels_of, post, upload, waiting


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
