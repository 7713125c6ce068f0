"""How to take a medicine, as codes of a closed vocabulary.

The words of the page are never kept: free text may hold what nobody agreed to keep. What no code means is dropped.
"""

from __future__ import annotations

import re

_BEFORE, _AFTER, _WITH = r"(?:before|b/f)", r"(?:after|a/f)", r"(?:with|along\s+with|during)"
_MEAL = r"(?:an?\s+|the\s+|each\s+|every\s+)?(?:food|meals?|eating|breakfast|lunch|dinner|supper)"
_CODES: dict[str, tuple[str, str]] = {
    "before-food": ("before food", rf"{_BEFORE}\s+{_MEAL}|a\.?c\.?|(?:on\s+an?\s+)?empty\s+stomach|b/f"),
    "after-food": ("after food", rf"{_AFTER}\s+{_MEAL}|p\.?c\.?|(?:on\s+a\s+)?full\s+stomach|a/f"),
    "with-food": ("with food", rf"{_WITH}\s+{_MEAL}"),
    "at-bedtime": ("at bedtime", r"(?:at|before)\s+(?:bed\s*time|bed|sleep(?:ing)?)|bed\s*time|q?h\.?[s5]\.?"),
    "in-the-morning": ("in the morning", r"(?:in\s+the|every|each)\s+morning|mane|q\.?a\.?m\.?"),
    "at-night": ("at night", r"(?:at|every|each)\s+night|nocte"),
    "with-water": ("with water", r"(?:with|in)\s+(?:an?\s+|plenty\s+of\s+|full\s+|glass\s+of\s+|warm\s+)*water"),
    "with-milk": ("with milk", r"with\s+(?:a\s+|glass\s+of\s+|warm\s+)*milk"),
    "chew": ("chew", r"chew(?:ed|able)?|to\s+be\s+chewed"),
    "swallow-whole": ("swallow whole", r"swallow(?:ed)?\s+whole|do\s+not\s+(?:crush|chew)"),
    "dissolve": ("dissolve", r"dissolved?|dilute[d]?"),
    "shake-well": ("shake well", r"shake\s+(?:the\s+bottle\s+)?(?:well|before\s+use)"),
    "apply-thinly": ("apply thinly", r"(?:apply\s+)?(?:thinly|sparingly|thin\s+(?:layer|film))"),
    "complete-the-course": ("complete the course", r"(?:complete|finish)\s+(?:the\s+)?(?:full\s+)?course"),
    "no-alcohol": ("no alcohol", r"(?:no|avoid)\s+alcohol"),
    "no-driving": ("no driving", r"(?:no|avoid|do\s+not)\s+driv(?:e|ing)"),
    "no-sunlight": ("no sunlight", r"(?:no|avoid)\s+(?:direct\s+)?sun(?:light|shine)?"),
}
# "Do not chew" holds the word of another code.
_INSTEAD = {"chew": re.compile(r"(?:do\s+not|don'?t|never)\s+chew", re.IGNORECASE)}
_PATTERNS = {
    code: re.compile(rf"(?<![\w/.])(?:{shapes})(?![\w/])", re.IGNORECASE) for code, (_, shapes) in _CODES.items()
}

INSTRUCTIONS = tuple(_CODES)
"""Every code that a ``MedicineLine`` may have."""


def find_instructions(text: str) -> tuple[str, ...]:
    """The codes that ``text`` means, each once, in the order of ``INSTRUCTIONS``."""
    return tuple(
        code
        for code, pattern in _PATTERNS.items()
        if pattern.search(_INSTEAD[code].sub("", text) if code in _INSTEAD else text)
    )


def instruction_text(code: str) -> str:
    """A code in words; ``find_instructions`` reads them back.

    Args:
        code: Of ``INSTRUCTIONS``.
    """
    return _CODES[code][0]
