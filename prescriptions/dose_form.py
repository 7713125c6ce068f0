"""Dose forms: the abbreviations of prescribers and the long names of product lists, as one small vocabulary."""

from __future__ import annotations

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
_FORM_BY_WORD = {word: form for form, words in _ABBREVIATIONS.items() for word in words.split()}
_LIQUIDS = frozenset({"syrup", "suspension", "solution"})
_LETTERS = {"t": "tablet", "c": "capsule"}


def parse_form(word: str) -> str | None:
    """The dose form that one written word means, with or without a full stop; None for any other word.

    A single T or C means a form only with its full stop.
    """
    plain = word.strip(" .:,;()-").lower()
    if word.strip().endswith(".") and plain in _LETTERS:
        return _LETTERS[plain]
    return _FORM_BY_WORD.get(plain)


def same_form(one: str, other: str) -> bool:
    """Whether two forms may stand for each other: prescribers write syrup for every oral liquid."""
    return one == other or (one in _LIQUIDS and other in _LIQUIDS)
