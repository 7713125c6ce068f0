"""Reviewed pages as CSV, a row for each medicine (docs/spec/prescription.md, section 3)."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from prescriptions.export.inert import inert

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prescriptions.export.records import ReviewedPage

COLUMNS = (
    "patient", "hospital", "file", "page", "medicine", "generic", "strength", "form", "route", "frequency",
    "duration_days", "quantity", "as_needed", "instructions", "flags",
)  # fmt: skip


def export_csv(pages: Iterable[ReviewedPage]) -> bytes:
    """The pages as CSV with a header line, UTF-8; lists are separated by ``|``.

    A text that a spreadsheet would compute begins with an apostrophe: a name or a file may have been made to trick it.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for page in pages:
        for medicine in page.medicines:
            line = medicine.line
            read = (
                line.generic,
                line.strength,
                line.form,
                line.route,
                line.frequency,
                line.duration_days,
                line.quantity,
            )
            row = (
                page.patient, page.hospital, page.file, str(page.page), medicine.name,
                *("" if value is None else str(value) for value in read),
                "yes" if line.as_needed else "no", "|".join(line.instructions), "|".join(line.flags),
            )  # fmt: skip
            writer.writerow(map(inert, row))
    return stream.getvalue().encode("utf-8")
