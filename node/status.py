"""How a site stands, in sentences: membership, consent, its last rounds with every verdict, its model."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from node.consent.lost_withdrawals import OLDER, WHAT_TO_DO, lost_noted
from node.rounds.records import RoundRecord, Stage, record_of
from node.rounds.training_note import FeaturesNote, TrainingNote, training_note
from protocol import ledger_events as ev
from protocol.history import ConsentView, History, LineageView, RoundView
from protocol.identifiers import AccountAddress, LineageId, SiteId
from protocol.round import RoundState
from protocol.verdicts import VerdictCode, explain

if TYPE_CHECKING:
    from gateways.journal import Journal
    from learning.evaluation import Score
    from node.rounds.global_models import GlobalModels


@dataclass(frozen=True, slots=True)
class RoundLine:
    """One round as this site lived it."""

    lineage: str
    round: int
    state: str
    sentence: str
    """Why, and what to do."""
    training: TrainingNote | FeaturesNote | None = None
    """While this site trains for it."""
    own_score: Score | None = None
    """This site's update alone on its held-out words; None before it trained, or without such words."""


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
    account: AccountAddress | None = None,
    rounds: int = 5,
    clock: Callable[[], float] = time.time,
) -> Status:
    """A site's status from the chain and its journal.

    Args:
        site_id: The site.
        lineages: Ids and slugs.
        history: In step with the chain.
        now: Timestamp of the head block, seconds since 1970.
        journal: The node's journal.
        models: The models seen.
        account: Of the site's own key, to tell when the chain knows another.
        rounds: How many rounds back.
        clock: Seconds since 1970 of this machine, by which a training runs: a chain without blocks has no time.
    """
    at = int(clock())
    lines: list[RoundLine] = []
    in_use: list[str] = []
    for lineage_id, slug in lineages.items():
        lineage = history.lineages.get(lineage_id)
        if lineage is None:
            in_use.append(f"{slug}: the governor has not created this lineage yet")
            continue
        for number in sorted(lineage.rounds, reverse=True)[:rounds]:
            view = lineage.rounds[number]
            record = record_of(journal, view.round_id)
            state = view.state(now)
            training = None if record.sealed or view.outcome else training_note(journal, view.round_id, at)
            sentence = training.sentence() if training else _sentence(site_id, history, view, state, record)
            lines.append(RoundLine(slug, number, state.name.lower(), sentence, training, record.own_score))
        in_use.append(_model(slug, lineage, models))
    consent = f"{OLDER}: {WHAT_TO_DO}" if lost_noted(journal) else _consent(site_id, history, now)
    return Status(_membership(site_id, history, account), consent, tuple(in_use), tuple(lines))


def _model(slug: str, lineage: LineageView, models: GlobalModels) -> str:
    lineage_id = lineage.created.lineage_id
    record = models.in_use(lineage_id)
    if record is None:
        return f"{slug}: no model yet; the daemon fetches the head of the lineage (round {lineage.head_round})"
    score = f"{record.correct} of {record.total} held-out words right" if record.total else "not scored"
    line = f"{slug}: reads with the model of round {record.round} ({score}); head is {lineage.head_round}"
    newest = models.records(lineage_id)[-1]
    if newest.round == lineage.head_round and not newest.adopted:
        why = newest.reason or f"{newest.correct} of {newest.total} against {newest.kept_correct} before"
        return f"{line}, kept back: {why}"
    return line


def _membership(site_id: SiteId, history: History, account: AccountAddress | None) -> str:
    site = history.sites.get(site_id)
    if site is None:
        return "not admitted yet: read the fingerprint of site-keys.json to the governor (fedrx node join shows it)"
    if site.left:
        return "this site has left the network"
    if account is not None and account != site.account:
        return f"the chain knows account {site.account} for this site, its keystore holds {account}: ask the governor"
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


def _sentence(site_id: SiteId, history: History, view: RoundView, state: RoundState, record: RoundRecord) -> str:
    stands = _standing(site_id, history, view, state, record)
    if record.own_score is None:
        return stands
    own = record.own_score
    return f"{stands}; alone it reads {own.correct} of {own.total} held-out words right"


def _standing(site_id: SiteId, history: History, view: RoundView, state: RoundState, record: RoundRecord) -> str:
    mine = view.registration_of(site_id)
    if mine is not None:
        return _verdict_sentence(view, mine.event.index, record)
    if record.stage is Stage.MISSED:
        return f"missed: {record.reason}"
    if record.reason:
        return f"sat out: {record.reason}"
    site = history.sites.get(site_id)
    if site is None or not view.selects(site):
        return "this site was not selected"
    if state is not RoundState.OPEN:
        return "this site registered nothing"
    return "trained; the update is being registered" if record.stage is Stage.SEALED else "open for this site"


def _verdict_sentence(view: RoundView, index: int, record: RoundRecord) -> str:
    outcome = view.outcome
    if isinstance(outcome, ev.RoundFinalized | ev.RoundFailed):
        suffix = "; too few updates were accepted, no new model" if isinstance(outcome, ev.RoundFailed) else ""
        return f"{_verdict(outcome.codes, index)}{suffix}"
    if isinstance(outcome, ev.RoundAborted):
        return "aborted: nobody attested a result in time; the site trains again in the next round"
    if index in view.revoked:
        return "taken back by this site: a patient withdrew; it trains without them in the next round"
    if record.stage in {Stage.LOST, Stage.WITHHELD}:
        return f"registered, but not given to IPFS: {record.reason}"
    if record.stage is not Stage.PINNED:
        return "registered; being given to IPFS"
    return "registered and on IPFS; waiting for the aggregators' result"


def _verdict(codes: bytes, index: int) -> str:
    try:
        code = VerdictCode(codes[index])
    except (ValueError, IndexError):
        return "the aggregators attested a verdict that this version does not know: update fedrx or ask the auditor"
    return f"{code.name}: {explain(code)}"
