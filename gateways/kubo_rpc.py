"""The Kubo RPC through ``ipfshttpclient``, with its traps in one place and no exception of its own let out.

Its traps: ``connect`` insists on Kubo below 0.9, so the client is built directly; errors met while a body streams
come out as those of requests or urllib3; and it reads a body of any length to its end, however slowly that comes, so an
endpoint that lies could fill the memory or stall for good. Only the upload goes through it therefore; what an endpoint
answers is read through requests, one system call at a time, with a bound and a deadline.
"""

from __future__ import annotations

import contextlib
import json
import time
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import ipfshttpclient
import requests
import urllib3.exceptions
from ipfshttpclient import exceptions as ipfs_errors

from gateways.kubo_endpoint import parse_endpoint
from protocol.canonical_json import MAX_DEPTH, check_depth
from protocol.errors import BlockStoreUnavailableError, MalformedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_CONNECT_SECONDS: Final = 5.0
_QUICK_SECONDS: Final = 30.0
_GRACE_SECONDS: Final = 2.0
_PART_BYTES: Final = 1 << 16
_MAX_ANSWER_BYTES: Final = 4 << 20
"""Of what is no content; thousands of peers fit."""


class RPCRefusedError(Exception):
    """The endpoint answered with an error of its own; never leaves ``gateways``."""


class RPCDeadlineError(Exception):
    """The endpoint took the request and did not answer in time; never leaves ``gateways``."""


@dataclass(frozen=True, slots=True)
class KuboIdentity:
    """Who answers at the endpoint."""

    peer_id: str
    addresses: tuple[str, ...]
    """Multiaddresses with /p2p/ID at which peers reach it."""
    agent_version: str


