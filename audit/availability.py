"""Which of the given IPFS endpoints holds what the chain names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from audit.findings import WhyMissing
from audit.names import Names
from audit.pieces import Fetched, FetchLimits, Pieces
from protocol import ledger_events as ev
from protocol.errors import BlockStoreUnavailableError
from protocol.identifiers import CID, RoundId
from protocol.ledger_events import LocatedEvent
from protocol.ports import BlockStore
from protocol.verdicts import AVAILABILITY_CODES


@dataclass(frozen=True, slots=True)
class NamedContent:
    """A CID on chain and what it is."""

    cid: CID
    what: str
    never_fetched: bool = False
    """Whether it is an update that the aggregators could not get in time, as the verdict on chain says."""


@dataclass(frozen=True, slots=True)
class Availability:
    """Where a piece of content is."""

    content: NamedContent
    held_by: tuple[bool | None, ...]
    """For each endpoint: whether it pins the content; None when it does not answer."""
    num_bytes: int | None
    """Length of the checked bytes; None when they were not read."""
    why_unread: WhyMissing | None
    """Why reading failed, when it was tried and failed."""

    @property
    def there(self) -> bool:
        """Whether somebody says to hold it, or it was read."""
        return self.num_bytes is not None or any(self.held_by)

    @property
    def lost(self) -> bool:
        """Whether it is not there, though it was once."""
        return not self.there and not self.content.never_fetched


def named_contents(events: Iterable[LocatedEvent], names: Names) -> tuple[NamedContent, ...]:
    """Every CID that the chain names, once, in chain order."""
    told = [located.event for located in events]
    unseen = {update for event in told for update in _not_fetched(event)}
    found: dict[CID, NamedContent] = {}
    for event in told:
        never = isinstance(event, ev.UpdateRegistered) and (ev.round_id_of(event), event.index) in unseen
        for cid, what in _named_by(event, names):
            # What one place names in vain, another may have had.
            if cid != CID.zero() and (cid not in found or (found[cid].never_fetched and not never)):
                found[cid] = NamedContent(cid, what, never)
    return tuple(found.values())


def _not_fetched(event: ev.LedgerEvent) -> Iterator[tuple[RoundId, int]]:
    """The updates of a round that the aggregators could not get."""
    if isinstance(event, ev.RoundFinalized | ev.RoundFailed):
        lost = (index for index, code in enumerate(event.codes) if code in AVAILABILITY_CODES)
        yield from ((ev.round_id_of(event), index) for index in lost)


def check_availability(
    contents: Sequence[NamedContent],
    stores: Sequence[BlockStore],
    folder: Path,
    limits: FetchLimits,
    *,
    read: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> Iterator[Availability]:
    """Asks every endpoint for every CID.

    Args:
        contents: From ``named_contents``.
        stores: IPFS endpoints.
        folder: Takes one piece at a time while it is read.
        limits: What may be fetched.
        read: Also read all bytes and check them, which is slower and the only proof: ``held_by`` is a claim.
        progress: Called with the number of contents that are done.

    Raises:
        BlockStoreUnavailableError: While reading, when no endpoint answers at all.
    """
    with ThreadPoolExecutor(max_workers=limits.threads) as pool, Pieces(stores, folder, limits) as pieces:
        for done, content in enumerate(contents):
            held = tuple(pool.map(lambda store, cid=content.cid: _holds(store, cid), stores))
            num_bytes = why = None
            if read:
                pieces.begin(content.cid, doubtful=content.never_fetched)
                got = pieces.get(content.cid)
                num_bytes, why = (got.num_bytes, None) if isinstance(got, Fetched) else (None, got.why)
                pieces.let_go(content.cid)
            progress(done + 1)
            yield Availability(content, held, num_bytes, why)


def _holds(store: BlockStore, cid: CID) -> bool | None:
    try:
        return store.holds(cid)
    except BlockStoreUnavailableError:
        return None


def _named_by(event: ev.LedgerEvent, names: Names) -> Iterator[tuple[CID, str]]:
    match event:
        case ev.AuditorKeyPublished():
            yield event.key_cid, f"auditor's key of epoch {event.epoch}"
        case ev.LineageCreated():
            yield event.model_cid, f"genesis model of {names.label(event.lineage_id)}"
        case ev.RoundKeyAnnounced():
            yield event.key_cid, f"round key of {names.label(event.aggregator_id)}, {_place(event, names)}"
        case ev.RoundOpened():
            yield event.plan_cid, f"plan, {_place(event, names)}"
        case ev.UpdateRegistered():
            yield event.envelope_cid, f"update {event.index} of {names.label(event.site_id)}, {_place(event, names)}"
        case ev.RoundFinalized():
            yield event.model_cid, f"global model, {_place(event, names)}"
            yield event.verdicts_cid, f"verdict list, {_place(event, names)}"
        case ev.RoundFailed():
            yield event.verdicts_cid, f"verdict list, {_place(event, names)}"
        case _:
            return


def _place(event: ev.RoundKeyAnnounced | ev.RoundEvent, names: Names) -> str:
    return f"{names.label(event.lineage_id)} round {event.round}"
