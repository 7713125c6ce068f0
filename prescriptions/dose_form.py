"""Dose forms: the abbreviations of prescribers and the long names of product lists, as one small vocabulary."""

from __future__ import annotations

import re

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
_LETTERS = re.compile(r"[a-z]+")


def parse_form(word: str) -> str | None:
    """The dose form that one written word means, with or without a full stop; None for any other word."""
    return _FORM_BY_WORD.get(word.strip(" .:,;()-").lower())


def split_form_prefix(word: str) -> tuple[str, str] | None:
    """Splits ``Tab.Napa`` or ``T.Napa`` into a form and the rest; None when no form with a full stop leads the word."""
    head, dot, rest = word.partition(".")
    form = {"t": "tablet", "c": "capsule"}.get(head.lower()) or parse_form(head)
    return (form, rest) if dot and form and len(_LETTERS.findall(rest.lower())) > 0 else None


def same_form(one: str, other: str) -> bool:
    """Whether two forms may stand for each other: prescribers write syrup for every oral liquid."""
    return one == other or (one in _LIQUIDS and other in _LIQUIDS)
