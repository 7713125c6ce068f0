"""A telephone on the ward: the page over TLS, a photograph as a camera stores it, the real page reader."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pyotp
import pytest
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Page, expect

from tests.end_to_end.clinic import NARROW, SMALL, chromium, shoot
from tests.node.data.test_data_commands import Shell
from tests.node.page.page_world import PASSWORD
from tests.node.page.test_page_serving import add_user, page_process

HOST = "127.0.0.2"
"""An address of this machine that the page answers to for its certificate's sake alone."""
TURNED_LEFT = 6
"""EXIF's orientation of a photograph that was taken with the telephone upright."""
LINES = ("Tab. Amoxil 500 mg 1+0+1", "Cap. Prilosec 20 mg 1+0+0", "Tab. Zyrtec 10 mg 0+0+1")


def photograph() -> bytes:
    """A JPEG of an upright page, its pixels lying on their side as the sensor saw them."""
    page = Image.new("RGB", (1200, 1600), (246, 244, 238))
    pen, face = ImageDraw.Draw(page), ImageFont.load_default(52)
    for row, line in enumerate(LINES):
        pen.text((120, 400 + 180 * row), line, fill=(24, 30, 60), font=face)
    exif = Image.Exif()
    exif[0x0112] = TURNED_LEFT
    stream = BytesIO()
    page.transpose(Image.Transpose.ROTATE_90).save(stream, "JPEG", quality=88, exif=exif)
    return stream.getvalue()


@pytest.fixture
def telephone() -> Iterator[Page]:
    """A telephone's browser that was told to trust the certificate."""
    with chromium() as browser:
        context = browser.new_context(
            viewport=NARROW, is_mobile=True, has_touch=True, device_scale_factor=2, ignore_https_errors=True
        )
        yield context.new_page()


def log_in(tab: Page, name: str, code: pyotp.TOTP) -> None:
    tab.get_by_label("Name").fill(name)
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_label("Code").fill(code.now())
    tab.get_by_role("button", name="Log in").tap()
    expect(tab.get_by_role("heading", name="Today")).to_be_visible()


@pytest.mark.slow
def test_a_telephone_sends_a_photograph_over_tls(tmp_path: Path, telephone: Page) -> None:
    shell, tab = Shell(tmp_path), telephone
    code = add_user(shell, "rashid", "reviewer")
    complaints: list[str] = []
    tab.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    with page_process(shell, HOST) as url:
        tab.goto(f"{url}/")
        log_in(tab, "rashid", code)
        (cookie,) = tab.context.cookies()
        assert (cookie["name"], cookie["secure"], cookie["httpOnly"]) == ("__Host-fedrx-session", True, True)
        assert (cookie["sameSite"], cookie["path"]) == ("Strict", "/")

        tab.get_by_role("link", name="Import").tap()
        tab.get_by_label("Patient").fill("P-100")
        tab.get_by_label("Pages").set_input_files(
            {"name": "IMG_0001.jpg", "mimeType": "image/jpeg", "buffer": photograph()}
        )
        tab.get_by_role("button", name="Import").tap()
        expect(tab.get_by_text("imported", exact=True).first).to_be_visible(timeout=180_000)
        shoot(tab, "tls-import")

        tab.get_by_role("link", name="Review words").tap()
        tab.get_by_role("link", name="Start with the least certain").tap()
        expect(tab.locator(".word.current")).to_have_count(1)
        assert tab.locator(".word").count() == len(LINES)
        # Upright again, and each word boxed in the line where it was written.
        sheet = tab.locator("[data-sheet] image")
        assert (sheet.get_attribute("width"), sheet.get_attribute("height")) == ("1200", "1600")
        tops = sorted(float(box.get_attribute("y") or "nan") for box in tab.locator("[data-box]").all())
        assert [round((top - 400) / 180) for top in tops] == [0, 1, 2]
        assert tab.evaluate(SMALL) == []
        shoot(tab, "tls-review")
    assert complaints == []
