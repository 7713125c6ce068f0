"""What a request may hold, how long the page's memory lasts, and what a stranger at the door cannot do."""

from __future__ import annotations

import threading
from io import BytesIO

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event
from starlette.datastructures import FormData, UploadFile

from node.page.forms import Form
from node.page.limits import LOG_IN, LOG_IN_AS, ByteBudget
from node.page.page_pictures import KEPT_SECONDS, PagePictures
from node.page.store_view import StoredPage, find_page
from prescriptions.load import LoadLimits
from tests.node.page.page_world import PASSWORD, PageWorld, consent, draw_page, post, upload

MULTIPART = "multipart/form-data; boundary=b"


def erase(page: PageWorld, patient: str = "P-100") -> None:
    clinic = page.world.clinic
    clinic.desk.erase(patient, int(page.time), clinic.originals, clinic.quarantine)


def stored_page(page: PageWorld) -> StoredPage:
    with page.parts.store.read() as transaction:
        found = find_page(transaction, page.world.clinic.review.waiting()[0].page_id)
    assert found is not None
    return found


def guess(client: TestClient, name: str = "olga") -> int:
    fields = {"name": name, "password": "not the password", "code": "123456"}
    return client.post("/login", data=fields).status_code


def name_of(text: str) -> str:
    return Form(FormData([("f", UploadFile(BytesIO(b"x"), filename=text))])).uploads("f")[0].name


def test_bytes_are_taken_once_and_given_back():
    budget = ByteBudget(10)
    assert [budget.take(6), budget.take(6), budget.take(4)] == [True, False, True]
    budget.give_back(6)
    assert budget.take(6)


@pytest.mark.parametrize("path", ["/import", "/try"])
def test_a_form_for_which_no_bytes_are_free_is_not_read(page, path):
    client, budget = page.client("rashid"), page.app.state.office.in_flight
    budget.take(budget._free)
    files = {"files" if path == "/import" else "file": ("a.png", draw_page())}
    assert post(client, path, {"patient": "P-1"}, files=files).status_code == 429


def test_every_form_gives_its_bytes_back(page):
    client, budget = page.client("rashid"), page.app.state.office.in_flight
    free = budget._free
    upload(client, draw_page())
    assert post(client, "/import", {"patient": " "}, files={"files": ("a.png", b"x")}).status_code == 400
    assert client.post("/import", data={"csrf": "x"}).status_code == 403
    assert client.post("/import", content=b"x", headers={"Content-Type": "text/plain"}).status_code == 400
    assert budget._free == free


def test_a_form_that_says_no_length_takes_the_most_that_it_may_have(page):
    client, budget = page.client("rashid"), page.app.state.office.in_flight
    budget.take(budget._free - 1000)
    headers = {"Content-Type": MULTIPART}
    assert client.post("/import", content=b"--b--\r\n", headers=headers).status_code == 403
    assert client.post("/import", content=iter([b"--b--\r\n"]), headers=headers).status_code == 429


def test_a_form_that_says_too_great_a_length_is_refused_before_it_is_read(page):
    client = page.client("rashid")
    headers = {"Content-Type": MULTIPART, "Content-Length": "9" * 5000}
    assert client.post("/import", content=b"--b--\r\n", headers=headers).status_code == 413


def test_a_third_trial_does_not_wait(page):
    client, office = page.client("rashid"), page.app.state.office
    release = threading.Event()
    office.worker.submit(release.wait, 30)
    answers: list[int] = []

    def try_one() -> None:
        answers.append(post(client, "/try", files={"file": ("new.png", draw_page())}).status_code)

    waiting = [threading.Thread(target=try_one) for _ in range(3)]
    for thread in waiting:
        thread.start()
    for _ in range(200):
        if answers:
            break
        threading.Event().wait(0.05)
    assert answers == [429]
    release.set()
    for thread in waiting:
        thread.join(30)
    assert sorted(answers) == [200, 200, 429]
    assert post(client, "/try", files={"file": ("new.png", draw_page())}).status_code == 200


@pytest.mark.parametrize("content", [draw_page(), b"this is no picture"])
def test_an_erased_patients_uploads_are_not_shown_and_not_remembered(page, content):
    client, imports = page.client("olga"), page.app.state.office.imports
    assert "P-100" in upload(client, content)
    upload(client, draw_page(shade=250), patient="P-200")
    erase(page)
    text = client.get("/import/jobs").text
    assert "P-100" not in text
    assert "P-200" in text
    assert [job.patient for job in imports._jobs.values()] == ["P-200"]


