"""Trying the model on a new page: nothing of it is stored, and nothing of it trains."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.exceptions import HTTPException
from starlette.responses import Response

from node.page.access import Submission, Visitor, submission, visitor
from node.page.screens import show
from node.page.sentences import flag_sentence
from node.page.views_import import largest_upload
from node.store.users import Role
from protocol.errors import ConfigError

router = APIRouter()


@router.get("/try")
def try_form(visitor: Annotated[Visitor, Depends(visitor(Role.REVIEWER))]) -> Response:
    """The form."""
    return show(visitor, "try.html", file="", readings=None, flag=flag_sentence)


@router.post("/try")
def try_page(
    submitted: Annotated[Submission, Depends(submission(Role.REVIEWER, max_bytes=largest_upload))],
) -> Response:
    """Reads a page with the model in use."""
    found = submitted.visitor
    uploads = submitted.form.uploads("file")
    if not uploads:
        raise ConfigError("there is no file to read", hint="choose one, or take a photograph")
    upload, as_word = uploads[0], submitted.form.text("words") == "yes"
    if not found.office.tries.acquire(blocking=False):
        raise HTTPException(429, "other pages are being tried: try this one again in a minute")
    try:
        # On the one worker: two engines at once would take twice the memory.
        readings = found.office.worker.submit(found.parts.read, upload.name, upload.content, as_word).result()
    finally:
        found.office.tries.release()
    found.note("try")
    return show(found, "try.html", file=upload.name, readings=readings, flag=flag_sentence)
