"""A user's own account: another password."""

from __future__ import annotations

from typing import Annotated

import structlog
from fastapi import APIRouter, Depends
from starlette.responses import Response

from node.page.access import Submission, Visitor, submission, visitor
from node.page.limits import LOG_IN_AS
from node.page.screens import go_to, show
from node.page.users import MIN_PASSWORD_CHARACTERS
from protocol.errors import ConfigError

logger = structlog.get_logger(__name__)
router = APIRouter()


@router.get("/account")
def account(visitor: Annotated[Visitor, Depends(visitor())], changed: str = "") -> Response:
    """Who is logged in, and the form."""
    return _screen(visitor, changed=bool(changed))


@router.post("/account/password")
def change_password(submitted: Annotated[Submission, Depends(submission())]) -> Response:
    """Takes another password: other browsers are logged out, this one stays."""
    found, form = submitted.visitor, submitted.form
    office, new = found.office, form.secret("new")
    if new != form.secret("again"):
        return _screen(found, status=400, trouble="The new password was typed in two ways.")
    asker = f"{found.request.client.host if found.request.client else ''} {found.user.name}"
    if not office.limits.allow(LOG_IN_AS, asker):
        return _screen(found, status=429, trouble="Too many tries: wait 15 minutes.")
    try:
        user = office.door.change_password(
            found.user.name, form.secret("old"), form.text("code"), new, found.parts.now()
        )
    except ConfigError as error:
        office.limits.give_back(LOG_IN_AS, asker)
        return _screen(found, status=400, trouble=f"{error.what[:1].upper()}{error.what[1:]}: {error.hint}.")
    if user is None:
        logger.warning("page.password_refused", user=found.user.user_id.hex()[:8])
        return _screen(found, status=403, trouble="The old password or the code is wrong, or the code was used before.")
    office.limits.give_back(LOG_IN_AS, asker)
    found.note("password")
    office.sessions.end(found.request.cookies.get(office.cookie, ""))
    response = go_to("/account?changed=yes")
    office.let_in(user, response)
    return response


def _screen(visitor: Visitor, *, status: int = 200, trouble: str = "", changed: bool = False) -> Response:
    return show(
        visitor, "account.html", status=status, trouble=trouble, changed=changed, shortest=MIN_PASSWORD_CHARACTERS
    )
