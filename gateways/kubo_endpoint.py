"""Where a Kubo RPC answers, written as a URL or as a multiaddress."""

from __future__ import annotations

import ipaddress
import re
import urllib.parse
from dataclasses import dataclass
from typing import Final

from gateways.loopback import is_loopback
from protocol.errors import ConfigError

_MULTIADDRESS: Final = re.compile(r"/(?:ip4|ip6|dns|dns4|dns6)/([^/]+)/tcp/(\d{1,5})/(https?)")


@dataclass(frozen=True, slots=True)
class KuboEndpoint:
    """Scheme, host and port of an RPC."""

    scheme: str
    host: str
    """A name or an address; an IPv6 address without brackets."""
    port: int

    @property
    def base_url(self) -> str:
        """As a URL without a path."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def multiaddr(self) -> str:
        """As a multiaddress."""
        address = _address(self.host)
        protocol = f"ip{address.version}" if address is not None else "dns"
        return f"/{protocol}/{self.host}/tcp/{self.port}/{self.scheme}"

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine."""
        return is_loopback(self.host)


def parse_endpoint(text: str) -> KuboEndpoint:
    """Parses ``http://127.0.0.1:5001`` or ``/ip4/127.0.0.1/tcp/5001/http``.

    Raises:
        ConfigError: Neither of the two, or with a password in it.
    """
    matched = _MULTIADDRESS.fullmatch(text)
    if matched is not None:
        text = f"{matched[3]}://{f'[{matched[1]}]' if ':' in matched[1] else matched[1]}:{matched[2]}"
    try:
        parts = urllib.parse.urlsplit(text)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError as error:
        raise _no_endpoint() from error
    if parts.username is not None or parts.password is not None:
        raise ConfigError("the IPFS URL carries a password", hint="put the RPC behind a tunnel or proxy instead")
    if not port or not parts.hostname or parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise _no_endpoint()
    if parts.scheme not in {"http", "https"}:
        raise _no_endpoint()
    return KuboEndpoint(parts.scheme, parts.hostname, port)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _no_endpoint() -> ConfigError:
    return ConfigError("the IPFS URL is not that of a Kubo RPC", hint="write for example http://127.0.0.1:5001")
