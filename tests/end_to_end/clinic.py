"""A running site page and a real browser in front of it.

``SITE_PAGE_SHOTS=folder`` keeps screenshots of every screen, wide and as on a telephone.
"""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.node.page.page_world import PASSWORD, PageWorld

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
)  # fmt: skip
WIDE, NARROW = {"width": 1280, "height": 860}, {"width": 360, "height": 740}
PATIENCE_MS = 30_000
"""For a screen to come where other work takes the cores."""
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


@contextmanager
def chromium() -> Iterator[Browser]:
    """The machine's own browser, or Playwright's."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_clinic(folder: Path) -> Iterator[Clinic]:
    # Which words are held out follows from random ids: with these shares no luck is needed.
    page = PageWorld(folder, settings={"training": {"min_examples": 1, "held_out_percent": 40}})
    with served(page) as url, chromium() as browser:
        yield Clinic(page, url, browser, [])


def shoot(tab: Page, name: str) -> None:
    """Keeps a screenshot where somebody wants to look; checks at any rate that nothing is wider than the screen."""
    wider = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wider <= 0, f"{name} is {wider} pixels too wide"
    folder = os.environ.get("SITE_PAGE_SHOTS")
    if folder:
        size = tab.viewport_size or WIDE
        tab.screenshot(path=Path(folder) / f"{name}-{size['width']}.png", full_page=True)


def import_page(
    tab: Page, clinic: Clinic, patient: str, name: str, content: bytes, *, becomes: str = "imported"
) -> None:
    tab.get_by_role("link", name="Import").click()
    tab.get_by_label("Patient").fill(patient)
    tab.get_by_label("Pages").set_input_files({"name": name, "mimeType": "image/png", "buffer": content})
    tab.get_by_role("button", name="Import").click()
    expect(tab.get_by_text(becomes, exact=True).first).to_be_visible(timeout=60_000)
