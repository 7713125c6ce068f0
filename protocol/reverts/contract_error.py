"""What all refusals of the contract have in common: they are sentences made from their Solidity arguments."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import IntEnum
from typing import ClassVar

from protocol.errors import FederationError, TransactionRevertedError
from protocol.identifiers import AccountAddress

_TIMES = frozenset({"deadline", "attest_by", "latest", "valid_until", "timestamp"})


@dataclass(eq=False)
class ContractError(TransactionRevertedError):
    """The contract refused with an error of its own."""

    what_happened: ClassVar[str] = ""
    what_to_do: ClassVar[str] = ""

    def __post_init__(self) -> None:
        shown = {field.name: _shown(field.name, getattr(self, field.name)) for field in fields(self)}
        FederationError.__init__(self, self.what_happened.format(**shown), hint=self.what_to_do)


def _shown(name: str, value: object) -> object:
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, AccountAddress):
        return str(value)
    if isinstance(value, bytes):
        return f"0x{value.hex()[:8]}…"
    if isinstance(value, int) and name in _TIMES:
        # Past the year 9999 a time has no calendar form.
        return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%dT%H:%M:%SZ}" if value < 253_402_300_800 else str(value)
    return value
