"""The site page in a real browser: a day at a clinic, from a photograph to a finished round.

``SITE_PAGE_SHOTS=folder`` keeps screenshots of every screen, wide and as on a telephone.
"""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
import pyotp
import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright

from node.store.tables import WordStatus
from tests.node.page.page_world import LINES, PASSWORD, PageWorld, draw_page

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
)  # fmt: skip
WIDE, NARROW = {"width": 1280, "height": 860}, {"width": 360, "height": 740}
SECONDS_A_WORD = 5.0
NAMELESS = """() => [...document.querySelectorAll("input:not([type=hidden]), select, button, a, img")]
  .filter((e) => !e.closest("[hidden], [aria-hidden]") && !(e.labels && e.labels.length))
  .filter((e) => !e.textContent.trim() && !e.getAttribute("aria-label") && !e.hasAttribute("alt"))
  .map((e) => e.outerHTML)"""
SMALL = """() => [...document.querySelectorAll("button, .button, nav a, input:not([type=hidden]), select, summary")]
  .filter((e) => e.offsetParent && !e.closest(".visually-hidden, .tick"))
  .filter((e) => e.getBoundingClientRect().height < 43.5)
  .map((e) => e.outerHTML)"""


@dataclass
class Clinic:
    """A running page, a browser, and what the browser complained about."""

    page: PageWorld
    url: str
    browser: Browser
    complaints: list[str]

    def log_in(self, name: str, *, narrow: bool = False) -> Page:
        scheme = "dark" if narrow else "light"
        context = self.browser.new_context(viewport=NARROW if narrow else WIDE, color_scheme=scheme)
        tab = context.new_page()
        tab.on("console", lambda message: message.type == "error" and self.complaints.append(message.text))
        tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        tab.on("request", self._own)
        tab.goto(f"{self.url}/login")
        if name:
            tab.get_by_label("Name").fill(name)
            tab.get_by_label("Password").fill(PASSWORD)
            tab.get_by_label("Code").fill(self.page.code(name))
            tab.get_by_role("button", name="Log in").click()
            expect(tab.get_by_role("heading", name="Today")).to_be_visible()
        return tab

    def _own(self, request: object) -> None:
        host = urlsplit(request.url).netloc  # type: ignore[attr-defined]
        if host != urlsplit(self.url).netloc:
            self.complaints.append(f"asked {host}")


