"""One round, model, site or consent root, told in plain sentences."""

from __future__ import annotations

from collections.abc import Iterator

from audit.accuracy import NO_SCORES, Accuracy
from audit.lineage import Contribution, Generation, contributions, descendants, find_model, of_site, publications
from audit.names import Names
from audit.sentences import count, moment, why_of
from protocol import ledger_events as ev
from protocol.errors import ConfigError
from protocol.history import History, RoundView
from protocol.identifiers import Digest, RoundId, SiteId

_CHECK = "(run fedrx audit trail without filters to see what is there)"


def tell_round(history: History, round_id: RoundId, names: Names, accuracy: Accuracy = NO_SCORES) -> Iterator[str]:
    """Who took part, who was refused and why, what changed since the round before, what came out, and how it reads.

    Raises:
        ConfigError: The chain knows no such round.
    """
    lineage = history.lineages.get(round_id.lineage_id)
    if lineage is None:
        raise ConfigError(f"the chain knows no lineage {names.label(round_id.lineage_id)}", hint="check its slug")
    # The genesis of a deployment that goes on bears the number of an older one's round, and that is the one to tell.
    if round_id.number == 0 == lineage.created.genesis_round:
        yield from tell_model(history, lineage.created.model_digest, names, accuracy)
        return
    view = lineage.rounds.get(round_id.number)
    if view is None:
        where = f"round {round_id.number} of {names.label(round_id.lineage_id)}"
        raise ConfigError(f"the chain knows no {where}", hint="fedrx audit trail --kind round-opened lists them")
    opened = view.opened
    yield (
        f"Round {opened.round} of {names.label(opened.lineage_id)} was opened by aggregator "
        f"{names.label(opened.aggregator_id)} at {moment(view.opened_at.timestamp)}."
    )
    yield f"It starts from {_parent(history, view)}; the plan is {opened.plan_cid}."
    yield (
        f"{count(view.selected_count, 'site')} asked, until {moment(opened.deadline)}; "
        f"{len(view.registrations)} registered an update, {opened.min_accepted} must pass."
    )
    found = contributions(view)
    yield from _who(found, names)
    silent = {site.site_id for site in history.sites.values() if view.selects(site)} - {one.site_id for one in found}
    for site_id in sorted(silent):
        yield f"Site {names.label(site_id)} registered nothing."
    yield from _changes(history, view, names)
    yield from _outcome(view, names, accuracy)


def tell_model(history: History, digest: Digest, names: Names, accuracy: Accuracy = NO_SCORES) -> Iterator[str]:
    """The model's parents up to genesis, with the updates that each was made of and how well each reads.

    Raises:
        ConfigError: No model of the chain has this digest.
    """
    models = find_model(history, digest)
    if not models:
        raise ConfigError(
            f"no model on the chain has the digest {digest}", hint="give it whole, as trail --json shows it"
        )
    yield f"Model {digest} of lineage {names.label(models[0].lineage_id)}, and where it comes from:"
    for model in models:
        yield f"  {_generation(model, names)}"
        scored = accuracy.of(model.lineage_id, model.digest, model.parent)
        if scored is not None:
            yield f"    reads {scored.sentence}"
    yield from accuracy.sources(models[0].lineage_id)


def tell_site(history: History, site_id: SiteId, names: Names) -> Iterator[str]:
    """Every round that a site took part in, and the models that hold its updates.

    Raises:
        ConfigError: The chain knows no such site.
    """
    if site_id not in history.sites:
        raise ConfigError(f"the chain knows no site {names.label(site_id)}", hint=f"check the spelling {_CHECK}")
    standing = history.sites[site_id]
    state = "left the network" if standing.left else "is suspended" if standing.suspended else "may take part"
    yield f"Site {names.label(site_id)} {state}:"
    yield from _touched(history, site_id, None, names)


def tell_consent_root(history: History, root: Digest, names: Names) -> Iterator[str]:
    """Who published a consent root, how long it is in force, and everything that it touched.

    Raises:
        ConfigError: The chain knows no such root.
    """
    found = publications(history, root)
    if not found:
        raise ConfigError(f"no consent root {root} is on the chain", hint=f"give it whole {_CHECK}")
    for event in found:
        counts = (event.patients, "patient"), (event.guardians, "guardian"), (event.waivers, "ethics waiver")
        given = ", ".join(count(number, who) for number, who in counts)
        yield (
            f"Consent root {root} is version {event.version} of site {names.label(event.site_id)}, "
            f"for {given}, valid until {moment(event.valid_until)}."
        )
        withdrawn = [at for said, at in history.consents[event.site_id].withdrawals if said.min_version > event.version]
        if withdrawn:
            yield f"It is void since {moment(withdrawn[0].timestamp)}: a consent below it was withdrawn."
        yield from _touched(history, event.site_id, frozenset({event.version}), names)


