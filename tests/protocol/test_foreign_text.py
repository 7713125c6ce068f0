"""protocol/foreign_text.py: what somebody else wrote is one bounded line that a terminal only shows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.foreign_text import MAX_CHARACTERS, one_line


@given(st.text(st.characters(exclude_categories=())), st.integers(1, 40))
def test_any_text_becomes_one_printable_line_that_can_be_encoded(text: str, max_characters: int) -> None:
    line = one_line(text, max_characters)
    assert line.isprintable()
    assert len(line) <= max_characters
    assert line.encode("utf-8").decode("utf-8") == line
    assert one_line(line, max_characters) == line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("the file is damaged", "the file is damaged"),
        ("\x1b[2Jgone\r\n", " [2Jgone  "),
        ("a\u202eb", "a b"),
        ("\udcff.png", " .png"),
        ("ওষুধ", "ওষুধ"),
    ],
)
def test_only_what_does_not_print_is_replaced(text: str, line: str) -> None:
    assert one_line(text) == line


def test_a_cut_text_says_so() -> None:
    assert one_line("x" * MAX_CHARACTERS) == "x" * MAX_CHARACTERS
    assert one_line("x" * 10**6) == "x" * (MAX_CHARACTERS - 1) + "…"