def test_an_upload_that_waited_while_its_patient_was_erased_is_not_imported(page):
    client, office = page.client("olga"), page.app.state.office
    upload(client, draw_page())
    release = threading.Event()
    office.worker.submit(release.wait, 30)
    post(client, "/import", {"patient": "P-100"}, files={"files": ("late.png", draw_page(shade=250))})
    erase(page)
    assert "late.png" not in client.get("/import/jobs").text
    release.set()
    office.worker.submit(int).result(30)
    with page.parts.store.read() as transaction:
        assert transaction.find_patient("P-100") is None


def test_an_erased_page_leaves_the_pictures_at_the_next_use(page):
    client, pictures = page.client("rashid"), page.app.state.office.pictures
    upload(client, draw_page())
    erased = stored_page(page)
    assert pictures.of(erased) is not None
    erase(page)
    upload(client, draw_page(shade=250), patient="P-200")
    other = stored_page(page)
    assert pictures.of(other) is not None
    assert set(pictures._kept) == {other.page_id}


def test_a_picture_is_kept_some_minutes_only(page):
    upload(page.client("rashid"), draw_page())
    now = [0.0]
    pictures = PagePictures(page.parts.store, page.parts.originals, LoadLimits(), lambda: now[0])
    found = stored_page(page)
    kept = pictures.of(found)
    now[0] = KEPT_SECONDS - 1
    pictures.forget_old()
    assert pictures.of(found) is kept
    now[0] = KEPT_SECONDS
    pictures.forget_old()
    assert not pictures._kept


def test_old_pictures_are_swept_while_the_page_is_served(page, monkeypatch):
    monkeypatch.setattr("node.page.app._SWEEP_SECONDS", 0.01)
    swept = threading.Event()
    monkeypatch.setattr(page.app.state.office.pictures, "forget_old", swept.set)
    with TestClient(page.app):
        assert swept.wait(10)


def test_a_name_that_nobody_has_is_written_down_like_a_wrong_password(page):
    door, writes = page.app.state.office.door, []
    engine = page.parts.store._engine
    event.listen(engine, "before_cursor_execute", lambda *args: writes.append(args[2].split()[0]))

    def updates(name: str) -> int:
        writes.clear()
        door.log_in(name, "not the password", "123456", int(page.time))
        return writes.count("UPDATE")

    door.log_in("nobody", "not the password", "123456", int(page.time))
    assert updates("nobody") == updates("olga") == 1


def test_a_stranger_does_not_lock_a_user_out_elsewhere(page):
    stranger, code = page.client(), page.code("olga")
    assert [guess(stranger) for _ in range(7)] == [403] * 7
    fields = {"name": "olga", "password": PASSWORD, "code": code}
    assert page.client().post("/login", data=fields).status_code == 303


def test_five_wrong_tries_refuse_one_name_at_one_address_only(page):
    client = page.client()
    assert [guess(client) for _ in range(LOG_IN_AS.times)] == [403] * LOG_IN_AS.times
    fields = {"password": PASSWORD, "code": page.code("olga"), "name": "olga"}
    assert client.post("/login", data=fields).status_code == 403
    fields |= {"name": "rashid", "code": page.code("rashid")}
    assert client.post("/login", data=fields).status_code == 303


def test_too_many_tries_are_refused_before_the_form_is_read(page):
    client = page.client()
    for _ in range(LOG_IN.times):
        guess(client, "x")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.post("/login", content=b"x" * 100_000, headers=headers).status_code == 429


def test_a_long_file_name_is_cut_at_a_character():
    name = name_of("প্রেসক্রিপশন" * 20 + ".png")
    assert 195 <= len(name.encode()) <= 200
    assert name.endswith("প্রেসক্রিপশন.png")
    assert name_of("a" * 190 + ".png") == "a" * 190 + ".png"


def test_a_number_of_days_with_thousands_of_digits_is_no_number_of_days(page):
    answer = consent(page, page.client("nurse-rahman"), days="9" * 5000)
    assert answer.status_code == 400
    assert "no number of days" in answer.text
    assert "9" * 50 not in answer.text


@pytest.mark.parametrize("charset", ["unicode_escape", "raw_unicode_escape", "idna", "utf-7"])
def test_a_form_in_another_charset_is_refused(page, charset):
    fields = {"name": "\\ud800", "password": "x" * 20, "code": "123456"}
    parts = "".join(f'--b\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in fields.items())
    headers = {"Content-Type": f"{MULTIPART}; charset={charset}"}
    assert page.client().post("/login", content=f"{parts}--b--\r\n".encode(), headers=headers).status_code == 400
