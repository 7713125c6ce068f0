"""The URL of a chain's RPC endpoint."""

from __future__ import annotations

from urllib.parse import urlsplit

from gateways.loopback import is_loopback
from protocol.errors import ConfigError


def origin_of(url: str) -> str:
    """Scheme, host and port: all of an RPC URL that may be shown, for the rest may hold a key.

    Raises:
        ConfigError: Not an http(s) URL.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not url.isprintable() or " " in url:
        host = None
    if host is None or parts.scheme not in {"http", "https"}:
        raise ConfigError("the RPC URL is none", hint="write for example http://127.0.0.1:8545")
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port else "")


def proxies_to(url: str) -> dict[str, str] | None:
    """What ``requests`` is told about proxies: to this machine itself none, elsewhere what the environment says.

    Args:
        url: One that ``origin_of`` takes.
    """
    return {"http": "", "https": ""} if is_loopback(urlsplit(url).hostname or "") else None