def _who(found: tuple[Contribution, ...], names: Names) -> Iterator[str]:
    accepted = [one for one in found if one.accepted]
    total = sum(one.registration.event.weight for one in accepted)
    for one in accepted:
        weight = one.registration.event.weight
        share = f", {100 * weight / total:.1f} % of the sum" if total else ""
        yield f"Site {names.label(one.site_id)} is in it with weight {weight}{share}."
    for one in found:
        if one.code is not None and not one.accepted:
            yield f"Site {names.label(one.site_id)} was refused: {_why(one.code)}."


def _changes(history: History, view: RoundView, names: Names) -> Iterator[str]:
    earlier = history.lineages[view.opened.lineage_id].rounds.get(view.opened.round - 1)
    if earlier is None:
        return
    before = {one.site_id for one in contributions(earlier) if one.accepted}
    now = {one.site_id for one in contributions(view) if one.accepted}
    for verb, sites in (("is new since the round before", now - before), ("was in the round before", before - now)):
        for site_id in sorted(sites):
            yield f"Site {names.label(site_id)} {verb}{'' if site_id in now else ' and is not in this one'}."


def _outcome(view: RoundView, names: Names, accuracy: Accuracy) -> Iterator[str]:
    votes = len(view.attestations)
    match view.outcome:
        case ev.RoundFinalized() as final:
            decided = f"{count(votes, 'vote')} of the aggregators made it final"
            yield f"{decided}: model {final.model_digest} at {final.model_cid}."
            yield f"The list of verdicts is {final.verdicts_cid}."
            yield from _how_it_reads(final, view.opened.parent_digest, accuracy)
        case ev.RoundFailed() as failed:
            yield f"It failed: too few updates passed. The head stays; the list of verdicts is {failed.verdicts_cid}."
        case ev.RoundAborted() as aborted:
            late = moment(view.opened.attest_by)
            yield f"It was aborted by {aborted.by}: nobody attested before {late}. The head stays."
        case None:
            yield f"It has no result yet; {count(votes, 'vote')} so far."
    for event, at in view.attestations:
        yield f"Aggregator {names.label(event.aggregator_id)} voted at {moment(at.timestamp)} in {at.tx_hash}."


def _how_it_reads(final: ev.RoundFinalized, parent: Digest, accuracy: Accuracy) -> Iterator[str]:
    scored = accuracy.of(final.lineage_id, final.model_digest, parent)
    if scored is not None:
        yield f"It reads {scored.sentence}."
        yield from accuracy.sources(final.lineage_id)
    else:
        who = "The scores file" if accuracy.sources(final.lineage_id) else "The chain"
        yield f"{who} does not say how well it reads: fedrx audit score tells it on words of yours."


def _touched(history: History, site_id: SiteId, versions: frozenset[int] | None, names: Names) -> Iterator[str]:
    held: dict[Digest, Generation] = {}
    rounds = 0
    for view, one in of_site(history, site_id, versions):
        rounds += 1
        place = f"round {view.opened.round} of {names.label(view.opened.lineage_id)}"
        root = f"under consent root {one.registration.event.consent_version}"
        verdict = "no verdict yet" if one.code is None else "accepted" if one.accepted else f"refused, {_why(one.code)}"
        yield f"  {place}: {verdict}, {root}"
        if one.accepted:
            held |= {model.digest: model for model in descendants(history, view)}
    if not rounds:
        yield "  no update names it" if versions else "  no update was registered"
    for model in held.values():
        yield f"  in model {model.digest} (round {model.round} of {names.label(model.lineage_id)})"


def _generation(model: Generation, names: Names) -> str:
    if model.view is None:
        return f"genesis: model {model.digest}, put there by the governor"
    found = contributions(model.view)
    sites = ", ".join(names.label(one.site_id) for one in found if one.accepted)
    refused = sum(one.code is not None and not one.accepted for one in found)
    return f"round {model.round}: model {model.digest} from {sites}{f'; {refused} refused' if refused else ''}"


def _parent(history: History, view: RoundView) -> str:
    parents = find_model(history, view.opened.parent_digest)
    made = (
        "a model that the chain does not know"
        if not parents
        else "genesis"
        if parents[0].round is None
        else (f"the model of round {parents[0].round}")
    )
    return f"{made} ({view.opened.parent_digest})"


def _why(code: int) -> str:
    return f"{why_of(code)} (verdict {code})"
