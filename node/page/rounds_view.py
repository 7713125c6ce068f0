"""Rounds as a site lives them: where the running one stands, what became of earlier ones, how well each model reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from node.page.accuracy import Accuracy, accuracy_of
from node.rounds.records import Stage, is_approved, record_of
from node.rounds.training_note import TrainingNote
from node.status import status_of
from protocol.round import RoundState

if TYPE_CHECKING:
    from node.page.chain_view import Seen
    from node.page.parts import PageParts
    from node.status import RoundLine
    from protocol.history import History, LineageView, RoundView
    from protocol.identifiers import LineageId

_ROUNDS = 12
_MADE = frozenset({Stage.SEALED, Stage.PINNED, Stage.MISSED, Stage.WITHHELD, Stage.LOST})


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the running round."""

    name: str
    detail: str
    done: bool


@dataclass(frozen=True, slots=True)
class RunningRound:
    """The round that has no result yet."""

    round: int
    deadline: int
    """Seconds since 1970, on the chain's clock."""
    steps: tuple[Step, ...]
    sentence: str
    """How this site stands in it."""
    percent: int | None
    """Of the training, or of the features before it, while either runs here."""
    asks: bool
    """Whether it waits for a person's yes."""


@dataclass(frozen=True, slots=True)
class LineageScreen:
    """One lineage."""

    lineage_id: bytes
    slug: str
    model: str
    """Which model the site reads with, and how well."""
    running: RunningRound | None
    earlier: tuple[RoundLine, ...]
    """Rounds that ended, newest first."""
    accuracy: Accuracy


@dataclass(frozen=True, slots=True)
class RoundsScreen:
    """Everything about rounds."""

    membership: str
    consent: str
    lineages: tuple[LineageScreen, ...]
    trouble: str
    """Why this may be old, or empty."""
    paused: bool


def rounds_screen(parts: PageParts) -> RoundsScreen:
    """The rounds of a site. Without a chain what the site knows by itself."""
    paused = bool(parts.journal.get("paused"))
    with parts.chain.seen() as seen:
        if seen.history is None:
            lineages = tuple(_lineage(parts, lineage_id, None, seen, "", ()) for lineage_id in parts.lineages)
            return RoundsScreen("", "", lineages, seen.trouble, paused)
        found = status_of(
            parts.site_id,
            dict(parts.lineages),
            seen.history,
            seen.now,
            parts.journal,
            parts.models,
            rounds=_ROUNDS,
            clock=parts.clock,
        )
        lineages = tuple(
            _lineage(parts, lineage_id, seen.history, seen, model, found.rounds)
            for (lineage_id, _slug), model in zip(parts.lineages.items(), found.model, strict=True)
        )
    return RoundsScreen(found.membership, found.consent, lineages, seen.trouble, paused)


def lineage_screens(parts: PageParts) -> tuple[LineageScreen, ...]:
    """The lineages alone."""
    return rounds_screen(parts).lineages


def waits_for_yes(parts: PageParts, history: History, view: RoundView, now: int) -> bool:
    """Whether a round is open for this site and waits for a person's yes."""
    site = history.sites.get(parts.site_id)
    selected = site is not None and site.active and view.selects(site)
    asks = parts.settings.participation == "ask" and not is_approved(parts.journal, view.round_id)
    return asks and selected and view.state(now) is RoundState.OPEN


def _lineage(
    parts: PageParts,
    lineage_id: LineageId,
    history: History | None,
    seen: Seen,
    model: str,
    rounds: tuple[RoundLine, ...],
) -> LineageScreen:
    slug = parts.lineages[lineage_id]
    lineage = None if history is None else history.lineages.get(lineage_id)
    mine = tuple(line for line in rounds if line.lineage == slug)
    running = None
    if history is not None and lineage is not None and mine:
        running = _running(parts, history, lineage, seen.now, mine[0])
    return LineageScreen(
        lineage_id=bytes(lineage_id),
        slug=slug,
        model=model.removeprefix(f"{slug}: "),
        running=running,
        earlier=mine if running is None else mine[1:],
        accuracy=accuracy_of(parts.journal, parts.models, lineage_id),
    )


def _running(
    parts: PageParts, history: History, lineage: LineageView, now: int, newest: RoundLine
) -> RunningRound | None:
    view = lineage.live_round()
    if view is None:
        return None
    percent = newest.training.percent if newest.training else None
    return RunningRound(
        round=view.opened.round,
        deadline=view.opened.deadline,
        steps=_steps(parts, view, percent if isinstance(newest.training, TrainingNote) else None, now),
        sentence=newest.sentence,
        percent=percent,
        asks=waits_for_yes(parts, history, view, now),
    )


def _steps(parts: PageParts, view: RoundView, percent: int | None, now: int) -> tuple[Step, ...]:
    record, mine = record_of(parts.journal, view.round_id), view.registration_of(parts.site_id)
    trained = "" if percent is None else f"{percent} %"
    if record.sealed is not None:
        trained = f"{record.sealed.num_examples} words"
    sites = f"{len(view.registrations)} of {view.selected_count} sites"
    closed = view.state(now) is not RoundState.OPEN
    return (
        Step("Opened", "by an aggregator", done=True),
        Step("Trained here", trained, done=mine is not None or record.stage in _MADE),
        Step("Registered", sites, done=mine is not None),
        Step("Sealed update delivered", "on IPFS", done=record.stage is Stage.PINNED),
        Step("Closed", "no more updates", done=closed),
        Step("Result attested", f"{len(view.attestations)} so far" if view.attestations else "", done=False),
    )
