"""node/page/views_data.py: what the site has, as a clinician sees it."""

from __future__ import annotations

from functools import partial

from prescriptions.lexicon import bundled_lexicon
from tests.node.page import page_world
from tests.node.page.page_world import PageWorld


def test_an_empty_site_is_told_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(page_world, "SiteWorld", partial(page_world.SiteWorld, words=False))
    text = PageWorld(tmp_path / "data").client("olga").get("/data").text
    assert "Nothing was imported yet" in text


def test_the_screen_counts_and_names_no_patient(page):
    clinic = page.world.clinic
    clinic.add_words("P-4711", "Amoxil", "Lasix", "Prilosec", page="seven")
    clinic.accept_all()
    clinic.grant("P-4711")
    text = page.client("rashid").get("/data").text
    assert "may train now" in text
    for name in ("Amoxil", "Lasix", "Prilosec"):
        assert name in text
    for private in ("4711", "Salma", "Popular", "seven.pdf", "dr-khan"):
        assert private not in text


def test_it_says_what_a_round_tells_of_it(page):
    assert "how many words trained" in page.client("olga").get("/data").text


def test_medicines_beyond_the_first_twelve_are_a_click_away(page):
    page.world.clinic.add_words("P-1", *bundled_lexicon("drugsfda").names[:15])
    page.world.clinic.accept_all()
    assert "more medicine" in (text := page.client("olga").get("/data").text)
    assert bundled_lexicon("drugsfda").names[14] in text
    assert "((" not in text
