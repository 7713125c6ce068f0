"""What every request passes: who is asked (Host), who asks, and the headers of every answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

from gateways.loopback import is_loopback

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS: Final = {
    # No script at all: nothing that a name on the chain or in a file could start.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), microphone=(), camera=(), payment=(), usb=()",
}
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})


class Shield:
    """Refuses what no screen of the explorer would ask, before any view runs.

    Args:
        app: The application behind it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = _refusal(scope)
        if scope["method"] == "HEAD":
            # Every screen answers GET alone; the server leaves the body of what it answers to HEAD away.
            scope = {**scope, "method": "GET"}
        await (self._app if refusal is None else refusal)(scope, receive, send_with_headers)


def _refusal(scope: Scope) -> PlainTextResponse | None:
    headers = Headers(scope=scope)
    # A name of somebody else's that leads to this machine is a rebound one.
    if not is_loopback(_hostname(headers.get("host", ""))):
        return PlainTextResponse("The explorer is not known by this name.\n", status_code=421)
    if scope["method"] not in _SAFE_METHODS:
        return PlainTextResponse("The explorer only shows.\n", status_code=405, headers={"Allow": "GET, HEAD"})
    if headers.get("sec-fetch-site") in {"cross-site", "same-site"} and headers.get("sec-fetch-mode") != "navigate":
        return PlainTextResponse("Another page asked for this.\n", status_code=403)
    return None


def _hostname(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""
