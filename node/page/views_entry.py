"""Log-in, log-out and the first screen."""

from __future__ import annotations

from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from node.consent.due import due
from node.page.access import Office, Submission, Visitor, office_of, submission, visitor
from node.page.forms import MAX_FIELDS_BYTES, read_form
from node.page.limits import LOG_IN, LOG_IN_AS
from node.page.rounds_view import lineage_screens
from node.page.screens import go_to, show, show_outside
from node.page.views_kept_aside import kept_files
from node.store.users import Role
from protocol.consent_receipt import DAY_SECONDS

logger = structlog.get_logger(__name__)
router = APIRouter()

_DUE_DAYS = 30
_LONGEST_NAME = 64
"""Characters of a user's name; more are not kept for counting."""


@router.get("/login")
def log_in_form(request: Request) -> Response:
    """The form."""
    return show_outside(office_of(request).templates, "login.html", trouble="")


@router.post("/login")
async def log_in(request: Request) -> Response:
    """Takes name, password and code."""
    office = office_of(request)
    asker = request.client.host if request.client else ""
    if not office.limits.allow(LOG_IN, asker):
        return _refused(office, "Too many tries from here: wait five minutes.", 429)
    form = await read_form(request, MAX_FIELDS_BYTES)
    name, password, code = form.text("name"), form.secret("password"), form.text("code")
    asker_as = f"{asker} {name[:_LONGEST_NAME]}"
    user = None
    if office.limits.allow(LOG_IN_AS, asker_as):
        user = await run_in_threadpool(office.door.log_in, name, password, code, office.parts.now())
    if user is None:
        logger.warning("page.log_in_refused")
        return _refused(office, "Name, password or code is wrong. After five wrong tries wait 15 minutes.", 403)
    # A ward behind one address logs in as often as it needs.
    office.limits.give_back(LOG_IN, asker)
    office.limits.give_back(LOG_IN_AS, asker_as)
    logger.info("page.logged_in", user=user.user_id.hex()[:8])
    response = go_to("/")
    office.let_in(user, response)
    return response


@router.post("/logout")
def log_out(submitted: Annotated[Submission, Depends(submission())]) -> Response:
    """Ends the session."""
    office, request = submitted.visitor.office, submitted.visitor.request
    office.sessions.end(request.cookies.get(office.cookie, ""))
    response = go_to("/login")
    response.delete_cookie(office.cookie, path="/", secure=office.secure, httponly=True, samesite="strict")
    return response


@router.get("/")
def home(visitor: Annotated[Visitor, Depends(visitor())]) -> Response:
    """What waits for this user."""
    parts, now = visitor.parts, visitor.parts.now()
    words = parts.review.waiting() if visitor.has(Role.REVIEWER) else ()
    receipts = parts.consent.receipts() if visitor.has(Role.CONSENT_OFFICER) else ()
    return show(
        visitor,
        "home.html",
        words=len(words),
        pages=len({word.page_id for word in words}),
        in_force=len({item.patient_id for item in receipts if item.in_force(now)}),
        due=len(due(receipts, parts.settings.consent.purpose, now, now + _DUE_DAYS * DAY_SECONDS)),
        kept_aside=len(kept_files(parts)) if visitor.has(Role.OPERATOR, Role.REVIEWER) else 0,
        lineages=lineage_screens(parts),
        roles=Role,
    )


def _refused(office: Office, trouble: str, status: int) -> Response:
    return show_outside(office.templates, "login.html", status=status, trouble=trouble)
