"""Text that a spreadsheet shows and does not compute."""

from __future__ import annotations

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def inert(text: str) -> str:
    """A cell's text, behind an apostrophe where a spreadsheet would compute it: what a page says is not trusted."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
