"""What the coordinator works with: the ports, and the little machines on top of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from aggregator.fetcher import Fetcher
from aggregator.round_files import RoundFiles
from aggregator.settings import AggregatorSettings
from gateways.journal import Journal
from gateways.outbox import Outbox
from protocol.history import History
from protocol.identifiers import AccountAddress, AggregatorId
from protocol.ports import BlockStore, Ledger


class Secrets(Protocol):
    """The key ring, as far as a round needs it."""

    def names(self) -> tuple[str, ...]:
        """Names of all secrets."""

    def get(self, name: str) -> bytes:
        """One secret."""

    def put(self, name: str, secret: bytes) -> None:
        """Keeps a secret; durable on return."""

    def delete(self, name: str) -> None:
        """Shreds a secret."""


@dataclass(frozen=True, slots=True)
class Parts:
    """An aggregator's parts."""

    settings: AggregatorSettings
    ledger: Ledger
    block_store: BlockStore
    secrets: Secrets
    journal: Journal
    files: RoundFiles
    fetcher: Fetcher
    outbox: Outbox

    @property
    def me(self) -> AggregatorId:
        """This aggregator's id."""
        return self.settings.aggregator_id


def admission_obstacle(history: History, me: AggregatorId, account: AccountAddress | None) -> str | None:
    """Why a process cannot act for its aggregator now, or None.

    Args:
        history: The network.
        me: The aggregator.
        account: That signs; None when only the chain is asked.
    """
    admitted = history.aggregators.get(me)
    if admitted is None:
        return "the governor has not admitted this aggregator"
    if account is not None and admitted.account != account:
        return f"this aggregator's account on chain is {admitted.account}, this process signs as {account}"
    members = history.aggregator_set
    if members is None or me not in members.aggregator_ids:
        return "this aggregator is not in the current set"
    return None
