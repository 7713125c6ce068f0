"""The explorer in a real browser: two hundred rounds of fifty sites, on a screen and on a telephone.

``EXPLORER_SHOTS=folder`` keeps screenshots of every screen.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.audit.explorer.in_browser import FIRST_PAINT, Served, served_explorer
from tests.audit.explorer.made_up import lineage_id, site, slug
from tests.end_to_end.clinic import NAMELESS, NARROW, SMALL, WIDE, chromium

ROUNDS, SITES = 200, 50

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def explorer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served_explorer(tmp_path_factory.mktemp("explorer"), ROUNDS, SITES) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def tab_of(
    browser: Browser, explorer: Served, complaints: list[str], *, narrow: bool = False, dark: bool = False
) -> Page:
    context = browser.new_context(viewport=NARROW if narrow else WIDE, color_scheme="dark" if dark else "light")
    tab = context.new_page()
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    host = urlsplit(explorer.url).netloc
    tab.on("request", lambda asked: urlsplit(asked.url).netloc != host and complaints.append(f"asked {asked.url}"))
    return tab


@pytest.mark.parametrize("look", ["wide", "narrow", "dark"])
def test_every_screen_fits_and_can_be_used(
    explorer: Served, browser: Browser, look: str, record_property: Callable[[str, object], None]
) -> None:
    complaints: list[str] = []
    tab = tab_of(browser, explorer, complaints, narrow=look == "narrow", dark=look == "dark")
    for name, path in explorer.screens.items():
        tab.goto(explorer.url + path)
        expect(tab.get_by_role("heading", level=1)).to_be_visible()
        record_property(f"{name}_first_paint_ms", tab.evaluate(FIRST_PAINT))
        wider = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider <= 0, f"{name} is {wider} pixels too wide"
        assert tab.evaluate(NAMELESS) == [], name
        assert tab.evaluate(SMALL) == [], name
        if folder := os.environ.get("EXPLORER_SHOTS"):
            tab.screenshot(path=Path(folder) / f"explorer-{name}-{look}.png", full_page=name != "overview-all")
    assert complaints == []


def test_a_letter_leads_to_its_transaction_and_from_there_to_site_round_and_model(
    explorer: Served, browser: Browser
) -> None:
    complaints: list[str] = []
    tab = tab_of(browser, explorer, complaints)
    tab.goto(explorer.url)
    row = tab.get_by_role("row").filter(has=tab.get_by_role("rowheader", name="site-07"))
    expect(row.get_by_role("cell")).to_have_count(40)
    row.get_by_role("link", name="A", exact=True).first.click()
    expect(tab.get_by_role("heading", name="Transaction")).to_be_visible()
    expect(tab.get_by_text("Site site-07 registered update")).to_be_visible()
    expect(tab.get_by_role("link", name="Proof of the verdict")).to_be_visible()
    tab.locator("dt", has_text="round").locator("xpath=following-sibling::dd").get_by_role("link").first.click()
    expect(tab.get_by_role("heading", level=1)).to_contain_text("Round")
    tab.locator("svg.lineage a", has=tab.locator("rect.model")).first.click()
    expect(tab.get_by_role("heading", level=1)).to_contain_text("Model of round")
    assert complaints == []


def test_the_keyboard_reaches_the_timeline_the_matrix_and_what_is_behind_it(explorer: Served, browser: Browser) -> None:
    complaints: list[str] = []
    tab = tab_of(browser, explorer, complaints)
    tab.goto(explorer.url)
    tab.keyboard.press("Tab")
    expect(tab.get_by_role("link", name="Skip to the content")).to_be_focused()
    tab.get_by_text("The same as a table").focus()
    tab.keyboard.press("Enter")
    timeline = tab.get_by_role("table").first
    expect(timeline.get_by_role("rowheader")).to_have_count(40)
    tab.get_by_role("link", name="Skip the table").focus()
    tab.keyboard.press("Tab")
    expect(tab.get_by_role("region", name="Who took part")).to_be_focused()
    tab.keyboard.press("Tab")
    expect(tab.locator(".matrix thead a").first).to_be_focused()
    tab.get_by_role("link", name="Skip the table").focus()
    tab.keyboard.press("Enter")
    assert tab.url.endswith("#consent")
    tab.get_by_label("Slug, round, id, digest or transaction").focus()
    tab.keyboard.type("site-01")
    tab.keyboard.press("Enter")
    expect(tab).to_have_url(f"{explorer.url}/site/{site(1)}")
    assert complaints == []


def test_two_hundred_rounds_of_fifty_sites_stand_on_one_screen(explorer: Served, browser: Browser) -> None:
    tab = tab_of(browser, explorer, [])
    tab.goto(explorer.url)
    tab.get_by_role("link", name=f"All {ROUNDS}").first.click()
    expect(tab.locator(".matrix tbody td")).to_have_count(ROUNDS * SITES)
    tab.goto(f"{tab.url}#matrix")
    tab.get_by_role("region", name="Who took part").evaluate("e => e.scrollTo(e.scrollWidth, 200)")
    # The sites' names and the rounds' numbers stay where they can be seen.
    expect(tab.get_by_role("rowheader", name=slug(SITES // 4))).to_be_in_viewport()
    newest = tab.locator(".matrix thead a").last
    expect(newest).to_be_in_viewport()
    newest.click()
    expect(tab).to_have_url(f"{explorer.url}/round/{lineage_id()}/{ROUNDS}")
