"""Rounds as an auditor names them: ``3..7``, ``3..`` or ``3``."""

from __future__ import annotations

import re

from protocol.errors import ConfigError

_RANGE = re.compile(r"(?a:(\d{1,15})(?:(\.\.)(\d{1,15})?)?)")
OPEN_END = 1 << 64
"""Above every round's number."""
ALL_ROUNDS = range(OPEN_END)


def parse_rounds(text: str) -> range:
    """The numbers that a text names; without an end they reach to ``OPEN_END``.

    Raises:
        ConfigError: Another shape, or an end before the beginning.
    """
    found = _RANGE.fullmatch(text)
    if found is None:
        raise ConfigError(f"{text!r:.40} names no rounds", hint="write --rounds 3..7, 3.. or 3")
    first = int(found[1])
    end = int(found[3]) + 1 if found[3] else OPEN_END if found[2] else first + 1
    if end <= first:
        raise ConfigError(f"{text} ends before it begins", hint="write the smaller number first")
    return range(first, end)
