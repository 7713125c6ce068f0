"""The application: what the views share, the views, and what is answered when something is wrong."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from importlib import resources
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog
from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles

from node.page import (
    views_account,
    views_consent,
    views_data,
    views_duplicates,
    views_entry,
    views_import,
    views_kept_aside,
    views_review,
    views_rounds,
    views_sent,
    views_try,
)
from node.page.access import Office, visitor_of
from node.page.import_queue import ImportQueue
from node.page.limits import ByteBudget, RateLimits
from node.page.page_pictures import PagePictures
from node.page.screens import go_to, make_templates, show, show_outside, wants_fragment
from node.page.sentences import hint_sentence
from node.page.sessions import Sessions
from node.page.shield import Shield
from node.page.try_pictures import TryPictures
from node.page.users import Door
from protocol.errors import (
    ConfigError,
    ConsentError,
    FederationError,
    KeyRingError,
    LearningError,
    PrescriptionError,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from node.page.parts import PageParts

logger = structlog.get_logger(__name__)

_WAITING_UPLOADS = 4
_FORMS_IN_FLIGHT = 2
"""Of the largest; of small ones many more."""
_TRIES_AT_ONCE = 2
_SWEEP_SECONDS = 30.0
_NO_ROUTE = frozenset({"Not Found", "Method Not Allowed"})
"""What the framework says by itself."""
_NOWHERE = "there is no screen at this address"
_VIEWS = (
    views_entry,
    views_account,
    views_import,
    views_kept_aside,
    views_review,
    views_duplicates,
    views_consent,
    views_data,
    views_rounds,
    views_sent,
    views_try,
)
_ASKER_ERRORS = (ConfigError, ConsentError, KeyRingError, LearningError, PrescriptionError)
"""Whoever asks can mend these; the others are the machine's."""


def build_app(parts: PageParts, *, hosts: Collection[str], secure: bool) -> FastAPI:
    """The application of an open site.

    Args:
        parts: The site.
        hosts: Names and addresses by which the page may be asked for, lower-case.
        secure: Whether it is served over TLS.
    """
    limits = RateLimits(time.monotonic)
    pictures = PagePictures(parts.store, parts.originals, parts.limits, time.monotonic)
    try_pictures = TryPictures(time.monotonic)
    worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="page-worker")

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(_sweep(pictures, try_pictures))
        yield
        sweeping.cancel()
        with suppress(asyncio.CancelledError):
            await sweeping
        # What waits is sent again; what is being imported is finished or, after a kill, begun anew.
        worker.shutdown(wait=False, cancel_futures=True)

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.state.office = Office(
        parts=parts,
        sessions=Sessions(),
        limits=limits,
        door=Door(parts.store, parts.password_cost),
        templates=make_templates(parts.settings.site),
        imports=ImportQueue(parts.store, parts.intake, worker, parts.now, _WAITING_UPLOADS * parts.limits.max_bytes),
        pictures=pictures,
        worker=worker,
        in_flight=ByteBudget(_FORMS_IN_FLIGHT * views_import.largest_form(parts.limits)),
        tries=threading.BoundedSemaphore(_TRIES_AT_ONCE),
        try_pictures=try_pictures,
        secure=secure,
    )
    for views in _VIEWS:
        app.include_router(views.router)
    # The letters of the printed consent: a machine without fonts of its own shows Bangla too.
    app.mount("/static/fonts", StaticFiles(directory=str(resources.files("node.consent.print") / "fonts")))
    app.mount("/static", StaticFiles(directory=str(resources.files("node.page") / "static")))
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(FederationError, _on_federation_error)
    app.add_middleware(Shield, hosts=hosts, limits=limits)
    return app


async def _sweep(*kept: PagePictures | TryPictures) -> None:
    while True:
        await asyncio.sleep(_SWEEP_SECONDS)
        for pictures in kept:
            await run_in_threadpool(pictures.forget_old)


async def _on_http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 401 and not wants_fragment(request):
        return go_to("/login")
    detail = error.detail if isinstance(error, HTTPException) else ""
    detail = _NOWHERE if detail in _NO_ROUTE else detail
    return await _trouble(request, status, f"{detail[:1].upper()}{detail[1:]}.", "")


async def _on_federation_error(request: Request, error: Exception) -> Response:
    status = 400 if isinstance(error, _ASKER_ERRORS) else 503
    what = error.what if isinstance(error, FederationError) else ""
    hint = error.hint if isinstance(error, FederationError) else ""
    if status == 503:
        logger.warning("page.trouble", error=type(error).__name__)
    return await _trouble(request, status, f"{what[:1].upper()}{what[1:]}.", hint_sentence(hint))


async def _trouble(request: Request, status: int, what: str, hint: str) -> Response:
    if wants_fragment(request):
        return JSONResponse({"trouble": f"{what} {hint}".strip()}, status_code=status)
    visitor = await run_in_threadpool(visitor_of, request)
    if visitor is None:
        templates = request.app.state.office.templates
        return show_outside(templates, "trouble.html", status=status, what=what, hint=hint, back="/")
    return show(visitor, "trouble.html", status=status, what=what, hint=hint, back=_came_from(request))


def _came_from(request: Request) -> str:
    """The screen of ours with the form that was not taken, or the first one."""
    try:
        came = urlsplit(request.headers.get("referer", ""))
    except ValueError:
        return "/"
    itself = request.method == "GET" and came.path == request.url.path
    if itself or came.netloc != request.headers.get("host") or came.path.startswith("//"):
        return "/"
    return f"{came.path}?{came.query}" if came.query else came.path or "/"
