"""A Kubo RPC server as a child process: started, waited for, ended with TERM and then KILL."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Any, Final

import structlog

from protocol.canonical_json import MAX_DEPTH, check_depth
from protocol.errors import BlockStoreUnavailableError, MalformedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_LOG = structlog.get_logger(__name__)
_POLL_SECONDS: Final = 0.05
_TERM_SECONDS: Final = 5.0
_LOG_TAIL_BYTES: Final = 400


class KuboProcess:
    """One child that answers the Kubo RPC on a loopback port.

    Args:
        command: Program and arguments.
        environment: Added to this process's own.
        rpc_port: Where it answers.
        log_path: Takes its output, replaced at each start.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], *, rpc_port: int, log_path: Path
    ) -> None:
        self._command = list(command)
        self._environment = dict(environment)
        self._rpc_port = rpc_port
        self._log_path = log_path
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._child.pid if self._child is not None else None

    @property
    def runs(self) -> bool:
        """Whether it was started and has not ended since."""
        return self._child is not None and self._child.poll() is None

    @property
    def last_words(self) -> str:
        """The end of its output, in one line."""
        tail = self._log_path.read_bytes()[-_LOG_TAIL_BYTES:].decode("utf-8", "replace")
        return " ".join(tail.split()) or "nothing"

    def start(self, timeout_seconds: float) -> dict[str, Any]:
        """Starts the child and waits until it answers.

        Returns:
            Its answer to ``/api/v0/id``.

        Raises:
            BlockStoreUnavailableError: It ended or did not answer in time; it is then gone.
        """
        if rpc_identity(self._rpc_port) is not None:
            raise BlockStoreUnavailableError(
                f"another IPFS process answers on port {self._rpc_port}", hint="stop it, or configure its URL"
            )
        with self._log_path.open("wb") as log:
            self._child = subprocess.Popen(  # noqa: S603 - the program is ours or the operator's ipfs
                self._command,
                env={**os.environ, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the daemon, which ends this child when it is done with it
            )
        ready = False
        try:
            identity = self._wait(timeout_seconds)
            ready = identity is not None
        finally:
            if not ready:
                self.stop()
        if identity is None:
            raise BlockStoreUnavailableError(
                f"the IPFS process did not start, it said: {self.last_words}",
                hint=f"see {self._log_path}",
            )
        _LOG.info("ipfs process ready", rpc_port=self._rpc_port)
        return identity

    def _wait(self, timeout_seconds: float) -> dict[str, Any] | None:
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline and self._child is not None and self._child.poll() is None:
            identity = rpc_identity(self._rpc_port)
            if identity is not None:
                return identity
            time.sleep(_POLL_SECONDS)
        return None

    def stop(self) -> None:
        """Ends the child: TERM, then KILL after five seconds. Not an error when it is gone."""
        child, self._child = self._child, None
        if child is None:
            return
        child.terminate()
        try:
            child.wait(_TERM_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def rpc_identity(rpc_port: int) -> dict[str, Any] | None:
    """What answers ``/api/v0/id`` on a loopback port, or None."""
    connection = http.client.HTTPConnection("127.0.0.1", rpc_port, timeout=2)
    try:
        connection.request("POST", "/api/v0/id")
        response = connection.getresponse()
        body = response.read(1 << 16) if response.status == http.client.OK else b"null"
        check_depth(body, MAX_DEPTH)
        answer = json.loads(body)
    except (OSError, http.client.HTTPException, ValueError, MalformedError):
        return None
    finally:
        connection.close()
    return answer if isinstance(answer, dict) and isinstance(answer.get("ID"), str) else None


def free_loopback_port() -> int:
    """A TCP port that is free on 127.0.0.1 at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
