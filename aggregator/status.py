"""How an aggregator stands: every lineage's head, live round and last verdicts, in words; disk and pins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from aggregator.collecting import patience_ends
from aggregator.fetcher import has_arrived
from aggregator.parts import admission_obstacle
from aggregator.round_files import RoundFiles
from aggregator.scheduler import NotYet, next_opening
from aggregator.settings import AggregatorSettings, LineageSettings
from gateways.journal import Journal
from protocol.history import History, LineageView, RoundView
from protocol.identifiers import CID, AggregatorId
from protocol.ledger_events import RoundFailed, RoundFinalized, UpdateRegistered
from protocol.ports import BlockHeader, BlockStore, Ledger
from protocol.verdicts import VerdictCode, explain

RECENT_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class VerdictLine:
    """What became of one registered update."""

    index: int
    site_id: str
    code: str
    sentence: str
    """Why, and what to do."""


@dataclass(frozen=True, slots=True)
class AwaitedUpdate:
    """An update that was registered and has not come here."""

    index: int
    site_id: str
    given_up_at: int
    """Seconds since 1970; until then everybody waits for it."""
    hint: str


@dataclass(frozen=True, slots=True)
class RoundStatus:
    """One round."""

    number: int
    state: str
    deadline: int
    """Seconds since 1970."""
    attest_by: int
    """Seconds since 1970."""
    selected: int
    registered: int
    revoked: int
    votes: int
    own_result: str
    """How this aggregator's own result compares with the one on chain, or where it stands."""
    awaited: tuple[AwaitedUpdate, ...]
    """Empty once the round has an outcome."""
    verdicts: tuple[VerdictLine, ...]
    """Empty until the round has a result."""


@dataclass(frozen=True, slots=True)
class LineageStatus:
    """One lineage."""

    slug: str
    head_round: int | None
    """None while the governor has not created the lineage."""
    head_digest: str
    head_cid: str
    waiting_for: str
    """Why no round is open, or empty."""
    rounds: tuple[RoundStatus, ...]
    """The live one and the last ones, newest first."""


@dataclass(frozen=True, slots=True)
class PinStatus:
    """Whether the block store holds what this aggregator answers for: models, plans, envelopes, verdict lists."""

    held: int
    missing: tuple[str, ...]
    """CIDs."""


@dataclass(frozen=True, slots=True)
class AggregatorStatus:
    """Everything that ``fedrx aggregator status`` shows."""

    aggregator: str
    standing: str
    account: str
    balance_wei: int
    head_block: int
    head_timestamp: int
    lineages: tuple[LineageStatus, ...]
    bytes_used: int
    bytes_free: int
    pins: PinStatus | None
    """None when no block store answers."""


def status_of(
    settings: AggregatorSettings,
    history: History,
    head: BlockHeader,
    ledger: Ledger,
    journal: Journal,
    files: RoundFiles,
    block_store: BlockStore | None,
) -> AggregatorStatus:
    """The status from the chain, the journal, the disk and the block store.

    Raises:
        LedgerUnavailableError: No answer from the RPC endpoint.
        BlockStoreUnavailableError: No answer from IPFS.
    """
    admitted = history.aggregators.get(settings.aggregator_id)
    standing = admission_obstacle(history, settings.aggregator_id, None) or "in the current aggregator set"
    return AggregatorStatus(
        aggregator=settings.aggregator,
        standing=standing,
        account=str(admitted.account) if admitted else "",
        balance_wei=ledger.balance_wei(admitted.account) if admitted else 0,
        head_block=head.number,
        head_timestamp=head.timestamp,
        lineages=tuple(
            _lineage(settings, lineage, history, head.timestamp, journal, files) for lineage in settings.lineages
        ),
        bytes_used=files.bytes_used(),
        bytes_free=files.bytes_free(),
        pins=None if block_store is None else _pins(settings, history, block_store),
    )


