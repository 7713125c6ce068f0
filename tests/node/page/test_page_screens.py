"""How texts and numbers are written on the screens."""

from __future__ import annotations

import pytest

from node.consent.notice import shipped_languages, shipped_notice
from node.page.screens import flowing, sentences
from node.page.sentences import act_sentence, hint_sentence


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("the PDF is damaged. export it again", "The PDF is damaged. Export it again."),
        ("Page 1: no text was found.", "Page 1: No text was found."),
        ("wait. 3 files remain", "Wait. 3 files remain."),
        ("", ""),
    ],
)
def test_what_a_machine_wrote_is_shown_in_sentences(text, written):
    assert sentences(text) == written


@pytest.mark.parametrize("language", shipped_languages())
def test_a_text_without_its_line_breaks_has_every_word_of_it(language):
    text = shipped_notice(language).text
    shown = flowing(text)
    assert shown.split() == text.split()
    assert shown.count("\n") < text.count("\n")
    assert max(map(len, shown.split("\n"))) > max(map(len, text.split("\n")))


def test_titles_and_items_of_a_list_stay_on_lines_of_their_own():
    long = "word " * 20
    text = f"Title\n{long}\nends here.\n\n- {long}\n  goes on\n- second"
    assert flowing(text) == f"Title\n{long.strip()} ends here.\n\n- {long.strip()} goes on\n- second"


@pytest.mark.parametrize(
    ("hint", "shown"),
    [
        ("wait for the next one", "Wait for the next one."),
        ("see fedrx node user list", "For the operator of this site: see fedrx node user list."),
        ("give --code, or --staff-code and --form", ""),
        ("", ""),
    ],
)
def test_a_hint_names_no_option_of_a_command(hint, shown):
    assert hint_sentence(hint) == shown


def test_an_act_of_a_new_kind_is_named_all_the_same():
    assert act_sentence("accept") == "accepted a word as it was read"
    assert act_sentence("something new") == "something new"
