"""What the contract keeps, in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from protocol import reverts
from protocol.identifiers import CID, AccountAddress, AggregatorId, Digest, SiteId
from protocol.standing import RoundState, SiteStatus


@dataclass
class Site:
    account: AccountAddress
    ordinal: int
    status: SiteStatus = SiteStatus.ACTIVE
    consent_version: int = 0
    min_consent_version: int = 0
    valid_until: dict[int, int] = field(default_factory=dict)
    envelopes: set[Digest] = field(default_factory=set)


@dataclass
class Lineage:
    head_digest: Digest
    genesis_round: int
    last_round: int
    head_round: int


@dataclass
class Round:
    deadline: int
    attest_by: int
    set_version: int
    threshold: int
    min_accepted: int
    selected: frozenset[int]
    recorded: RoundState = RoundState.OPEN
    index_of: dict[SiteId, int] = field(default_factory=dict)
    revoked: int = 0
    voted: set[AggregatorId] = field(default_factory=set)
    votes: dict[Digest, int] = field(default_factory=dict)

    def state(self, now: int) -> RoundState:
        if self.recorded is RoundState.OPEN and (now >= self.deadline or len(self.index_of) == len(self.selected)):
            return RoundState.CLOSED
        return self.recorded


def require(value: bytes | int | CID, name: str) -> None:
    if (not any(value)) if isinstance(value, bytes) else value == 0:
        raise reverts.MissingValueError(name)


def values_of(call: Any) -> list[Any]:
    return [getattr(call, item.name) for item in fields(call)]
