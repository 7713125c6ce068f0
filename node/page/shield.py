"""What every request passes: who is asked (Host), who asks (Origin), how often, and the headers of every answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

from node.page.limits import ANY_REQUEST

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from node.page.limits import RateLimits

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: browsers would then send the origin of a form as "null".
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), microphone=(), camera=(), payment=(), usb=()",
}
_YEAR_SECONDS: Final = 365 * 24 * 3600
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})


class Shield:
    """Refuses what no page of ours would ask, before any view runs.

    Args:
        app: The application behind it.
        hosts: Names and addresses by which the page may be asked for, lower-case: another name is a rebound one.
        limits: Of requests.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str], limits: RateLimits) -> None:
        self._app = app
        self._hosts = frozenset(hosts)
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        secure = scope["scheme"] == "https"

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
                if secure:
                    headers["Strict-Transport-Security"] = f"max-age={_YEAR_SECONDS}"
            await send(message)

        refusal = self._refusal(scope)
        await (self._app if refusal is None else refusal)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        asked = headers.get("host", "")
        if _hostname(f"//{asked}") not in self._hosts:
            return PlainTextResponse("This page is not known by this name.\n", status_code=421)
        if not self._limits.allow(ANY_REQUEST, scope["client"][0] if scope["client"] else ""):
            return PlainTextResponse("Too many requests: wait a minute.\n", status_code=429)
        if scope["method"] not in _SAFE_METHODS and not _same_origin(headers, f"{scope['scheme']}://{asked}"):
            return PlainTextResponse("This form was sent by another page.\n", status_code=403)
        return None


def _same_origin(headers: Headers, own: str) -> bool:
    """Whether a browser says that a page of ours sent the form. One that says nothing still needs the form's token."""
    origin = headers.get("origin")
    if origin is not None and origin.lower() != own.lower():
        return False
    return headers.get("sec-fetch-site", "same-origin") == "same-origin"


def _hostname(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
