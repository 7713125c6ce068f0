"""What the report says: sections of lines, each with the proof that it resolves to. Pure; the renderers follow."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from audit.accuracy import Accuracy
from audit.broken_rules import broken_rules
from audit.chain_walk import walk_chain
from audit.lineage import contributions, generations
from audit.names import Names
from audit.regulator.parts import Line, Report, Scope, Section, Sources
from audit.report import replay_lines
from audit.sentences import moment, sentence_of, why_of
from protocol import ledger_events as ev
from protocol.errors import ConfigError
from protocol.history import History, RoundView
from protocol.identifiers import LineageId, SiteId
from protocol.ledger_events import LocatedEvent, Position
from protocol.verdicts import VerdictCode

_MEMBERSHIP = (
    ev.SiteAdmitted | ev.SiteAccountRotated | ev.SiteSuspended | ev.SiteReinstated | ev.SiteLeft
    | ev.AggregatorAdmitted | ev.AggregatorSetChanged | ev.AuditorKeyPublished | ev.AuditorKeyUsed
    | ev.GovernorChanged | ev.SuiteSealed
)  # fmt: skip
_CONSENT = ev.ConsentRootPublished | ev.ConsentWithdrawn


def report_of(sources: Sources, scope: Scope, names: Names) -> Report:
    """The report of some rounds.

    Args:
        sources: Chain, replay and software.
        scope: Which rounds. Membership and consents are reported whole: an earlier consent covers a later round.
        names: Labels.

    Raises:
        ConfigError: Rounds or a lineage were named, and there are none of them.
    """
    history = History(sources.events)
    views = [
        view
        for lineage in history.lineages.values()
        for _, view in sorted(lineage.rounds.items())
        if scope.takes(view)
    ]  # fmt: skip
    # A slip in a slug or a number must not read as "nothing happened".
    if not views and scope != Scope():
        raise ConfigError("the chain has none of these rounds", hint="fedrx audit trail --kind round-opened")
    identity = sources.identity
    facts = (
        ("Chain", str(identity.chain_id)),
        ("Contract", str(identity.contract_address)),
        ("Genesis block", str(identity.genesis_block_hash)),
        ("Deployed in block", f"{identity.deployment_block_number}, {identity.deployment_block_hash}"),
        ("Read up to block", f"{sources.head.number}, {sources.head.block_hash}"),
        ("Rounds", f"{scope.text}: {len(views)}"),
        *sources.software,
    )
    sections = (
        _rounds(views, names),
        _participation(views, names),
        _refusals(views, names),
        _consents(sources.events, names),
        _lineage(history, scope, names),
        _accuracy(history, scope, sources.accuracy, names),
        _membership(sources.events, names),
        _replay(sources, names),
        _limits(),
    )
    return Report("Audit report of a federated learning network", sources.head, facts, sections)


def _rounds(views: Sequence[RoundView], names: Names) -> Section:
    lines = []
    for view in views:
        opened, outcome = view.opened, view.outcome
        accepted = sum(one.accepted for one in contributions(view))
        head = (
            f"Round {opened.round} of {names.label(opened.lineage_id)}: {view.selected_count} sites asked, "
            f"{len(view.registrations)} updates registered, {accepted} accepted;"
        )
        match outcome:
            case ev.RoundFinalized():
                model = f" final, model {outcome.model_digest}."
                lines.append(_line(head + model, view.outcome_at, f"model --model {outcome.model_digest}"))
            case ev.RoundFailed():
                lines.append(_line(f"{head} failed: too few passed, the model stayed.", view.outcome_at))
            case ev.RoundAborted():
                lines.append(_line(f"{head} aborted: nobody attested in time, the model stayed.", view.outcome_at))
            case None:
                lines.append(_line(f"{head} no result yet.", view.opened_at))
    return _section("Rounds", "Each round with what came out of it.", "No round was opened.", lines)


def _participation(views: Sequence[RoundView], names: Names) -> Section:
    lines = []
    for view in views:
        found = contributions(view)
        total = sum(one.registration.event.weight for one in found if one.accepted)
        for one in found:
            event, at = one.registration.event, one.registration.position
            share = f", {100 * event.weight / total:.1f} % of the sum" if one.accepted and total else ""
            what = "accepted" if one.accepted else "no verdict yet" if one.code is None else "refused"
            text = (
                f"{_who(event.site_id, view, names)}: {what}, weight {event.weight}{share}, "
                f"under consent root {event.consent_version}."
            )
            lines.append(_line(text, at, _verdict_proof(event.site_id, view, names, judged=one.code is not None)))
    lead = "Each update that a site registered. Sites that were asked and are not listed stayed silent."
    return _section("Participation", lead, "No update was registered.", lines)


def _refusals(views: Sequence[RoundView], names: Names) -> Section:
    lines = []
    for view in views:
        for one in contributions(view):
            if one.code is not None and one.code != VerdictCode.ACCEPTED:
                site_id = one.site_id
                text = f"{_who(site_id, view, names)} was refused: {why_of(one.code)} (verdict {one.code})."
                lines.append(_line(text, view.outcome_at, _verdict_proof(site_id, view, names, judged=True)))
    return _section("Refusals", "Each update that is in no model, and why.", "No update was refused.", lines)


def _consents(events: Sequence[LocatedEvent], names: Names) -> Section:
    lines = [
        _line(
            sentence_of(located.event, names),
            located.position,
            f"consent --consent-root {located.event.root}"
            if isinstance(located.event, ev.ConsentRootPublished)
            else "",
        )
        for located in events
        if isinstance(located.event, _CONSENT)
    ]
    lead = "Consent roots and withdrawals of all sites. A root stands for receipts; no patient is on the chain."
    return _section("Consents and withdrawals", lead, "No consent root was published.", lines)


def _lineage(history: History, scope: Scope, names: Names) -> Section:
    lines = []
    for lineage in history.lineages.values():
        if scope.lineage_id not in {None, lineage.created.lineage_id}:
            continue
        for model in generations(lineage):
            label, proof = names.label(model.lineage_id), f"model --model {model.digest}"
            if model.view is None:
                text = f"{label}, genesis: model {model.digest}, put there by the governor."
                lines.append(_line(text, lineage.created_at, proof))
            else:
                sites = ", ".join(names.label(one.site_id) for one in contributions(model.view) if one.accepted)
                text = (
                    f"{label}, round {model.round}: model {model.digest} from {model.view.opened.parent_digest} "
                    f"and the updates of {sites}."
                )
                lines.append(_line(text, model.view.outcome_at, proof))
    return _section("Lineage", "Where each model comes from.", "There is no lineage.", lines)


def _accuracy(history: History, scope: Scope, accuracy: Accuracy, names: Names) -> Section:
    """Without transactions: what models read is the word of whoever scored them."""
    lines: list[Line] = []
    leads: list[str] = []
    for lineage in history.lineages.values():
        label = names.label(lineage.created.lineage_id)
        found = [
            Line(f"{label}, round {scored.score.round}: {scored.sentence}.")
            for model in generations(lineage)
            if (lineage.created.genesis_round in scope.rounds if model.view is None else scope.takes(model.view))
            if (scored := accuracy.of(model.lineage_id, model.digest, model.parent)) is not None
        ]
        if found and scope.lineage_id in {None, lineage.created.lineage_id}:
            lines += found
            leads += accuracy.sources(lineage.created.lineage_id)
    otherwise = "No model was scored for this report (fedrx audit score does it, and --scores shows it here)."
    return _section("Accuracy", " ".join(leads), otherwise, lines)


def _membership(events: Sequence[LocatedEvent], names: Names) -> Section:
    lines = [
        _line(sentence_of(located.event, names), located.position)
        for located in events
        if isinstance(located.event, _MEMBERSHIP)
    ]
    return _section("Membership and keys", "Who took part, and who governed.", "Nobody was admitted.", lines)


def _replay(sources: Sources, names: Names) -> Section:
    if sources.replayed is None:
        walk = walk_chain(sources.events, sources.identity, names)
        faults = tuple(Line(sentence) for sentence in broken_rules(walk, names))
        found = f"{len(faults)} breaks of the contract's rules" if faults else "no break of the contract's rules"
        lead = f"No model was recomputed for this report (fedrx audit replay does it). The event logs show {found}."
        return Section("Replay", lead, faults)
    lead = "What recomputing the rounds from the event logs and IPFS gave, byte for byte."
    undeclared = (f"note: {sentence}" for sentence in sources.undeclared)
    return Section(
        "Replay", lead, tuple(Line(text.strip()) for text in (*replay_lines(sources.replayed, names), *undeclared))
    )


def _limits() -> Section:
    return Section(
        "What this report does not show",
        "",
        (
            Line("That a site trained honestly, or that the number of examples it states is true."),
            Line("That the history was not rewritten before the block it was read up to: compare checkpoints."),
            Line("That the endpoint left no event out: fedrx audit bundle and fedrx audit verify show that."),
            Line("How well a model reads other words than it was scored on: each site keeps the score on its own."),
        ),
    )


def _who(site_id: SiteId, view: RoundView, names: Names) -> str:
    return f"Site {names.label(site_id)} in round {view.opened.round} of {names.label(view.opened.lineage_id)}"


def _verdict_proof(site_id: SiteId, view: RoundView, names: Names, *, judged: bool) -> str:
    site = _name_or_id(site_id, names)
    lineage = _name_or_id(view.opened.lineage_id, names)
    kind = "verdict" if judged else "update"
    return f"{kind} --site {site} --round {view.opened.round} --lineage {lineage}"


def _name_or_id(identifier: SiteId | LineageId, names: Names) -> str:
    label = names.label(identifier)
    return str(identifier) if label.startswith("0x") else shlex.quote(label)


def _line(text: str, at: Position | None, proof: str = "") -> Line:
    if at is None:
        return Line(text)
    return Line(text, moment(at.timestamp), str(at.tx_hash), proof)


def _section(title: str, lead: str, otherwise: str, lines: Sequence[Line] | Iterator[Line]) -> Section:
    found = tuple(lines)
    return Section(title, lead if found else otherwise, found)
