"""Everything that left the site, in order: what, bytes, digest, CID, transaction.

Transactions are taken from the chain's event logs, so that a crash between sending and writing a line loses none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from gateways.journal import Journal
    from protocol.canonical_json import JSONValue
    from protocol.history import History
    from protocol.identifiers import CID, Digest, SiteId, TxHash

REVOCATION = "update revocation"
_STREAM = "sent"
_IDENTITY = ("what", "round", "digest", "cid", "tx_hash")


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
    at: int
    """Seconds since 1970 of the transaction's block; 0 when it is not known."""


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
        at: int = 0,
    ) -> None:
        """Adds a line; durable on return. The same thing twice is one line: a crash may repeat the call."""
        line: dict[str, JSONValue] = {
            "what": what,
            "round": round_number,
            "bytes": size_bytes,
            "digest": str(digest or ""),
            "cid": str(cid or ""),
            "tx_hash": str(tx_hash or ""),
            "at": at,
        }
        known = (cast("dict[str, JSONValue]", value) for value in self._journal.lines(_STREAM))
        if all(any(found[name] != line[name] for name in _IDENTITY) for found in known):
            self._journal.append(_STREAM, line)

    def items(self) -> list[SentItem]:
        """All lines, oldest first."""
        return [_parse(value) for value in self._journal.lines(_STREAM)]

    def add_from_chain(self, history: History, site_id: SiteId) -> None:
        """Adds what the chain holds of this site and the list does not, in chain order."""
        known = {(item.what, item.tx_hash) for item in self.items()}
        for (at, tx_hash), fields in sorted(_on_chain(history, site_id).items()):
            if (fields["what"], str(tx_hash)) not in known:
                self.add(**fields, tx_hash=tx_hash, at=at)  # type: ignore[arg-type]
        self._add_revocations(history, site_id)

    def _add_revocations(self, history: History, site_id: SiteId) -> None:
        """Adds revocations whose line a crash lost, without their transactions, which histories do not keep."""
        known = {(item.digest, item.round) for item in self.items() if item.what == REVOCATION}
        for lineage in history.lineages.values():
            for view in lineage.rounds.values():
                mine = view.registration_of(site_id) if view.revoked else None
                if mine is None or mine.event.index not in view.revoked:
                    continue
                if (str(mine.event.envelope_digest), view.opened.round) not in known:
                    self.add(REVOCATION, round_number=view.opened.round, digest=mine.event.envelope_digest)


def _on_chain(history: History, site_id: SiteId) -> dict[tuple[int, TxHash], dict[str, object]]:
    """A site's transactions by time and hash, as the arguments of ``SentLog.add``."""
    found: dict[tuple[int, TxHash], dict[str, object]] = {}
    consent = history.consents.get(site_id)
    if consent is not None:
        for root, at in consent.roots.values():
            found[at.timestamp, at.tx_hash] = {"what": "consent root", "digest": root.root}
        for _, at in consent.withdrawals:
            found[at.timestamp, at.tx_hash] = {"what": "consent withdrawal"}
    for lineage in history.lineages.values():
        for view in lineage.rounds.values():
            mine = view.registration_of(site_id)
            if mine is not None:
                found[mine.position.timestamp, mine.position.tx_hash] = {
                    "what": "update registration",
                    "round_number": view.opened.round,
                    "digest": mine.event.envelope_digest,
                    "cid": mine.event.envelope_cid,
                }
    return found


def _parse(value: JSONValue) -> SentItem:
    fields = cast("dict[str, JSONValue]", value)
    return SentItem(
        what=cast("str", fields["what"]),
        round=cast("int", fields["round"]),
        bytes=cast("int", fields["bytes"]),
        digest=cast("str", fields["digest"]),
        cid=cast("str", fields["cid"]),
        tx_hash=cast("str", fields["tx_hash"]),
        at=cast("int", fields["at"]),
    )
