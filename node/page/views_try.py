"""Trying the model on a new page: nothing of it is stored, and nothing of it trains."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.exceptions import HTTPException
from starlette.responses import Response

from node.data.explanation_picture import explanation_png
from node.page.access import Submission, Visitor, submission, visitor
from node.page.screens import show
from node.page.sentences import flag_sentence
from node.page.views_import import largest_upload
from node.store.users import Role
from protocol.errors import ConfigError

router = APIRouter()

Reviewer = Annotated[Visitor, Depends(visitor(Role.REVIEWER))]


@router.get("/try")
def try_form(visitor: Reviewer) -> Response:
    """The form."""
    return show(visitor, "try.html", file="", tried=None, flag=flag_sentence)


@router.post("/try")
def try_page(
    submitted: Annotated[Submission, Depends(submission(Role.REVIEWER, max_bytes=largest_upload))],
) -> Response:
    """Reads a page with the model in use, and shows where it looked."""
    found = submitted.visitor
    uploads = submitted.form.uploads("file")
    if not uploads:
        raise ConfigError("there is no file to read", hint="choose one, or take a photograph")
    upload, as_word = uploads[0], submitted.form.text("words") == "yes"
    if not found.office.tries.acquire(blocking=False):
        raise HTTPException(429, "other pages are being tried: try this one again in a minute")
    try:
        # On the one worker: two engines at once would take twice the memory.
        tried = found.office.worker.submit(found.parts.read, upload.name, upload.content, as_word).result()
        drawn = (explanation_png([("", one.explanation)]) for one in tried)
        pictures = found.office.try_pictures.keep(found.user.user_id, drawn)
    finally:
        found.office.tries.release()
    found.note("try")
    return show(found, "try.html", file=upload.name, tried=list(zip(tried, pictures, strict=True)), flag=flag_sentence)


@router.get("/try/pictures/{name}")
def try_picture(visitor: Reviewer, name: str) -> Response:
    """Where the model saw each letter of one word that this user tried."""
    png = visitor.office.try_pictures.of(visitor.user.user_id, name)
    if png is None:
        raise HTTPException(404, "the picture was forgotten: try the page again")
    return Response(png, media_type="image/png")
