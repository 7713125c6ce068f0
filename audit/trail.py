"""The audit trail: what happened, in chain order, as rows that can be shown and exported."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from audit.names import Names
from audit.sentences import moment, sentence_of
from protocol.canonical_json import JSONValue
from protocol.identifiers import CID, AccountAddress
from protocol.ledger_events import LedgerEvent, LocatedEvent

_WORD = re.compile(r"(?<!^)(?=[A-Z])")


def kind_of(event: type[LedgerEvent] | LedgerEvent) -> str:
    """The kind of an event in lower-case words, such as ``update-registered``."""
    name = event.__name__ if isinstance(event, type) else type(event).__name__
    return _WORD.sub("-", name).lower()


KINDS = tuple(sorted(kind_of(kind) for kind in LedgerEvent.__args__))
"""All kinds of events."""


@dataclass(frozen=True, slots=True)
class TrailRow:
    """One event of the trail."""

    located: LocatedEvent
    kind: str
    sentence: str
    site: str | None
    """Label of the site that the event is about."""
    lineage: str | None
    round: int | None
    contract: AccountAddress | None = None
    """The older deployment whose event it is; None for the one that was asked about."""

    @property
    def when(self) -> str:
        """The block's time, UTC."""
        return moment(self.located.position.timestamp)

    def as_json(self) -> dict[str, JSONValue]:
        """The row for another program: labels, the sentence, and every field of the event."""
        position, event = self.located.position, self.located.event
        return {
            "block_number": position.block_number,
            "log_index": position.log_index,
            "block_hash": str(position.block_hash),
            "tx_hash": str(position.tx_hash),
            "timestamp": position.timestamp,
            "time": self.when,
            "kind": self.kind,
            "site": self.site,
            "lineage": self.lineage,
            "round": self.round,
            "older_contract": None if self.contract is None else str(self.contract),
            "sentence": self.sentence,
            "event": event_fields(event),
        }


def event_fields(event: LedgerEvent) -> dict[str, JSONValue]:
    """Every field of an event for another program; numbers that do not fit a double are hex text."""
    return {name: _json(getattr(event, name)) for name in event.__dataclass_fields__}


def trail(events: Iterable[LocatedEvent], names: Names, contract: AccountAddress | None = None) -> Iterator[TrailRow]:
    """The rows of events, in their order.

    Args:
        events: Of one deployment.
        names: Labels.
        contract: Said of each row when they are an older deployment's.
    """
    for located in events:
        event = located.event
        site, lineage = getattr(event, "site_id", None), getattr(event, "lineage_id", None)
        yield TrailRow(
            located,
            kind_of(event),
            sentence_of(event, names),
            None if site is None else names.label(site),
            None if lineage is None else names.label(lineage),
            getattr(event, "round", None),
            contract,
        )


def _json(value: object) -> JSONValue:
    if isinstance(value, CID) and not any(value):
        return None
    if isinstance(value, bytes):
        # Identifiers write themselves; plain bytes are verdict codes.
        return value.hex() if type(value) is bytes else str(value)
    if isinstance(value, tuple):
        return [_json(item) for item in value]
    if isinstance(value, int):
        # A uint256 does not fit the numbers that every JSON reader keeps.
        return value if abs(value) < 2**53 else hex(value)
    raise TypeError(type(value))
