"""A user changes their own password on the page."""

from __future__ import annotations

import httpx
import pytest
from fastapi.testclient import TestClient

from node.page.limits import LOG_IN_AS
from node.store.users import acts, disable_user
from tests.node.page.page_world import PASSWORD, PageWorld, post

FRESH = "orchard velvet seventeen rivers"


def change(page: PageWorld, client: TestClient, **changes: str) -> httpx.Response:
    fields = {"old": PASSWORD, "new": FRESH, "again": FRESH, "code": page.code("olga")} | changes
    return post(client, "/account/password", fields)


def log_in(page: PageWorld, password: str) -> int:
    fields = {"name": "olga", "password": password, "code": page.code("olga")}
    return page.client().post("/login", data=fields).status_code


def test_a_new_password_counts_and_the_old_one_does_not(page):
    assert change(page, page.client("olga")).headers["location"] == "/account?changed=yes"
    assert (log_in(page, PASSWORD), log_in(page, FRESH)) == (403, 303)
    with page.parts.store.read() as transaction:
        assert acts(transaction, 1)[0].kind == "password"


def test_whoever_changes_it_stays_logged_in_and_every_other_session_ends(page):
    client, other = page.client("olga"), page.client("olga")
    old_cookie = client.cookies["fedrx-session"]
    change(page, client)
    assert "counts from now on" in client.get("/account?changed=yes").text
    assert client.cookies["fedrx-session"] != old_cookie
    assert other.get("/").status_code == 303


@pytest.mark.parametrize(
    ("changes", "status", "says"),
    [
        ({"old": "not the password"}, 403, "old password or the code is wrong"),
        ({"code": "000000"}, 403, "old password or the code is wrong"),
        ({"again": "another one altogether"}, 400, "typed in two ways"),
        ({"new": "short", "again": "short"}, 400, "12 to 256 characters"),
        ({"new": PASSWORD, "again": PASSWORD}, 400, "is the old one"),
    ],
)
def test_what_is_wrong_changes_nothing_and_is_said_beside_the_form(page, changes, status, says):
    client = page.client("olga")
    answer = change(page, client, **changes)
    assert answer.status_code == status
    assert says in answer.text
    assert "Nothing was changed" in answer.text
    assert client.get("/").status_code == 200
    assert log_in(page, PASSWORD) == 303


def test_a_code_is_taken_once_here_too(page):
    client = page.client("olga")
    code = page.code("olga")
    assert change(page, client, code=code).status_code == 303
    again = change(page, client, old=FRESH, new=PASSWORD, again=PASSWORD, code=code)
    assert again.status_code == 403


def test_somebody_at_an_unlocked_screen_cannot_guess_on(page):
    client = page.client("olga")
    answers = [change(page, client, old="not the password").status_code for _ in range(LOG_IN_AS.times + 1)]
    assert answers == [403] * LOG_IN_AS.times + [429]
    assert change(page, client).status_code == 429


def test_a_user_who_is_disabled_meanwhile_is_not_let_in_again_by_it(page, monkeypatch):
    door, now = page.app.state.office.door, int(page.time)
    user = door.log_in("olga", PASSWORD, page.code("olga"), int(page.time))

    def log_in_then_disable(*_arguments: object) -> object:
        with page.parts.store.write() as transaction:
            disable_user(transaction, "olga")
        return user

    monkeypatch.setattr(door, "log_in", log_in_then_disable)
    assert door.change_password("olga", PASSWORD, "123456", FRESH, now) is None
    monkeypatch.undo()
    assert log_in(page, FRESH) == 403
    assert log_in(page, PASSWORD) == 403
