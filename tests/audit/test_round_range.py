"""Rounds as an auditor names them."""

from __future__ import annotations

import pytest

from audit.round_range import OPEN_END, parse_rounds
from protocol.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "rounds"),
    [("3", range(3, 4)), ("3..7", range(3, 8)), ("3..", range(3, OPEN_END)), ("0..0", range(1)), ("007", range(7, 8))],
)
def test_a_range_of_rounds_is_understood(text: str, rounds: range) -> None:
    assert parse_rounds(text) == rounds


@pytest.mark.parametrize("text", ["", "..", "..3", "a..b", "7..3", "1..2..3", "-1", "٣", "3...", "9" * 16])
def test_words_that_are_no_range_are_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_rounds(text)
