"""Everything that left the site, in order: what, bytes, digest, CID, transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from gateways.journal import Journal
from protocol.canonical_json import JSONValue
from protocol.identifiers import CID, Digest, TxHash

_STREAM = "sent"


@dataclass(frozen=True, slots=True)
class SentItem:
    """One thing that left."""

    what: str
    round: int
    """0 when it belongs to no round."""
    bytes: int
    """Bytes given to IPFS; 0 when only digests went to the chain."""
    digest: str
    """0x-hex, or empty."""
    cid: str
    tx_hash: str


class SentLog:
    """The list, kept in the journal; it only grows."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def add(
        self,
        what: str,
        *,
        round_number: int = 0,
        size_bytes: int = 0,
        digest: Digest | None = None,
        cid: CID | None = None,
        tx_hash: TxHash | None = None,
    ) -> None:
        """Adds a line; durable on return. The same line twice is one: a crash may repeat the call."""
        line: dict[str, JSONValue] = {
            "what": what,
            "round": round_number,
            "bytes": size_bytes,
            "digest": str(digest or ""),
            "cid": str(cid or ""),
            "tx_hash": str(tx_hash or ""),
        }
        if line not in self._journal.lines(_STREAM):
            self._journal.append(_STREAM, line)

    def items(self) -> list[SentItem]:
        """All lines, oldest first."""
        return [_parse(value) for value in self._journal.lines(_STREAM)]


def _parse(value: JSONValue) -> SentItem:
    fields = cast("dict[str, JSONValue]", value)
    return SentItem(
        what=cast("str", fields["what"]),
        round=cast("int", fields["round"]),
        bytes=cast("int", fields["bytes"]),
        digest=cast("str", fields["digest"]),
        cid=cast("str", fields["cid"]),
        tx_hash=cast("str", fields["tx_hash"]),
    )