@contextmanager
def served(page: PageWorld) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(page.app, host="127.0.0.1", port=port, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def clinic(tmp_path: Path) -> Iterator[Clinic]:
    # Which words are held out follows from random ids: with these shares no luck is needed.
    page = PageWorld(tmp_path / "data", settings={"training": {"min_examples": 1, "held_out_percent": 40}})
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with served(page) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield Clinic(page, url, browser, [])
        browser.close()


def shoot(tab: Page, name: str) -> None:
    """Keeps a screenshot where somebody wants to look; checks at any rate that nothing is wider than the screen."""
    wider = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wider <= 0, f"{name} is {wider} pixels too wide"
    folder = os.environ.get("SITE_PAGE_SHOTS")
    if folder:
        size = tab.viewport_size or WIDE
        tab.screenshot(path=Path(folder) / f"{name}-{size['width']}.png", full_page=True)


def import_page(tab: Page, clinic: Clinic, patient: str, name: str, content: bytes) -> None:
    tab.get_by_role("link", name="Import").click()
    tab.get_by_label("Patient").fill(patient)
    tab.get_by_label("Pages").set_input_files({"name": name, "mimeType": "image/png", "buffer": content})
    tab.get_by_role("button", name="Import").click()
    expect(tab.get_by_text("imported", exact=True).first).to_be_visible(timeout=60_000)


def review_with_the_keyboard(tab: Page, clinic: Clinic) -> float:
    """Accepts one word, fixes the other by typing; returns seconds a word, the machine's own."""
    tab.goto(f"{clinic.url}/pages")
    tab.get_by_role("link", name="Start with the least certain").click()
    expect(tab.locator(".word.current")).to_have_count(1)
    shoot(tab, "review")
    began = time.monotonic()
    tab.keyboard.press("Enter")
    expect(tab.locator(".word.accepted")).to_have_count(1)
    tab.keyboard.press("f")
    tab.keyboard.type("Seclo")
    tab.keyboard.press("Enter")
    expect(tab.get_by_text("Every word of this page is reviewed.")).to_be_visible()
    # The way on has the focus once the store holds every word.
    expect(tab.locator("[data-next]")).to_be_focused()
    return (time.monotonic() - began) / len(LINES)


def scanned(png: bytes) -> pyotp.TOTP:
    """What a telephone makes of a QR code."""
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    found = pyotp.parse_uri(cv2.QRCodeDetector().detectAndDecode(picture)[0])
    assert isinstance(found, pyotp.TOTP)
    return found


def consent_with_a_code(tab: Page, clinic: Clinic, patient: str) -> None:
    tab.get_by_role("link", name="Consent", exact=True).click()
    tab.get_by_role("link", name="Record a consent").click()
    tab.get_by_text("The patient's telephone has no code yet").click()
    enrolment = tab.locator("form[action='/consent/enrol']")
    enrolment.get_by_label("Patient").fill(patient)
    enrolment.get_by_role("button").click()
    expect(tab.locator(".qr svg")).to_be_visible()
    shoot(tab, "enrolment")
    telephone = scanned(tab.locator(".qr").screenshot())
    tab.get_by_role("link", name="Record the consent").click()
    tab.get_by_label("Patient's code").fill(telephone.at(int(clinic.page.now())))
    tab.get_by_label("The text was shown or read").check()
    shoot(tab, "consent-new")
    tab.get_by_role("button", name="Sign as nurse-rahman").click()
    expect(tab.get_by_text("in force")).to_be_visible()
    expect(tab.get_by_text("code of the patient's telephone")).to_be_visible()


@pytest.mark.slow
def test_a_day_at_the_clinic(clinic: Clinic, record_property: Callable[[str, object], None]) -> None:
    page, world = clinic.page, clinic.page.world
    world.start()
    world.settle()

    reviewer = clinic.log_in("rashid")
    import_page(reviewer, clinic, "P-100", "ward-7.png", draw_page())
    shoot(reviewer, "import")
    seconds = review_with_the_keyboard(reviewer, clinic)
    record_property("seconds_a_word", round(seconds, 3))
    assert seconds < SECONDS_A_WORD
    labels = {word.label: word.status for word in world.clinic.words() if word.patient == "P-100"}
    assert labels["Seclo"] is WordStatus.FIXED
    assert WordStatus.ACCEPTED in labels.values()

    officer = clinic.log_in("nurse-rahman")
    consent_with_a_code(officer, clinic, "P-100")
    shoot(officer, "patient")

    operator = clinic.log_in("olga")
    world.open_round()
    operator.get_by_role("link", name="Rounds", exact=True).click()
    expect(operator.get_by_role("heading", name="Round 1 is running")).to_be_visible()
    world.settle()
    expect(operator.locator(".steps .done")).to_have_count(4, timeout=20_000)
    shoot(operator, "rounds-running")

    officer.get_by_role("link", name="Consent", exact=True).click()
    officer.get_by_role("link", name="P-001").click()
    officer.get_by_role("button", name="Withdraw consent").click()
    expect(officer.get_by_text("none of the patient's words trains")).to_be_visible()
    expect(officer.get_by_role("row").filter(has_text="round 1")).to_be_visible()
    shoot(officer, "withdrawn")
    world.settle()
    assert world.view(1).revoked == {0}

    world.others_register()
    world.finish()
    world.settle()
    expect(operator.get_by_role("heading", name="No round is running")).to_be_visible(timeout=20_000)
    world.open_round()
    world.settle()
    world.others_register()
    world.finish()
    world.settle()
    expect(operator.get_by_text("finalized")).to_be_visible(timeout=20_000)
    operator.reload()
    expect(operator.locator("svg.plot")).to_be_visible()
    shoot(operator, "rounds")
    operator.get_by_role("link", name="What left").click()
    expect(operator.get_by_text("A sealed model update").first).to_be_visible()
    expect(operator.get_by_text("A note that a consent was withdrawn").first).to_be_visible()
    shoot(operator, "sent")
    operator.get_by_role("link", name="Log", exact=True).click()
    expect(operator.get_by_role("row").filter(has_text="rashid").first).to_be_visible()
    shoot(operator, "log")

    reviewer.get_by_role("link", name="Try the model").click()
    reviewer.get_by_label("A new page").set_input_files(
        {"name": "new.png", "mimeType": "image/png", "buffer": draw_page()}
    )
    reviewer.get_by_role("button", name="Read it").click()
    expect(reviewer.get_by_text("Cannot tell: a person must read it")).to_be_visible()
    shoot(reviewer, "try")
    assert clinic.complaints == []
    assert page.world.clinic.store.withdrawal_count() == 1


@pytest.mark.slow
def test_every_screen_fits_a_telephone_and_can_be_walked_with_the_keyboard(clinic: Clinic) -> None:
    world = clinic.page.world
    world.start()
    world.settle()
    world.open_round()
    world.settle()
    shoot(clinic.log_in("", narrow=True), "login")
    screens = {
        "rashid": ("", "import", "pages", "duplicates", "rounds", "sent", "try"),
        "nurse-rahman": ("", "consent", "consent/new", "rounds", "sent"),
        "olga": ("", "import", "rounds", "sent", "log"),
    }
    for name, paths in screens.items():
        tab = clinic.log_in(name, narrow=True)
        if name == "rashid":
            import_page(tab, clinic, "P-100", "ward-7.png", draw_page())
        for path in paths:
            tab.goto(f"{clinic.url}/{path}")
            shoot(tab, f"{name}-{path.replace('/', '-') or 'home'}")
            assert tab.evaluate(NAMELESS) == [], path
            assert tab.evaluate(SMALL) == [], path
    tab = clinic.log_in("rashid", narrow=True)
    tab.goto(f"{clinic.url}/pages")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    tab.get_by_role("link", name="Start with the least certain").press("Enter")
    expect(tab.locator(".word.current")).to_have_count(1)
    shoot(tab, "review")
    tab.keyboard.press("j")
    tab.keyboard.press("k")
    tab.keyboard.press("r")
    expect(tab.locator(".word.rejected")).to_have_count(1)
    tab.keyboard.press("1")
    expect(tab.get_by_text("Every word of this page is reviewed.")).to_be_visible()
    expect(tab.locator("[data-next]")).to_be_focused()
    shoot(tab, "review-done")
    assert clinic.complaints == []
