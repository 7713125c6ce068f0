"""Pages come in: a form for files and photographs, and what became of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from node.page.access import Office, Submission, Visitor, submission, visitor
from node.page.import_queue import OPEN
from node.page.screens import go_to, show
from node.page.views_kept_aside import kept_files
from node.store.local_store import check_patient
from node.store.users import Role
from prescriptions.load import LoadLimits
from protocol.errors import ConfigError

router = APIRouter()

Importer = Annotated[Visitor, Depends(visitor(Role.OPERATOR, Role.REVIEWER))]
_FORM_BYTES = 1 << 20


def largest_form(limits: LoadLimits) -> int:
    """Bytes: two of the largest files and the form itself."""
    return 2 * limits.max_bytes + _FORM_BYTES


def largest_upload(office: Office) -> int:
    """Of a form, in bytes."""
    return largest_form(office.parts.limits)


@router.get("/import")
def import_form(visitor: Importer) -> Response:
    """The form, and the newest uploads."""
    return _screen(visitor, "import.html")


@router.get("/import/jobs")
def import_jobs(visitor: Importer) -> Response:
    """The part that page.js asks for again and again."""
    return _screen(visitor, "import_jobs.html")


@router.post("/import")
def import_files(
    submitted: Annotated[Submission, Depends(submission(Role.OPERATOR, Role.REVIEWER, max_bytes=largest_upload))],
) -> Response:
    """Queues the files."""
    found, form = submitted.visitor, submitted.form
    patient = check_patient(form.text("patient"))
    uploads = form.uploads("files")
    if not uploads:
        raise ConfigError("there is no file to import", hint="choose one, or take a photograph")
    for upload in uploads:
        found.office.imports.add(upload, patient, single_words=form.text("words") == "yes")
        found.note("import")
    return go_to("/import#uploads")


def _screen(visitor: Visitor, template: str) -> Response:
    return show(
        visitor,
        template,
        jobs=visitor.office.imports.jobs(),
        open_states=OPEN,
        max_bytes=visitor.parts.limits.max_bytes,
        kept_aside=len(kept_files(visitor.parts)),
        reviewer=visitor.has(Role.REVIEWER),
    )
