"""What every event log of a contract keeps, whatever it is about: blocks in order, and no empty value."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import get_type_hints

from protocol import ledger_events as ev
from protocol.ledger_events import LocatedEvent, Position
from protocol.ports import ChainIdentity

_MAY_BE_EMPTY = frozenset(
    {
        # The zero account stands before the first governor.
        (ev.GovernorChanged, "previous_governor"),
        # The contract believes the auditor's word about the lineage.
        (ev.AuditorKeyUsed, "lineage_id"),
        # A strategy without state has none to name.
        (ev.RoundFinalized, "state_digest"),
    }
)


def event_faults(before: Position | None, located: LocatedEvent, identity: ChainIdentity) -> Iterator[str]:
    """What an event's place or its empty values break, in words; nothing when all is as it must be.

    Args:
        before: Where the event before it is; None for the first.
        located: The event.
        identity: The deployment.
    """
    event, at = located.event, located.position
    if before is None:
        yield from _first_faults(located, identity)
    else:
        yield from _block_faults(before, at)
    for name in _never_empty()[type(event)]:
        if not any(getattr(event, name)):
            yield f"an event {type(event).__name__} has no {name.replace('_', ' ')}"


@cache
def _never_empty() -> dict[type, tuple[str, ...]]:
    """For each kind of event, its ids, digests and addresses that the contract does not let be zero."""
    return {kind: tuple(_ids(kind)) for kind in ev.LedgerEvent.__args__}


def _ids(kind: type) -> Iterator[str]:
    for name, hint in get_type_hints(kind, vars(ev)).items():
        # Plain bytes are verdict codes, of which a round may have none.
        is_id = isinstance(hint, type) and issubclass(hint, bytes) and hint is not bytes
        if is_id and (kind, name) not in _MAY_BE_EMPTY:
            yield name


def _first_faults(located: LocatedEvent, identity: ChainIdentity) -> Iterator[str]:
    if located.position.block_number < identity.deployment_block_number:
        yield "the logs begin before the contract's deployment"
    if not isinstance(located.event, ev.GovernorChanged):
        yield "the logs do not begin with the contract's first governor: logs are missing"


def _block_faults(before: Position, at: Position) -> Iterator[str]:
    if at.block_number == before.block_number:
        if (at.block_hash, at.timestamp) != (before.block_hash, before.timestamp):
            yield f"block {at.block_number} has two hashes or two times"
        return
    if at.timestamp < before.timestamp:
        yield f"block {at.block_number} is older than block {before.block_number} before it"
    if at.block_hash == before.block_hash or at.tx_hash == before.tx_hash:
        yield f"blocks {before.block_number} and {at.block_number} are one block, or hold one transaction"
