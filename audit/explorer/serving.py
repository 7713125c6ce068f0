"""The explorer's process: a port of this machine, and of no other."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

import uvicorn

from gateways.stopping import stoppable
from protocol.errors import ConfigError

if TYPE_CHECKING:
    from fastapi import FastAPI

HOST: Final = "127.0.0.1"
_GRACE_SECONDS = 3


def check_free(port: int) -> None:
    """Looks whether the port can be listened on, before a chain is read for it.

    Raises:
        ConfigError: It is taken.
    """
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
    except OSError as error:
        raise ConfigError(
            f"the explorer cannot listen on {HOST}:{port} ({error.strerror})", hint="choose another with --port"
        ) from error


def serve(app: FastAPI, port: int) -> None:
    """Serves until SIGTERM or SIGINT."""
    config = uvicorn.Config(
        app,
        host=HOST,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    with stoppable():
        # The server ends what it serves at a signal, and then raises the signal again.
        uvicorn.Server(config).run()
