"""The words of the printed papers, a catalogue a language."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every text of the papers in one language. Texts in braces are filled in."""

    language: str
    """BCP 47 tag."""
    digits: str
    """The ten digits, zero first."""
    months: tuple[str, ...]
    """January first."""
    day_format: str
    receipt_title: str
    waiver_title: str
    agreed_patient: str
    agreed_guardian: str
    agreed_waiver: str
    stays_here: str
    purposes_head: str
    given_by_head: str
    asked_by_head: str
    witness_head: str
    method_head: str
    factor_head: str
    granted_head: str
    expires_head: str
    notice_head: str
    patient_head: str
    notice: str
    ends_by_itself: str
    given_by_patient: str
    given_by_guardian: str
    given_by_waiver: str
    change_title: str
    change: str
    check_title: str
    check: str
    receipt_id_head: str
    fingerprint_head: str
    printed: str
    page: str
    withdrawal_title: str
    withdrawn: str
    from_now_title: str
    from_now: tuple[str, ...]
    before_title: str
    before: str
    before_none: str
    before_unknown: str
    model_head: str
    round_head: str
    samples_head: str
    outcome_head: str
    later_head: str
    in_model: str
    in_no_model: str
    receipts_head: str
    purposes: Mapping[str, str]
    """By DUO code."""
    relations: Mapping[str, str]
    """By relation of a guardian."""
    methods: Mapping[str, str]
    """By method of a receipt."""
    factors: Mapping[str, str]
    """By kind of second factor."""

    def number(self, value: int | str) -> str:
        """A number in the digits of the language."""
        return str(value).translate(str.maketrans("0123456789", self.digits))

    def day(self, day: date) -> str:
        """A date in the words of the language."""
        return self.day_format.format(
            day=self.number(day.day), month=self.months[day.month - 1], year=self.number(day.year)
        )


def shipped_catalogues() -> tuple[str, ...]:
    """Language tags of the catalogues, sorted."""
    files = (resources.files("node.consent.print") / "catalogues").iterdir()
    return tuple(sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")))


def catalogue_for(language: str) -> Catalogue:
    """The catalogue of a language, else the English one; ``bn`` serves for ``bn-BD`` too.

    Args:
        language: BCP 47 tag.
    """
    primary = language.split("-", 1)[0].lower()
    return _load(primary if primary in shipped_catalogues() else "en")


@cache
def _load(language: str) -> Catalogue:
    text = (resources.files("node.consent.print") / "catalogues" / f"{language}.toml").read_text(encoding="utf-8")
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in tomllib.loads(text).items()
    }
    return Catalogue(**values)
