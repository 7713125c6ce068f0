"""What is seldom done on the site page, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.end_to_end.clinic import Clinic, import_page, open_clinic, shoot
from tests.node.page.page_world import PASSWORD, draw_page


@pytest.fixture
def clinic(tmp_path: Path) -> Iterator[Clinic]:
    with open_clinic(tmp_path / "data") as found:
        yield found


@pytest.mark.slow
def test_what_is_seldom_done_at_the_desk_is_done_in_a_browser(clinic: Clinic) -> None:
    """A waiver, an erasure, another password, a file that is tried again: found by their labels alone."""
    tab = clinic.log_in("nurse-rahman")
    tab.goto(f"{clinic.url}/consent/new?language=bn")
    # No machine needs a font for the text.
    assert tab.evaluate(
        "document.fonts.ready.then(() => [...document.fonts].every((font) => font.status === 'loaded'))"
    )
    tab.get_by_role("textbox", name="Patient", exact=True).first.fill("P-300")
    tab.get_by_label("Who agrees").select_option(label="nobody: an ethics committee waived consent")
    expect(tab.get_by_label("The text was shown or read")).to_be_hidden()
    expect(tab.get_by_label("Patient's code")).to_be_hidden()
    expect(tab.get_by_label("the committee's document, and my code")).to_be_checked()
    tab.get_by_label("Its document").set_input_files(
        {"name": "decision.pdf", "mimeType": "application/pdf", "buffer": b"%PDF decision"}
    )
    tab.get_by_label("Decided on").fill("2026-03-01")
    tab.get_by_label("Your code").fill(clinic.page.code("nurse-rahman"))
    shoot(tab, "consent-waiver")
    tab.get_by_role("button", name="Sign as nurse-rahman").click()
    expect(tab.get_by_text("an ethics committee waived it")).to_be_visible()

    tab.get_by_text("Erase this patient").press("Enter")
    tab.get_by_label("Type the identifier").fill("P-30")
    tab.keyboard.press("Enter")
    expect(tab.get_by_text("Nothing was erased", exact=False)).to_be_visible()
    shoot(tab, "not-erased")
    tab.get_by_role("link", name="Back").click()
    tab.get_by_text("Erase this patient").press("Enter")
    tab.get_by_label("Type the identifier").fill("P-300")
    shoot(tab, "erase")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("heading", name="Erased")).to_be_visible()
    shoot(tab, "erased")

    tab.get_by_role("link", name="Your account").click()
    tab.get_by_label("Current password").fill(PASSWORD)
    for field in tab.get_by_label("New password").all():
        field.fill("orchard velvet seventeen rivers")
    tab.get_by_label("Code").fill(clinic.page.code("nurse-rahman"))
    tab.keyboard.press("Enter")
    expect(tab.get_by_text("counts from now on")).to_be_visible()
    shoot(tab, "account-changed")

    reviewer = clinic.log_in("rashid")
    import_page(reviewer, clinic, "P-100", "half-sent.png", draw_page()[:3000], becomes="kept aside")
    reviewer.get_by_role("link", name="See why").click()
    shoot(reviewer, "kept-aside")
    reviewer.get_by_role("button", name="Try again").click()
    expect(reviewer.get_by_text("kept aside", exact=True)).to_have_count(2)
    reviewer.get_by_role("link", name="See why").click()
    reviewer.get_by_text("Drop it").press("Enter")
    reviewer.get_by_role("button", name="Drop half-sent.png").click()
    expect(reviewer.get_by_text("Nothing is kept aside.")).to_be_visible()
    # The refused identifier was answered with status 400, which the browser notes as a failed load.
    assert [line for line in clinic.complaints if "400" not in line] == []
