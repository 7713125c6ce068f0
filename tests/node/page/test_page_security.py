"""Who gets in, who may see what, and what no other page can make a browser do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from starlette.routing import Route

from node.page.limits import ANY_REQUEST, LOG_IN, Limit, RateLimits
from node.page.sessions import IDLE_SECONDS, LONGEST_SECONDS
from node.page.users import hash_password
from node.store.users import LOCK_SECONDS, MAX_FAILURES, Role, disable_user, set_password
from protocol.errors import ConfigError
from tests.node.data_builders import CHEAP
from tests.node.page.page_world import PASSWORD, PageWorld, post, token_of

OPEN = {"/login"}
ID = "00" * 16


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> PageWorld:
    return PageWorld(tmp_path_factory.mktemp("page") / "data")


@pytest.fixture
def fresh(tmp_path: Path) -> PageWorld:
    return PageWorld(tmp_path / "data")


def routes(page: PageWorld, method: str) -> list[str]:
    found: list[str] = []
    waiting = list(page.app.routes)
    while waiting:
        route = waiting.pop()
        nested = getattr(getattr(route, "original_router", None), "routes", None)
        if nested:
            waiting += nested
        if isinstance(route, APIRoute | Route) and method in (route.methods or set()):
            found.append(re.sub(r"\{[a-z]+_id\}", ID, route.path))
    return sorted(set(found))


def log_in(client: TestClient, page: PageWorld, name: str, **changes: str) -> int:
    fields = {"name": name, "password": PASSWORD, "code": page.code(name)} | changes
    return client.post("/login", data=fields).status_code


def test_every_view_refuses_whoever_is_not_logged_in(page):
    paths = set(routes(page, "GET")) - OPEN
    assert len(paths) > 12
    for path in paths:
        answer = page.client().get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/login"), path
    for path in set(routes(page, "POST")) - OPEN:
        answer = page.client().post(path, data={"csrf": "x"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/login"), path


def test_every_form_needs_the_token_of_its_session(page):
    for name in ("olga", "rashid", "nurse-rahman"):
        client, other = page.client(name), page.client(name)
        foreign = token_of(other.get("/"))
        for path in set(routes(page, "POST")) - OPEN:
            for data in ({"label": "Napa"}, {"csrf": ""}, {"csrf": foreign}):
                assert client.post(path, data=data).status_code == 403, (name, path)


SCREENS = {
    "olga": {"/", "/account", "/import", "/import/kept-aside", "/data", "/rounds", "/sent", "/log"},
    "rashid": {
        "/",
        "/account",
        "/import",
        "/import/kept-aside",
        "/pages",
        "/doubts",
        "/duplicates",
        "/data",
        "/rounds",
        "/sent",
        "/try",
    },
    "nurse-rahman": {"/", "/account", "/consent", "/consent/new", "/rounds", "/sent"},
}


@pytest.mark.parametrize("name", SCREENS)
def test_a_role_sees_its_screens_and_no_others(page, name):
    client = page.client(name)
    screens = set.union(*SCREENS.values())
    assert {path for path in screens if client.get(path).status_code == 200} == SCREENS[name]
    assert {client.get(path).status_code for path in screens - SCREENS[name]} == {403}


def test_the_navigation_names_no_screen_that_is_refused(page):
    text = page.client("olga").get("/").text
    assert 'href="/log"' in text
    assert 'href="/pages"' not in text
    assert 'href="/consent"' not in text


def test_a_right_password_with_a_wrong_code_is_refused(page):
    assert log_in(page.client(), page, "olga", code="000000") == 403


def test_a_code_is_taken_once(fresh):
    code = fresh.code("olga")
    assert log_in(fresh.client(), fresh, "olga", code=code) == 303
    assert log_in(fresh.client(), fresh, "olga", code=code) == 403


def test_an_unknown_name_and_a_wrong_password_get_the_same_answer(page):
    wrong = page.client().post("/login", data={"name": "olga", "password": "x" * 20, "code": "123456"})
    unknown = page.client().post("/login", data={"name": "nobody", "password": "x" * 20, "code": "123456"})
    assert (wrong.status_code, wrong.text) == (unknown.status_code, unknown.text)


def test_fifty_wrong_passwords_lock_a_user_for_fifteen_minutes(fresh):
    door, now = fresh.app.state.office.door, int(fresh.time)
    for _ in range(MAX_FAILURES):
        assert door.log_in("olga", "not the password", "123456", now) is None
    assert door.log_in("olga", PASSWORD, fresh.code("olga"), now + 1) is None
    fresh.time += LOCK_SECONDS
    assert door.log_in("olga", PASSWORD, fresh.code("olga"), int(fresh.time)) is not None


def test_wrong_passwords_do_not_lock_the_authenticator(fresh):
    door, now = fresh.app.state.office.door, int(fresh.time)
    for _ in range(MAX_FAILURES):
        door.log_in("olga", "not the password", "000000", now)
    with fresh.world.clinic.store.write() as transaction:
        set_password(transaction, "olga", hash_password(PASSWORD, "olga", CHEAP))
    assert door.log_in("olga", PASSWORD, fresh.code("olga"), int(fresh.time)) is not None


def test_tries_from_one_address_are_limited(fresh):
    client = fresh.client()
    answers = [client.post("/login", data={"name": "x", "code": "1"}).status_code for _ in range(LOG_IN.times + 1)]
    assert answers == [403] * LOG_IN.times + [429]


def test_a_limit_forgets_what_is_long_ago():
    now = [0.0]
    limits, limit = RateLimits(lambda: now[0]), Limit(2, 10.0)
    assert [limits.allow(limit, "a") for _ in range(3)] == [True, True, False]
    assert limits.allow(limit, "b")
    now[0] = 10.0
    assert limits.allow(limit, "a")


def test_too_many_requests_are_refused(fresh):
    client, other = fresh.client(), fresh.client()
    assert client.get("/login").status_code == 200
    while fresh.app.state.office.limits.allow(ANY_REQUEST, "10.0.1.1"):
        pass
    assert client.get("/login").status_code == 429
    assert other.get("/login").status_code == 200


def test_rightful_log_ins_are_not_limited(fresh):
    client = fresh.client()
    assert [log_in(client, fresh, "olga") for _ in range(LOG_IN.times + 2)] == [303] * (LOG_IN.times + 2)


def test_a_disabled_user_is_out_at_once(fresh):
    client = fresh.client("rashid")
    assert client.get("/pages").status_code == 200
    with fresh.world.clinic.store.write() as transaction:
        disable_user(transaction, "rashid")
    assert client.get("/pages").status_code == 303
    assert log_in(fresh.client(), fresh, "rashid") == 403


def test_a_new_password_ends_the_sessions(fresh):
    client = fresh.client("rashid")
    with fresh.world.clinic.store.write() as transaction:
        set_password(transaction, "rashid", hash_password("another one altogether", "rashid", CHEAP))
    assert client.get("/pages").status_code == 303


def test_an_idle_session_ends_and_a_screen_that_refreshes_itself_keeps_none_alive(fresh):
    client = fresh.client("olga")
    fresh.time += IDLE_SECONDS - 10
    assert client.get("/rounds/now", headers={"X-FedRx-Part": "1"}).status_code == 200
    fresh.time += 20
    assert client.get("/rounds/now", headers={"X-FedRx-Part": "1"}).status_code == 401
    assert client.get("/").status_code == 303


def test_no_session_lasts_longer_than_twelve_hours(fresh):
    client = fresh.client("olga")
    for _ in range(LONGEST_SECONDS // (IDLE_SECONDS - 1)):
        fresh.time += IDLE_SECONDS - 1
        assert client.get("/").status_code == 200
    fresh.time += IDLE_SECONDS - 1
    assert client.get("/").status_code == 303


def test_log_out_ends_the_session_at_the_server(fresh):
    client = fresh.client("olga")
    cookie = client.cookies["fedrx-session"]
    assert post(client, "/logout").headers["location"] == "/login"
    stolen = fresh.client()
    stolen.cookies.set("fedrx-session", cookie)
    assert stolen.get("/").status_code == 303


def test_the_cookie_is_kept_from_scripts_and_other_sites(fresh):
    fields = {"name": "olga", "password": PASSWORD, "code": fresh.code("olga")}
    cookie = fresh.client().post("/login", data=fields).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


@pytest.mark.parametrize("path", ["/login", "/", "/static/page.css", "/nothing-here"])
def test_every_answer_carries_a_strict_policy(page, path):
    headers = page.client().get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    kinds = ("script-src", "style-src", "img-src", "font-src", "connect-src", "form-action")
    assert {policy[kind] for kind in kinds} == {"'self'"}
    assert policy["frame-ancestors"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert "no-store" in headers["cache-control"]


def test_no_screen_has_a_script_or_a_style_of_its_own(page):
    for name, paths in SCREENS.items():
        client = page.client(name)
        for path in paths:
            text = client.get(path).text
            assert " style=" not in text, path
            assert "<style" not in text, path
            assert text.count("<script") == text.count('<script src="/static/page.js" defer></script>') <= 1, path
            assert "http://" not in text.replace("http://www.w3.org/2000/svg", ""), path
            assert "https://" not in text, path


def test_another_host_name_is_not_answered(page):
    """A name that was made to lead to this machine (DNS rebinding) reads nothing."""
    assert page.client().get("/login", headers={"Host": "evil.example"}).status_code == 421


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_a_form_of_another_page_is_refused(page, headers):
    assert post(page.client("olga"), "/logout", headers=headers).status_code == 403
    assert page.client().post("/login", data={}, headers=headers).status_code == 403


def test_a_form_that_is_too_long_is_refused(page):
    client = page.client("olga")
    assert post(client, "/logout", {"more": "x" * 100_000}).status_code == 413
    assert client.post("/logout", content=b"{}", headers={"Content-Type": "application/json"}).status_code == 400


def test_the_users_table_shows_no_name_and_no_hash(fresh):
    content = fresh.world.clinic.everything_on_disk()
    assert b"olga" not in content
    assert b"argon2id$v" not in content
    assert PASSWORD.encode() not in content


@pytest.mark.parametrize("password", ["short", "x" * 300, "nurse-rahmannurse-rahman", "aaaaaaaaaaaaaaa"])
def test_a_password_that_is_easily_guessed_is_refused(password):
    with pytest.raises(ConfigError):
        hash_password(password, "nurse-rahman", CHEAP)


def test_roles_are_the_three_of_the_manual():
    assert {str(role) for role in Role} == {"operator", "reviewer", "consent-officer"}
