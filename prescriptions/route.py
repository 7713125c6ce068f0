"""Routes: where a medicine goes, as far as the page says so. A route is never guessed from the dose form."""

from __future__ import annotations

import re

_PLACE = r"(?:in(?:to)?\s+)?(?:(?:the|both|each|left|right|affected)\s+)*"
_WRITTEN = {
    "oral": r"p\.?[o0]\.?|by\s+mouth|oral(?:ly)?",
    "sublingual": r"s[./]?l\.?|sublingual(?:ly)?|under\s+(?:the\s+)?tongue",
    "buccal": r"buccal(?:ly)?",
    "intravenous": r"[i1l]\.?v\.?|intravenous(?:ly)?",
    "intramuscular": r"[il]\.?m\.?|intramuscular(?:ly)?",
    "subcutaneous": r"s[./]?[cq]\.?|sub-?cut(?:aneous(?:ly)?)?",
    "intradermal": r"intradermal(?:ly)?",
    "transdermal": r"transdermal(?:ly)?",
    "ophthalmic": rf"ophthalmic|{_PLACE}eyes?(?:\s+drops?)?",
    "otic": rf"otic|{_PLACE}ears?(?:\s+drops?)?",
    "nasal": rf"(?:intra)?nasal(?:ly)?|{_PLACE}nostrils?",
    "inhalation": r"(?:by\s+)?inhal(?:e|ed|ation)|puffs?|nebuli[sz](?:ed|er|ation)",
    "rectal": r"p\.?r\.?|(?:per\s+)?rectum|rectal(?:ly)?",
    "vaginal": r"p\.?v\.?|(?:per\s+)?vaginam?|vaginal(?:ly)?",
    # Last: a cream may be applied to the skin around the eye, and the more exact word wins.
    "topical": r"topical(?:ly)?|l/a|local(?:ly)?\s+appl(?:y|ied|ication)|apply|applied|on\s+(?:the\s+)?skin",
}
_PATTERNS = {route: re.compile(rf"(?<![\w/.])(?:{words})(?![\w/])", re.IGNORECASE) for route, words in _WRITTEN.items()}

ROUTES = tuple(_WRITTEN)
"""Every route that a ``MedicineLine`` may have; each is also a spelling of itself."""


def find_route(text: str) -> str | None:
    """The route that ``text`` names, of ``ROUTES``; None when it names none."""
    return next((route for route, pattern in _PATTERNS.items() if pattern.search(text)), None)