class KuboRPC:
    """Calls of one Kubo RPC endpoint. Thread-safe; every call ends by a time-out.

    Args:
        url: ``http://127.0.0.1:5001``, ``https://ipfs.example:443`` or a multiaddress ending in /http or /https.
        before_call: Sees to it that there is somebody to call; its errors are those of the call.

    Raises:
        ConfigError: The URL is none of these, or carries a password.
    """

    def __init__(self, url: str, *, before_call: Callable[[], None] = lambda: None) -> None:
        self.url = url
        self._before_call = before_call
        self._endpoint = parse_endpoint(url)
        # ipfshttpclient passes an argument that urllib3 2 ignores and warns about at every connection.
        warnings.filterwarnings("ignore", message="The 'strict' parameter is no longer needed", category=FutureWarning)
        self._client = ipfshttpclient.Client(self._endpoint.multiaddr, timeout=(_CONNECT_SECONDS, _QUICK_SECONDS))

    def identity(self) -> KuboIdentity:
        """Peer id, addresses and version."""
        with self._translated():
            answer = self._answer("id")
            return KuboIdentity(
                str(answer["ID"]), tuple(answer["Addresses"] or ()), str(answer.get("AgentVersion", "unknown"))
            )

    def add(self, path: Path, *, timeout_seconds: float) -> str:
        """Streams a file to the endpoint, pinned, in the profile of docs/spec/cid.md; returns the CID's text."""
        with self._translated():
            answer = self._client.add(
                str(path),
                cid_version=0,
                chunker="size-262144",
                raw_leaves=False,
                pin=True,
                timeout=(_CONNECT_SECONDS, timeout_seconds),
            )
            return str(answer["Hash"])

    def cat(self, cid: str, *, offset: int, length: int, timeout_seconds: float) -> bytes:
        """A range of content, fewer bytes only at its end; at most one byte more is read from a lying endpoint."""
        options = {"arg": cid, "offset": str(offset), "length": str(length), "timeout": _duration(timeout_seconds)}
        with self._translated():
            return self._read("cat", options, length, timeout_seconds)

    def _read(self, command: str, options: Mapping[str, str], max_bytes: int, timeout_seconds: float) -> bytes:
        """An answer's bytes; at most some parts more than ``max_bytes``, and then the rest is not waited for."""
        deadline = time.monotonic() + timeout_seconds + _GRACE_SECONDS
        read = bytearray()
        with self._post(command, options, timeout_seconds) as response:
            # Without decoding: a compressed answer would be longer than what was counted.
            while part := response.raw.read1(_PART_BYTES, decode_content=False):
                read += part
                if len(read) > max_bytes:
                    break
                if time.monotonic() > deadline:
                    raise RPCDeadlineError("the answer trickles in too slowly")
        return bytes(read)

    def _answer(self, command: str, timeout_seconds: float = _QUICK_SECONDS, **options: str) -> dict[str, Any]:
        """What a command answers in JSON; KeyError and TypeError where it is something else than a caller looks for."""
        data = self._read(command, options, _MAX_ANSWER_BYTES, timeout_seconds)
        try:
            check_depth(data, MAX_DEPTH)
            answer: dict[str, Any] = json.loads(data)
        except (ValueError, MalformedError) as error:
            raise self._unavailable("answers something else than Kubo does") from error
        return answer

    @contextlib.contextmanager
    def _post(self, command: str, options: Mapping[str, str], timeout_seconds: float) -> Iterator[requests.Response]:
        with requests.Session() as session:
            session.trust_env = not self._endpoint.is_loopback  # no site proxy stands between a machine and itself
            with session.post(
                f"{self._endpoint.base_url}/api/v0/{command}",
                params=options,
                headers={"Accept-Encoding": "identity"},
                stream=True,
                allow_redirects=False,
                timeout=(_CONNECT_SECONDS, timeout_seconds + _GRACE_SECONDS),
            ) as response:
                if response.status_code == requests.codes.internal_server_error:
                    raise RPCRefusedError(_message(response.raw.read1(_PART_BYTES)))
                if response.status_code != requests.codes.ok:
                    raise self._unavailable(f"answers with status {response.status_code}")
                yield response

    def pin_add(self, cid: str, *, timeout_seconds: float) -> None:
        """Fetches and pins all of a CID."""
        with self._translated():
            self._answer("pin/add", timeout_seconds, arg=cid, timeout=_duration(timeout_seconds))

    def pin_remove(self, cid: str) -> None:
        """Lets a pin go."""
        with self._translated():
            self._answer("pin/rm", arg=cid)

    def is_pinned(self, cid: str) -> bool:
        """Whether the endpoint pins this CID as a root."""
        try:
            with self._translated():
                return cid in self._answer("pin/ls", arg=cid, type="recursive")["Keys"]
        except RPCRefusedError as error:
            if "not pinned" in str(error):
                return False
            raise

    def swarm_peers(self) -> tuple[str, ...]:
        """Connected peers as multiaddresses with /p2p/ID."""
        with self._translated():
            peers: list[dict[str, Any]] = self._answer("swarm/peers")["Peers"] or []
            return tuple(f"{peer['Addr']}/p2p/{peer['Peer']}" for peer in peers)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        self._before_call()
        try:
            yield
        except ipfs_errors.ErrorResponse as error:
            raise RPCRefusedError(str(error.args[0]) if error.args else "no reason given") from error
        except ipfs_errors.TimeoutError as error:
            if error.args and isinstance(error.args[0], requests.ConnectTimeout):
                raise self._unavailable("does not answer") from error
            raise RPCDeadlineError(f"no answer from {self.url} in time") from error
        except requests.ConnectTimeout as error:
            raise self._unavailable("does not answer") from error
        except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
            raise RPCDeadlineError(f"no more content from {self.url} in time") from error
        except (ipfs_errors.CommunicationError, requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise self._unavailable("does not answer as Kubo does") from error
        except (ipfs_errors.DecodingError, KeyError, TypeError) as error:
            raise self._unavailable("answers something else than Kubo does") from error

    def _unavailable(self, what: str) -> BlockStoreUnavailableError:
        return BlockStoreUnavailableError(
            f"the IPFS endpoint {self.url} {what}", hint="is it running, and is the URL that of its RPC (port 5001)?"
        )


def _message(body: bytes) -> str:
    try:
        check_depth(body, MAX_DEPTH)
        return str(json.loads(body)["Message"])
    except (ValueError, KeyError, TypeError, MalformedError):
        return "no reason given"


def _duration(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"
