"""How a site stands, in sentences: membership, consent, its last rounds with every verdict, its model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from node.participation import entry_of
from protocol import ledger_events as ev
from protocol.history import ConsentView, History, RoundView
from protocol.identifiers import LineageId, SiteId
from protocol.round import RoundState
from protocol.verdicts import VerdictCode, explain

if TYPE_CHECKING:
    from gateways.journal import Journal
    from node.global_models import GlobalModels
    from protocol.canonical_json import JSONValue


@dataclass(frozen=True, slots=True)
class RoundLine:
    """One round as this site lived it."""

    lineage: str
    round: int
    state: str
    sentence: str
    """Why, and what to do."""


@dataclass(frozen=True, slots=True)
class Status:
    """Everything that ``fedrx node status`` shows."""

    membership: str
    consent: str
    model: tuple[str, ...]
    """One line a lineage."""
    rounds: tuple[RoundLine, ...]
    """Newest first."""


def status_of(
    site_id: SiteId,
    lineages: dict[LineageId, str],
    history: History,
    now: int,
    journal: Journal,
    models: GlobalModels,
    *,
    rounds: int = 5,
) -> Status:
    """A site's status from the chain and its journal.

    Args:
        site_id: The site.
        lineages: Ids and slugs.
        history: In step with the chain.
        now: Timestamp of the head block, seconds since 1970.
        journal: The node's journal.
        models: The models seen.
        rounds: How many rounds back.
    """
    lines: list[RoundLine] = []
    in_use: list[str] = []
    for lineage_id, slug in lineages.items():
        lineage = history.lineages.get(lineage_id)
        if lineage is None:
            in_use.append(f"{slug}: the governor has not created this lineage yet")
            continue
        for number in sorted(lineage.rounds, reverse=True)[:rounds]:
            view = lineage.rounds[number]
            state = view.state(now)
            lines.append(RoundLine(slug, number, state.name.lower(), _sentence(site_id, history, view, state, journal)))
        record = models.in_use(lineage_id)
        if record is None:
            in_use.append(
                f"{slug}: no model yet; the daemon fetches the head of the lineage (round {lineage.head_round})"
            )
        else:
            score = f"{record.correct} of {record.total} held-out words right" if record.total else "not scored"
            in_use.append(
                f"{slug}: reads with the model of round {record.round} ({score}); head is {lineage.head_round}"
            )
    return Status(_membership(site_id, history), _consent(site_id, history, now), tuple(in_use), tuple(lines))


def _membership(site_id: SiteId, history: History) -> str:
    site = history.sites.get(site_id)
    if site is None:
        return "not admitted yet: read the fingerprint of site-keys.json to the governor (fedrx node join shows it)"
    if site.left:
        return "this site has left the network"
    if site.suspended:
        return "suspended by the governor: ask the governor; withdrawals of consent still go through"
    return f"member, account {site.account}"


def _consent(site_id: SiteId, history: History, now: int) -> str:
    consent = history.consents.get(site_id, ConsentView())
    version = consent.latest_version
    if version == 0:
        return "no consent root published: record consents (fedrx node consent grant); the daemon publishes the root"
    if version < consent.min_version:
        return "consents were withdrawn; the daemon publishes a new root when a consent is in force"
    if consent.roots[version][0].valid_until < now:
        return "the consent root has expired: ask the patients again (fedrx node consent list)"
    return f"consent root version {version} in force"


def _sentence(site_id: SiteId, history: History, view: RoundView, state: RoundState, journal: Journal) -> str:
    entry = entry_of(journal, view.round_id)
    mine = view.registration_of(site_id)
    if mine is not None:
        return _verdict_sentence(view, mine.event.index, entry)
    if entry.get("reason"):
        return f"sat out: {entry['reason']}"
    site = history.sites.get(site_id)
    if site is None or not view.selects(site):
        return "this site was not selected"
    return "open for this site" if state is RoundState.OPEN else "this site registered nothing"


def _verdict_sentence(view: RoundView, index: int, entry: dict[str, JSONValue]) -> str:
    outcome = view.outcome
    if isinstance(outcome, ev.RoundFinalized | ev.RoundFailed):
        code = VerdictCode(outcome.codes[index])
        suffix = "; too few updates were accepted, no new model" if isinstance(outcome, ev.RoundFailed) else ""
        return f"{code.name}: {explain(code)}{suffix}"
    if isinstance(outcome, ev.RoundAborted):
        return "aborted: nobody attested a result in time; the next round takes this site's update again"
    if entry.get("stage") == "lost":
        return f"registered, but {entry.get('reason')}: the update cannot be fetched"
    return "registered; waiting for the aggregators' result"
