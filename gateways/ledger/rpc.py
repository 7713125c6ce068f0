"""JSON-RPC to one endpoint: single and batched requests, with every failure in the protocol's tree."""

from __future__ import annotations

import json
import reprlib
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from gateways.ledger import answers
from gateways.rpc_url import origin_of, proxies_to
from protocol.canonical_json import check_depth
from protocol.errors import LedgerUnavailableError, MalformedError
from protocol.foreign_text import one_line

MAX_BATCH = 100
MAX_ANSWER_BYTES = 32 << 20
"""Of the smallest JSON values these are gigabytes of objects; logs and receipts are asked for in pages."""
MAX_ANSWER_DEPTH = 32
_READ_BYTES = 1 << 20
_PATIENCE = 4
"""How many times longer than until its first byte a whole answer may take."""
_MAX_MESSAGE_CHARACTERS = 500


class RPCRefusedError(LedgerUnavailableError):
    """The endpoint answered with an error.

    Attributes:
        method: The JSON-RPC method.
        message: The endpoint's words, in one line.
        revert_data: The contract's revert data, or None when the refusal is the endpoint's own.
    """

    def __init__(self, method: str, error: Any) -> None:
        said = error.get("message") if isinstance(error, dict) else error
        words = said if isinstance(said, str) else reprlib.repr(error)
        self.method = method
        self.message = " ".join(one_line(words, _MAX_MESSAGE_CHARACTERS).split())
        self.revert_data = _revert_data(error)
        super().__init__(f"the RPC endpoint refuses {method}: {self.message}", hint="check the endpoint")


class RPCEndpoint:
    """One endpoint; safe to share between threads.

    Args:
        url: http(s) URL; may hold a key, so only its host is ever shown.
        timeout_seconds: Until an answer begins, and between two parts of it; the whole may take four times as long.

    Raises:
        ConfigError: Not such a URL.
    """

    def __init__(self, url: str, *, timeout_seconds: float) -> None:
        self.shown = origin_of(url)
        self._url = url
        self._proxies = proxies_to(url)
        self._timeout_seconds = timeout_seconds
        self._of_thread = threading.local()

    def call(self, method: str, *params: Any) -> Any:
        """The result of one request.

        Raises:
            RPCRefusedError: The endpoint answered with an error.
            LedgerUnavailableError: No usable answer.
        """
        with self._translated():
            answer = self._request(method, list(params))
        return _result(method, answer)

    def batch(self, method: str, params: Sequence[Sequence[Any]]) -> list[Any]:
        """The results of many requests of one method, in order.

        Raises:
            RPCRefusedError: The endpoint answered one with an error.
            LedgerUnavailableError: No usable answer.
        """
        results: list[Any] = []
        for start in range(0, len(params), MAX_BATCH):
            page = [_body(method, item, number) for number, item in enumerate(params[start : start + MAX_BATCH])]
            with self._translated():
                found = self._post(method, page)
            if not isinstance(found, list):
                _result(method, found)
                raise LedgerUnavailableError(f"the RPC endpoint answers many {method} with one")
            # Answers come in any order.
            by_id = {answer["id"]: answer for answer in found if isinstance(answer, dict) and _has_number(answer)}
            results += [_result(method, by_id.get(number)) for number in range(len(page))]
        return results

    def _request(self, method: str, params: list[Any]) -> Any:
        return self._post(method, _body(method, params, 1))

    def _post(self, method: str, body: Any) -> Any:
        if not hasattr(self._of_thread, "session"):
            self._of_thread.session = requests.Session()
        session: requests.Session = self._of_thread.session
        deadline = time.monotonic() + _PATIENCE * self._timeout_seconds
        # Retries belong to the caller, who knows which of its steps may be repeated.
        with session.post(
            self._url,
            json=body,
            timeout=self._timeout_seconds,
            stream=True,
            allow_redirects=False,
            proxies=self._proxies,
        ) as response:
            response.raise_for_status()
            answer = bytearray()
            # What has come, however little: an endpoint that trickles must not hold a reader for ever.
            while piece := response.raw.read1(_READ_BYTES, decode_content=True):
                answer += piece
                if len(answer) > MAX_ANSWER_BYTES:
                    raise RPCRefusedError(method, f"the answer is longer than {MAX_ANSWER_BYTES} bytes")
                if time.monotonic() > deadline:
                    raise requests.ReadTimeout("the answer trickles in too slowly")
        check_depth(bytes(answer), MAX_ANSWER_DEPTH)
        return json.loads(answer)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (requests.RequestException, HTTPError) as error:
            raise self._unanswered(error) from error
        except (MalformedError, ValueError) as error:
            raise self._unavailable(f"what answers at {self.shown} speaks no JSON-RPC") from error

    def _unanswered(self, error: Exception) -> LedgerUnavailableError:
        # The library's message may quote the whole URL, and with it a key.
        return self._unavailable(f"no answer from the RPC endpoint {self.shown} ({type(error).__name__})")

    def _unavailable(self, what: str) -> LedgerUnavailableError:
        return LedgerUnavailableError(what, hint="check that the chain runs and that the URL is right")


def _body(method: str, params: Sequence[Any], number: int) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}


def _has_number(answer: dict[str, Any]) -> bool:
    return isinstance(answer.get("id"), int)


def _result(method: str, answer: Any) -> Any:
    if not isinstance(answer, dict):
        raise LedgerUnavailableError(f"the RPC endpoint answers {method} with no JSON-RPC")
    if answer.get("error") is not None:
        raise RPCRefusedError(method, answer["error"])
    if "result" not in answer:
        raise LedgerUnavailableError(f"the RPC endpoint answers {method} with no JSON-RPC")
    return answer["result"]


def _revert_data(error: Any) -> bytes | None:
    """Chains nest it differently: ``error.data`` is the hex, or an object that holds it as ``data``."""
    data = error.get("data") if isinstance(error, dict) else None
    if isinstance(data, dict):
        data = data.get("data")
    try:
        return answers.blob(data)
    except LedgerUnavailableError:
        return None
