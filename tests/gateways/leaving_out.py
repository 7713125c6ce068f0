"""An RPC endpoint in front of another one that leaves out some event logs and is honest otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests

from tests.gateways.json_rpc_server import JSONRPCServer


class LeavesOut(JSONRPCServer):
    """A context manager.

    Args:
        url: The honest endpoint.
        hidden: Whether a log, as JSON-RPC tells it, is left out; may be changed while it serves.
    """

    def __init__(self, url: str, hidden: Callable[[dict[str, Any]], bool]) -> None:
        super().__init__()
        self.behind = url
        self.hidden = hidden

    def reply(self, question: Any) -> Any:
        answer = requests.post(self.behind, json=question, timeout=60).json()
        if isinstance(question, dict) and question["method"] == "eth_getLogs" and "result" in answer:
            answer["result"] = [log for log in answer["result"] if not self.hidden(log)]
        return answer


def nothing(_: dict[str, Any]) -> bool:
    """Leaves out no log."""
    return False


def at(block_number: int, log_index: int) -> Callable[[dict[str, Any]], bool]:
    """Leaves out one log."""
    place = block_number, log_index
    return lambda log: (int(log["blockNumber"], 16), int(log["logIndex"], 16)) == place
