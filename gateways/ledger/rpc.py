"""JSON-RPC to one endpoint: single and batched requests, with every failure in the protocol's tree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import requests
from web3 import HTTPProvider
from web3.exceptions import Web3Exception
from web3.types import RPCEndpoint as MethodName

from protocol.errors import LedgerUnavailableError

MAX_BATCH = 100


class RPCRefusedError(LedgerUnavailableError):
    """The endpoint answered with an error.

    Attributes:
        method: The JSON-RPC method.
        message: The endpoint's words.
        revert_data: The contract's revert data, or None when the refusal is the endpoint's own.
    """

    def __init__(self, method: str, error: Any) -> None:
        self.method = method
        self.message = str(error.get("message", error) if isinstance(error, dict) else error)
        self.revert_data = _revert_data(error)
        super().__init__(f"the RPC endpoint refuses {method}: {self.message}", hint="check the endpoint")


class RPCEndpoint:
    """One endpoint.

    Args:
        url: http(s) URL; may hold a key, so only its host is ever shown.
        timeout_seconds: For one request.
    """

    def __init__(self, url: str, *, timeout_seconds: float) -> None:
        parts = urlsplit(url)
        self.shown = f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
        # Retries belong to the caller, who knows which of its steps may be repeated.
        self._provider = HTTPProvider(
            url, request_kwargs={"timeout": timeout_seconds}, exception_retry_configuration=None
        )

    def call(self, method: str, *params: Any) -> Any:
        """The result of one request.

        Raises:
            RPCRefusedError: The endpoint answered with an error.
            LedgerUnavailableError: No usable answer.
        """
        try:
            answer = self._provider.make_request(MethodName(method), list(params))
        except (requests.RequestException, Web3Exception, ValueError) as error:
            raise self._unavailable(error) from error
        return _result(method, answer)

    def batch(self, method: str, params: Sequence[Sequence[Any]]) -> list[Any]:
        """The results of many requests of one method, in order.

        Raises:
            RPCRefusedError: The endpoint answered one with an error.
            LedgerUnavailableError: No usable answer.
        """
        results: list[Any] = []
        for start in range(0, len(params), MAX_BATCH):
            page = [(MethodName(method), list(item)) for item in params[start : start + MAX_BATCH]]
            try:
                answers = self._provider.make_batch_request(page)
            except (requests.RequestException, Web3Exception, ValueError) as error:
                raise self._unavailable(error) from error
            if not isinstance(answers, list) or len(answers) != len(page):
                raise RPCRefusedError(method, answers.get("error") if isinstance(answers, dict) else answers)
            results += [_result(method, answer) for answer in answers]
        return results

    def _unavailable(self, error: Exception) -> LedgerUnavailableError:
        # The library's message may quote the whole URL, and with it a key.
        return LedgerUnavailableError(
            f"no answer from the RPC endpoint {self.shown} ({type(error).__name__})",
            hint="check that the chain runs and that the URL is right",
        )


def quantity(value: Any) -> int:
    """The integer of a JSON-RPC quantity.

    Raises:
        LedgerUnavailableError: Not a quantity.
    """
    try:
        return int(value, 16)
    except (TypeError, ValueError) as error:
        raise LedgerUnavailableError(f"the RPC endpoint answers {value!r} for a number") from error


def blob(value: Any) -> bytes:
    """The bytes of JSON-RPC data.

    Raises:
        LedgerUnavailableError: Not data.
    """
    try:
        return bytes.fromhex(value.removeprefix("0x"))
    except (AttributeError, ValueError) as error:
        raise LedgerUnavailableError(f"the RPC endpoint answers {value!r} for bytes") from error


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
    if isinstance(data, str) and data.startswith("0x"):
        return blob(data)
    return None
