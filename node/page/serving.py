"""The page's process: where it listens, whether that is allowed, and uvicorn."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn

from gateways.data_folder import store_error
from gateways.loopback import is_loopback
from gateways.stopping import stoppable
from node.page.app import build_app
from node.page.certificate import CERTIFICATE_FILE, KEY_FILE, fingerprint, names_of
from protocol.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from gateways.data_folder import DataFolder
    from node.page.parts import PageParts
    from node.settings import PageSettings

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")
_GRACE_SECONDS = 3


@dataclass(frozen=True, slots=True)
class Binding:
    """Where the page listens."""

    host: str
    port: int
    certificate: Path | None
    key: Path | None
    hosts: tuple[str, ...]
    """Names by which it may be asked for."""
    fingerprint: str
    """Of the certificate; empty without TLS."""

    @property
    def url(self) -> str:
        """What to type into a browser on this machine, or on another when it listens for others."""
        scheme = "http" if self.certificate is None else "https"
        outside = [name for name in self.hosts if name not in LOOPBACK_NAMES]
        name = self.host if is_loopback(self.host) or not outside else outside[0]
        return f"{scheme}://{f'[{name}]' if ':' in name else name}:{self.port}/"


def binding_of(bind: str, settings: PageSettings, folder: DataFolder) -> Binding:
    """Where to listen: any address but loopback needs TLS.

    Args:
        bind: ``host:port``.
        settings: Of the page.
        folder: Where ``--make-certificate`` puts certificate and key, which are taken when the settings name none.

    Raises:
        ConfigError: No address, a certificate without a key, or another address than loopback without TLS.
    """
    host, port = split_address(bind)
    certificate, key = settings.certificate, settings.key
    if (certificate is None) is not (key is None):
        raise ConfigError("a certificate goes with its key", hint="set both page.certificate and page.key, or neither")
    if certificate is None and (folder / CERTIFICATE_FILE).exists():
        certificate, key = folder / CERTIFICATE_FILE, folder / KEY_FILE
    if certificate is None:
        if not is_loopback(host):
            raise ConfigError(
                f"without TLS the page listens on loopback only, not on {host}",
                hint="fedrx node page --make-certificate, or set page.certificate and page.key",
            )
        return Binding(host, port, None, None, (*LOOPBACK_NAMES, host.lower()), "")
    pem = _read(certificate)
    names = tuple(name.lower() for name in names_of(pem))
    return Binding(host, port, certificate, key, (*names, *LOOPBACK_NAMES), fingerprint(pem))


def serve(parts: PageParts, binding: Binding) -> None:
    """Serves the page until SIGTERM or SIGINT.

    Args:
        parts: The site.
        binding: Where.

    Raises:
        ConfigError: The port is taken, or the address is not one of this machine.
    """
    _check_free(binding)
    app = build_app(parts, hosts=binding.hosts, secure=binding.certificate is not None)
    config = uvicorn.Config(
        app,
        host=binding.host,
        port=binding.port,
        ssl_certfile=binding.certificate,
        ssl_keyfile=binding.key,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    with stoppable():
        # The server ends what it serves at a signal, and then raises the signal again.
        uvicorn.Server(config).run()


def split_address(bind: str) -> tuple[str, int]:
    """Host and port of ``host:port``; an IPv6 address stands in brackets.

    Raises:
        ConfigError: Not of this form.
    """
    host, colon, port = bind.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 1 << 16:
        raise ConfigError(f"{bind!r} is no address to listen on", hint="write it as 127.0.0.1:8443")
    return host, int(port)


def _check_free(binding: Binding) -> None:
    family = socket.AF_INET6 if ":" in binding.host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((binding.host, binding.port))
    except OSError as error:
        raise ConfigError(
            f"the page cannot listen on {binding.host}:{binding.port} ({error.strerror})",
            hint="choose another with --bind",
        ) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise store_error(error, path) from error