def _lineage(
    settings: AggregatorSettings,
    lineage: LineageSettings,
    history: History,
    now: int,
    journal: Journal,
    files: RoundFiles,
) -> LineageStatus:
    view = history.lineages.get(lineage.lineage_id)
    if view is None:
        return LineageStatus(lineage.slug, None, "", "", "the governor has not created this lineage", ())
    waiting_for = ""
    if view.live_round() is None:
        found = next_opening(history, view, lineage, now, require_auditor_key=settings.require_auditor_key)
        waiting_for = found.why if isinstance(found, NotYet) else "the aggregator whose turn it is"
    recent = sorted(view.rounds, reverse=True)[:RECENT_ROUNDS]
    return LineageStatus(
        slug=lineage.slug,
        head_round=view.head_round,
        head_digest=str(view.head_digest),
        head_cid=str(view.head_cid),
        waiting_for=waiting_for,
        rounds=tuple(
            _round(view.rounds[number], settings.aggregator_id, lineage, history, now, journal, files)
            for number in recent
        ),
    )


def _round(
    view: RoundView,
    me: AggregatorId,
    lineage: LineageSettings,
    history: History,
    now: int,
    journal: Journal,
    files: RoundFiles,
) -> RoundStatus:
    verdicts: tuple[VerdictLine, ...] = ()
    fetches = me in history.aggregator_sets[view.opened.aggregator_set_version].aggregator_ids
    if isinstance(view.outcome, RoundFinalized | RoundFailed):
        codes = view.outcome.codes
        verdicts = tuple(
            _verdict(r.event.index, str(r.event.site_id), codes[r.event.index]) for r in view.registrations
        )
    return RoundStatus(
        number=view.opened.round,
        state=view.state(now).name.lower(),
        deadline=view.opened.deadline,
        attest_by=view.opened.attest_by,
        selected=view.selected_count,
        registered=len(view.registrations),
        revoked=len(view.revoked),
        votes=len(view.attestations),
        own_result=_own_result(lineage.slug, view, journal),
        awaited=_awaited(view, lineage, history, files) if view.outcome is None and fetches else (),
        verdicts=verdicts,
    )


def _awaited(
    view: RoundView, lineage: LineageSettings, history: History, files: RoundFiles
) -> tuple[AwaitedUpdate, ...]:
    here = files.envelopes(lineage.slug, view.opened.round)
    return tuple(
        AwaitedUpdate(event.index, str(event.site_id), patience_ends(view, lineage), _why_absent(history, event))
        for event in (registration.event for registration in view.registrations)
        if event.index not in view.revoked and not has_arrived(here / str(event.index))
    )


def _why_absent(history: History, event: UpdateRegistered) -> str:
    if history.sites[event.site_id].suspended:
        return "suspended by the governor: its node may be off"
    return "ask the site whether its node and its IPFS run; the governor can suspend it for coming rounds"


def _verdict(index: int, site_id: str, number: int) -> VerdictLine:
    # The chain stores any byte: a quorum of aggregators of another version may have written one that is not known here.
    if number not in tuple(VerdictCode):
        return VerdictLine(index, site_id, str(number), "a code that this version does not know: update the software")
    code = VerdictCode(number)
    return VerdictLine(index, site_id, code.name, str(explain(code)))


def _own_result(slug: str, view: RoundView, journal: Journal) -> str:
    number = view.opened.round
    compared = cast("dict[str, str | list[str]] | None", journal.get(f"compared/{slug}/{number}"))
    if compared is not None:
        if compared["not_compared"]:
            return f"not compared: {compared['not_compared']}"
        found = ", ".join(compared["differences"])
        return f"DIFFERS from the chain in {found}" if found else "agrees with the chain"
    return "computed" if journal.get(f"result/{slug}/{number}") is not None else "none yet"


def _pins(settings: AggregatorSettings, history: History, block_store: BlockStore) -> PinStatus:
    wanted: set[CID] = set()
    for lineage in settings.lineages:
        view = history.lineages.get(lineage.lineage_id)
        if view is None:
            continue
        wanted.add(view.head_cid)
        for number in sorted(view.rounds, reverse=True)[:RECENT_ROUNDS]:
            wanted |= _contents(view, number)
    missing = sorted(str(cid) for cid in wanted if not block_store.holds(cid))
    return PinStatus(len(wanted) - len(missing), tuple(missing))


def _contents(lineage: LineageView, number: int) -> set[CID]:
    view = lineage.rounds[number]
    found = {view.opened.plan_cid}
    found |= {r.event.envelope_cid for r in view.registrations if r.event.index not in view.revoked}
    if isinstance(view.outcome, RoundFinalized | RoundFailed):
        found.add(view.outcome.verdicts_cid)
    if isinstance(view.outcome, RoundFinalized):
        found.add(view.outcome.model_cid)
    return found
