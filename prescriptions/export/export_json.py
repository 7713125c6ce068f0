"""Reviewed pages as JSON (docs/spec/prescription.md, section 3)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prescriptions.export.records import ReviewedMedicine, ReviewedPage

EXPORT_VERSION = 1


def export_json(pages: Iterable[ReviewedPage]) -> bytes:
    """The pages as one JSON object, UTF-8, keys sorted."""
    value = {
        "format": "fedrx-prescriptions",
        "version": EXPORT_VERSION,
        "pages": [
            {
                "patient": page.patient,
                "hospital": page.hospital or None,
                "file": page.file,
                "page": page.page,
                "medicines": [_medicine(medicine) for medicine in page.medicines],
            }
            for page in pages
        ],
    }
    return (json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode("utf-8")


def _medicine(medicine: ReviewedMedicine) -> dict[str, object]:
    line = medicine.line
    frequency = line.frequency
    return {
        "id": str(medicine.request_id),
        "name": medicine.name,
        "generic": line.generic,
        "strength": None if line.strength is None else str(line.strength),
        "form": line.form,
        "route": line.route,
        "frequency": None
        if frequency is None
        else {
            "text": frequency.text,
            "times": frequency.times,
            "period_hours": frequency.period_hours,
            "slot_quarters": list(frequency.slot_quarters),
        },
        "duration_days": line.duration_days,
        "quantity": None if line.quantity is None else {"count": line.quantity.count, "unit": line.quantity.unit},
        "as_needed": line.as_needed,
        "instructions": list(line.instructions),
        "flags": list(line.flags),
    }
