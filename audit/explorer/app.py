"""The application: the views, and what is answered when something is wrong."""

from __future__ import annotations

from importlib import resources
from threading import Lock
from typing import TYPE_CHECKING, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from audit.accuracy import NO_SCORES
from audit.explorer import views_lineage, views_overview, views_proofs, views_round, views_tx
from audit.explorer.screens import Explorer, explorer_of, make_templates, show
from audit.explorer.shield import Shield
from audit.explorer.transactions import TransactionReader
from gateways.ledger.block_reader import BlockReader
from protocol.errors import AuditError, ConfigError, FederationError, MalformedError

if TYPE_CHECKING:
    from starlette.responses import Response

    from audit.accuracy import Accuracy
    from audit.explorer.chronicle import Chronicle
    from audit.names import Names
    from gateways.ledger.rpc import RPCEndpoint

logger = structlog.get_logger(__name__)

_VIEWS = (views_overview, views_round, views_lineage, views_tx, views_proofs)
_NO_ROUTE: Final = frozenset({"Not Found", "Method Not Allowed"})
"""What the framework says by itself."""
_ASKER_ERRORS = (AuditError, ConfigError, MalformedError)
"""What was asked for is not there; the others are the machine's."""


def build_app(chronicle: Chronicle, endpoint: RPCEndpoint, names: Names, accuracy: Accuracy = NO_SCORES) -> FastAPI:
    """The application over a chronicle that was read.

    Args:
        chronicle: Kept in step with the chain by ``following``.
        endpoint: Of the chain, for one transaction's receipt and for proofs.
        names: Of sites, aggregators and lineages.
        accuracy: What scores files say of the models.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.state.explorer = Explorer(
        chronicle=chronicle,
        names=names,
        accuracy=accuracy,
        transactions=TransactionReader(endpoint),
        blocks=BlockReader(endpoint),
        templates=make_templates(names),
        proving=Lock(),
    )
    for views in _VIEWS:
        app.include_router(views.router)
    app.mount("/static", StaticFiles(directory=str(resources.files("audit.explorer") / "static")))
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_odd_address)
    app.add_exception_handler(FederationError, _on_federation_error)
    app.add_middleware(Shield)
    return app


async def _on_http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = str(error.detail) if isinstance(error, HTTPException) else ""
    what = "there is no screen at this address" if detail in _NO_ROUTE else detail
    return await run_in_threadpool(_trouble, request, status, what, "")


async def _on_odd_address(request: Request, _error: Exception) -> Response:
    return await run_in_threadpool(_trouble, request, 404, "there is no screen at this address", "")


async def _on_federation_error(request: Request, error: Exception) -> Response:
    status = 404 if isinstance(error, _ASKER_ERRORS) else 503
    what = error.what if isinstance(error, FederationError) else ""
    hint = error.hint if isinstance(error, FederationError) else ""
    if status == 503:
        logger.warning("explorer.trouble", error=type(error).__name__)
    return await run_in_threadpool(_trouble, request, status, what, hint)


def _trouble(request: Request, status: int, what: str, hint: str) -> Response:
    explorer = explorer_of(request)
    with explorer.chronicle.seen() as seen:
        return show(explorer, "trouble.html", seen, status=status, what=what, hint=hint)
