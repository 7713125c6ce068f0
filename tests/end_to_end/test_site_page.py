"""The site page in a real browser: a day at a clinic, from a photograph to a finished round."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from node.store.tables import WordStatus
from tests.end_to_end.clinic import NAMELESS, SMALL, Clinic, import_page, open_clinic, shoot
from tests.node.page.page_world import LINES, draw_page, scanned

SECONDS_A_WORD = 5.0


@pytest.fixture
def clinic(tmp_path: Path) -> Iterator[Clinic]:
    with open_clinic(tmp_path / "data") as found:
        yield found


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
    expect(tab.get_by_text("in force", exact=True)).to_be_visible()
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
        "rashid": ("", "account", "import", "import/kept-aside", "pages", "duplicates", "rounds", "sent", "try"),
        "nurse-rahman": ("", "consent", "consent/new", "consent/new?language=bn", "rounds", "sent"),
        "olga": ("", "import", "rounds", "sent", "log"),
    }
    for name, paths in screens.items():
        tab = clinic.log_in(name, narrow=True)
        if name == "rashid":
            import_page(tab, clinic, "P-100", "ward-7.png", draw_page())
            import_page(tab, clinic, "P-100", "half-sent.png", draw_page()[:3000], becomes="kept aside")
        for path in paths:
            tab.goto(f"{clinic.url}/{path}")
            shoot(tab, f"{name}-{re.sub('[^a-z]', '-', path) or 'home'}")
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
