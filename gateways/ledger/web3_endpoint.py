"""The endpoint that transactions go through: web3's provider.

``web3`` loads for a second, so this module is imported where an account signs; what only reads does without.
"""

from __future__ import annotations

from typing import Any

from web3 import HTTPProvider
from web3.exceptions import Web3Exception
from web3.types import RPCEndpoint as MethodName
from web3.types import RPCResponse

from gateways.ledger.rpc import MAX_ANSWER_DEPTH, RPCEndpoint
from protocol.canonical_json import check_depth


class Web3Endpoint(RPCEndpoint):
    """One endpoint, spoken to by web3.

    Args:
        url: http(s) URL; may hold a key, so only its host is ever shown.
        timeout_seconds: For one request.

    Raises:
        ConfigError: Not such a URL.
    """

    def __init__(self, url: str, *, timeout_seconds: float) -> None:
        super().__init__(url, timeout_seconds=timeout_seconds)
        self._provider = _CarefulProvider(
            url,
            request_kwargs={"timeout": timeout_seconds, "proxies": self._proxies},
            exception_retry_configuration=None,
        )

    def _request(self, method: str, params: list[Any]) -> Any:
        try:
            return self._provider.make_request(MethodName(method), params)
        except Web3Exception as error:
            raise self._unanswered(error) from error


class _CarefulProvider(HTTPProvider):
    """Does not parse what would overflow the stack: a library below web3 lifts the interpreter's recursion limit."""

    @staticmethod
    def decode_rpc_response(raw_response: bytes) -> RPCResponse:
        """Parses an answer.

        Raises:
            MalformedError: It is nested too deep.
        """
        check_depth(raw_response, MAX_ANSWER_DEPTH)
        return HTTPProvider.decode_rpc_response(raw_response)
