"""Text that somebody else wrote, made safe to keep, to log and to show.

A file's name, a decoder's refusal or a foreign document may hold line breaks, codes that a terminal obeys, marks that
turn the writing direction, halves of characters that cannot be encoded, or a megabyte where a word is expected.
"""

from __future__ import annotations

MAX_CHARACTERS = 200
_CUT = "…"


def one_line(text: str, max_characters: int = MAX_CHARACTERS) -> str:
    """The text on one line: what does not print becomes a space, and what is too long is cut.

    Args:
        text: Anything.
        max_characters: Of the result, at least 1; a text that was cut ends with ``…``.
    """
    printable = "".join(each if each.isprintable() else " " for each in text[: max_characters + 1])
    return printable if len(printable) <= max_characters else printable[: max_characters - 1] + _CUT
