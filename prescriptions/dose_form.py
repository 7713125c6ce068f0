"""Dose forms: the abbreviations of prescribers and the long names of product lists, as one small vocabulary."""

from __future__ import annotations

from rapidfuzz.distance import Levenshtein

FORMS = (
    "tablet",
    "capsule",
    "syrup",
    "suspension",
    "solution",
    "powder",
    "injection",
    "cream",
    "ointment",
    "gel",
    "lotion",
    "drops",
    "spray",
    "inhaler",
    "patch",
    "suppository",
)
"""Every dose form that a ``MedicineLine`` or a ``Medicine`` may have."""

_ABBREVIATIONS = {
    "tablet": "tab tabs tablet tablets tb tabl",
    "capsule": "cap caps capsule capsules",
    "syrup": "syr syp syrup sy elixir",
    "suspension": "susp suspension",
    "solution": "soln sol solution",
    "powder": "powder pwd sachet sachets",
    "injection": "inj injection injectable vial amp ampoule",
    "cream": "cream crm",
    "ointment": "oint ointment",
    "gel": "gel",
    "lotion": "lotion lot",
    "drops": "drop drops gtt gutt",
    "spray": "spray",
    "inhaler": "inhaler inh mdi rotacap",
    "patch": "patch",
    "suppository": "supp suppository suppositories",
}
_LOOKALIKES = str.maketrans("0l1|5", "oiiis")
_FORM_BY_WORD = {word.translate(_LOOKALIKES): form for form, words in _ABBREVIATIONS.items() for word in words.split()}
_LIQUIDS = frozenset({"syrup", "suspension", "solution"})
_USUAL_LEADS = ("tab", "cap", "syp", "syr", "inj", "oint", "susp")
_LETTERS = {"t": "tablet", "c": "capsule"}


def parse_form(word: str) -> str | None:
    """The dose form that one written word means, with or without a full stop; None for any other word.

    A single T or C means a form only with its full stop. Digits that look like letters are read as such (``1nj``).
    """
    plain = word.strip(" .:,;()-").lower()
    if word.strip().endswith(".") and plain in _LETTERS:
        return _LETTERS[plain]
    digits = sum(character.isdecimal() for character in plain)
    return _FORM_BY_WORD.get(plain.translate(_LOOKALIKES)) if digits * 2 < len(plain) else None


def guess_form(word: str) -> str | None:
    """The form that a misread abbreviation probably means: one letter off, with its full stop (``Tob.``).

    Only for a word that leads a likely medicine name; None when two forms are as near, or none is.
    """
    plain = word.strip(" :,;()-").lower()
    if not plain.endswith(".") or not plain.rstrip(".").isalpha():
        return None
    near = {
        _FORM_BY_WORD[lead.translate(_LOOKALIKES)]
        for lead in _USUAL_LEADS
        if Levenshtein.distance(plain.rstrip("."), lead) == 1
    }
    return near.pop() if len(near) == 1 else None


def same_form(one: str, other: str) -> bool:
    """Whether two forms may stand for each other: prescribers write syrup for every oral liquid."""
    return one == other or (one in _LIQUIDS and other in _LIQUIDS)
