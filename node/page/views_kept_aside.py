"""Files that could not be imported: why, and whether somebody tries again or lets them go."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends
from starlette.exceptions import HTTPException
from starlette.responses import Response

from node.page.access import Submission, Visitor, submission, visitor
from node.page.forms import Upload
from node.page.screens import go_to, show
from node.store.local_store import check_patient
from node.store.quarantine import QuarantinedFile, forget_quarantined, quarantined_files
from node.store.users import Role
from protocol.errors import ConfigError

if TYPE_CHECKING:
    from node.data.intake import FileReport
    from node.page.parts import PageParts

router = APIRouter()

Importer = Annotated[Visitor, Depends(visitor(Role.OPERATOR, Role.REVIEWER))]
Importers = Annotated[Submission, Depends(submission(Role.OPERATOR, Role.REVIEWER))]


@router.get("/import/kept-aside")
def kept_aside(visitor: Importer) -> Response:
    """Everything that was kept aside, newest first."""
    parts = visitor.parts
    days = parts.settings.intake.quarantine_days
    return show(visitor, "kept_aside.html", files=kept_files(parts)[::-1], days=days)


@router.post("/import/kept-aside/{kept_id}/again")
def again(submitted: Importers, kept_id: str) -> Response:
    """Queues the kept copy once more, for the patient whom the form names."""
    found, form = submitted.visitor, submitted.form
    office, parts = found.office, found.parts
    patient, file = check_patient(form.text("patient")), _known(found, kept_id)
    if file.kept is None:
        raise ConfigError("no copy of this file was kept", hint="send the file itself again")
    if not office.in_flight.take(parts.limits.max_bytes):
        raise HTTPException(429, "too much is being sent at once: try it again in a minute")
    try:
        upload = Upload(file.file_name, parts.quarantine.read(file.kept.file_id, file.kept.key))
        after = partial(_settle, parts, file, patient)
        office.imports.add(upload, patient, single_words=form.text("words") == "yes", after=after)
    finally:
        office.in_flight.give_back(parts.limits.max_bytes)
    found.note("retry", file.quarantine_id)
    return go_to("/import#uploads")


@router.post("/import/kept-aside/{kept_id}/drop")
def drop(submitted: Importers, kept_id: str) -> Response:
    """Deletes the kept copy and what is written about it."""
    found = submitted.visitor
    file = _known(found, kept_id)
    _forget(found.parts, file)
    found.note("drop", file.quarantine_id)
    return go_to("/import/kept-aside")


def kept_files(parts: PageParts) -> tuple[QuarantinedFile, ...]:
    """Everything that was kept aside, oldest first."""
    with parts.store.read() as transaction:
        return quarantined_files(transaction)


def _settle(parts: PageParts, file: QuarantinedFile, patient: str, report: FileReport) -> None:
    """Drops a file of which everything came in, and one that now is kept aside under another patient."""
    if not report.kept_aside or patient != file.patient:
        _forget(parts, file)


def _forget(parts: PageParts, file: QuarantinedFile) -> None:
    with parts.store.write() as transaction:
        forget_quarantined(transaction, [file.quarantine_id])
    parts.quarantine.remove(file.quarantine_id)


def _known(visitor: Visitor, kept_id: str) -> QuarantinedFile:
    found = next((file for file in kept_files(visitor.parts) if file.quarantine_id.hex() == kept_id), None)
    if found is None:
        raise HTTPException(404, "this file is not kept aside any more")
    return found
