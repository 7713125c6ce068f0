"""How a medicine is taken, as HL7 FHIR R4B Dosage elements (https://hl7.org/fhir/R4B/dosage.html)."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from prescriptions.as_needed import AS_NEEDED
from prescriptions.duration import duration_text
from prescriptions.frequency import DAY_HOURS
from prescriptions.instructions import instruction_text

if TYPE_CHECKING:
    from prescriptions.frequency import Frequency
    from prescriptions.understand import MedicineLine

_SLOTS = {3: ("MORN", "NOON", "NIGHT"), 4: ("MORN", "NOON", "EVE", "NIGHT")}
_WHEN = {"om": "MORN", "hs": "HS"}
_COUNTABLE = frozenset({"tablet", "capsule", "suppository", "patch"})
_UNITS = ((30 * DAY_HOURS, "mo"), (7 * DAY_HOURS, "wk"), (DAY_HOURS, "d"), (1, "h"))


def dosage_of(line: MedicineLine) -> list[dict[str, Any]]:
    """The dosage instructions of a line; empty when it says nothing of the kind.

    Slots that hold different doses (``1+0+½``) become one instruction for each dose, in order.
    """
    shared = _shared(line)
    timed = [_without_nothing({**shared, **part}) for part in _timed(line)] or ([shared] if shared else [])
    return [{"sequence": number, **part} for number, part in enumerate(timed, 1)] if len(timed) > 1 else timed


def _shared(line: MedicineLine) -> dict[str, Any]:
    parts = [str(line.frequency)] if line.frequency else []
    parts += [f"for {duration_text(line.duration_days)}"] if line.duration_days else []
    parts += [AS_NEEDED] if line.as_needed else []
    parts += [instruction_text(code) for code in line.instructions]
    return _without_nothing(
        {
            "text": ", ".join(parts),
            "additionalInstruction": [{"text": instruction_text(code)} for code in line.instructions],
            "asNeededBoolean": line.as_needed or None,
            "route": {"text": line.route} if line.route else None,
        }
    )


def _timed(line: MedicineLine) -> list[dict[str, Any]]:
    bounds = {}
    if line.duration_days:
        bounds["boundsDuration"] = {
            "value": line.duration_days, "unit": "day", "system": "http://unitsofmeasure.org", "code": "d",
        }  # fmt: skip
    frequency = line.frequency
    if frequency is not None and frequency.slot_quarters:
        return [_slot_dose(frequency, quarters, line.form, bounds) for quarters in _doses(frequency)]
    repeat = {**(_repeat(frequency) if frequency else {}), **bounds}
    return [{"timing": {"repeat": repeat}}] if repeat else []


def _repeat(frequency: Frequency) -> dict[str, Any]:
    if frequency.times is None or frequency.period_hours is None:
        return {"count": 1} if frequency.text == "stat" else {}
    hours, unit = next((hours, unit) for hours, unit in _UNITS if frequency.period_hours % hours == 0)
    when = _WHEN.get(frequency.text)
    repeat = {"frequency": frequency.times, "period": frequency.period_hours // hours, "periodUnit": unit}
    return {**repeat, "when": [when]} if when else repeat


def _doses(frequency: Frequency) -> list[int]:
    return [quarters for quarters, _ in groupby(sorted(filter(None, frequency.slot_quarters), reverse=True))]


def _slot_dose(frequency: Frequency, quarters: int, form: str | None, bounds: dict[str, Any]) -> dict[str, Any]:
    names = _SLOTS[len(frequency.slot_quarters)]
    when = [name for name, slot in zip(names, frequency.slot_quarters, strict=True) if slot == quarters]
    dose = {"value": quarters // 4 if quarters % 4 == 0 else quarters / 4, "unit": form if form in _COUNTABLE else None}
    return {
        "timing": {"repeat": {"frequency": len(when), "period": 1, "periodUnit": "d", "when": when, **bounds}},
        "doseAndRate": [{"doseQuantity": _without_nothing(dose)}],
    }


def _without_nothing(fields: dict[str, Any]) -> dict[str, Any]:
    """FHIR has no empty elements: what is not known is left out."""
    return {name: value for name, value in fields.items() if value not in (None, "", [])}
