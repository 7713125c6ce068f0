"""Who asks, and whether they may: what every view depends on."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import cast

from fastapi import Request
from jinja2 import Environment
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response

from node.page.forms import MAX_FIELDS_BYTES, Form, read_form
from node.page.import_queue import ImportQueue
from node.page.limits import UPLOAD, ByteBudget, RateLimits
from node.page.page_pictures import PagePictures
from node.page.parts import PageParts
from node.page.screens import wants_fragment
from node.page.sessions import Session, Sessions
from node.page.try_pictures import TryPictures
from node.page.users import Door
from node.store.users import Role, StoredUser, add_act, user_of

CSRF_FIELD = "csrf"


@dataclass(frozen=True, slots=True)
class Office:
    """What the views of one running page share."""

    parts: PageParts
    sessions: Sessions
    limits: RateLimits
    door: Door
    templates: Environment
    imports: ImportQueue
    pictures: PagePictures
    worker: ThreadPoolExecutor
    """One thread for what takes seconds."""
    in_flight: ByteBudget
    """Of forms with files that are being received or looked at."""
    tries: threading.BoundedSemaphore
    """Of the model: each one waits for the worker."""
    try_pictures: TryPictures
    secure: bool
    """Whether the page is served over TLS."""

    @property
    def cookie(self) -> str:
        """The session's cookie; over TLS browsers bind the prefixed name to this host and path."""
        return "__Host-fedrx-session" if self.secure else "fedrx-session"

    def let_in(self, user: StoredUser, response: Response) -> None:
        """Begins a session of a user in the browser that gets this answer."""
        token = self.sessions.begin(user.user_id, user.version, self.parts.now())
        response.set_cookie(self.cookie, token, path="/", secure=self.secure, httponly=True, samesite="strict")


@dataclass(frozen=True, slots=True)
class Visitor:
    """A logged-in user and where they are."""

    request: Request
    office: Office
    session: Session
    user: StoredUser

    @property
    def parts(self) -> PageParts:
        """The site."""
        return self.office.parts

    def has(self, *roles: Role) -> bool:
        """Whether the user has one of these roles."""
        return not self.user.roles.isdisjoint(roles)

    def note(self, kind: str, about: bytes | None = None) -> None:
        """Writes into the log what the user did; durable on return."""
        with self.parts.store.write() as transaction:
            add_act(transaction, self.user.user_id, kind, about, self.parts.now())


@dataclass(frozen=True, slots=True)
class Submission:
    """A form that a logged-in user sent from a page of ours."""

    visitor: Visitor
    form: Form


def office_of(request: Request) -> Office:
    """What the views share."""
    return cast("Office", request.app.state.office)


def visitor_of(request: Request) -> Visitor | None:
    """The logged-in user who asks; a user who was changed or disabled since the log-in is nobody."""
    office = office_of(request)
    by_person = request.method != "GET" or not wants_fragment(request)
    token = request.cookies.get(office.cookie, "")
    session = office.sessions.find(token, office.parts.now(), by_person=by_person)
    if session is None:
        return None
    with office.parts.store.read() as transaction:
        user = user_of(transaction, session.user_id)
    if user is None or user.disabled or user.version != session.version:
        return None
    return Visitor(request, office, session, user)


def visitor(*roles: Role) -> Callable[[Request], Visitor]:
    """A dependency: a logged-in user with one of these roles; with any role when none is named."""

    def depend(request: Request) -> Visitor:
        found = visitor_of(request)
        if found is None:
            raise HTTPException(401)
        if roles and not found.has(*roles):
            raise HTTPException(403, "your roles do not include this")
        return found

    return depend


def submission(
    *roles: Role, max_bytes: Callable[[Office], int] | None = None
) -> Callable[[Request], AsyncIterator[Submission]]:
    """A dependency: a form of a logged-in user with one of these roles, which carries their session's token.

    Args:
        roles: Any role when none is named.
        max_bytes: Of the whole form, where it has files.
    """
    allowed = visitor(*roles)

    async def depend(request: Request) -> AsyncIterator[Submission]:
        found = await run_in_threadpool(allowed, request)
        office = found.office
        if max_bytes is None:
            yield await _read(found, MAX_FIELDS_BYTES)
            return
        if not office.limits.allow(UPLOAD, found.user.user_id.hex()):
            raise HTTPException(429, "too many uploads: wait some minutes")
        size = _announced(request, max_bytes(office))
        if not office.in_flight.take(size):
            raise HTTPException(429, "too much is being sent at once: send it again in a minute")
        try:
            yield await _read(found, size)
        finally:
            office.in_flight.give_back(size)

    return depend


async def _read(found: Visitor, max_bytes: int) -> Submission:
    form = await read_form(found.request, max_bytes)
    if not found.session.takes(form.text(CSRF_FIELD)):
        raise HTTPException(403, "this form is too old: open the page again")
    return Submission(found, form)


def _announced(request: Request, max_bytes: int) -> int:
    """The bytes that a form will have; the most it may have where the browser does not say."""
    announced = request.headers.get("content-length", "")
    if not (announced.isascii() and announced.isdigit()):
        return max_bytes
    if len(announced) > len(str(max_bytes)) or int(announced) > max_bytes:
        raise HTTPException(413, f"more than {max_bytes >> 20} MiB were sent at once")
    return int(announced)
