"""Which events prove what an auditor asks to be proven."""

from __future__ import annotations

from collections.abc import Sequence

from audit.lineage import find_model, publications
from protocol import ledger_events as ev
from protocol.errors import ConfigError
from protocol.history import History, Registration, RoundView
from protocol.identifiers import Digest, RoundId, SiteId
from protocol.ledger_events import LocatedEvent
from protocol.sample_proof import SampleProof


def of_update(
    history: History, round_id: RoundId, site_id: SiteId, called: str | None = None
) -> tuple[LocatedEvent, ...]:
    """That a site registered an update: its registration.

    Args:
        history: Of the deployment.
        round_id: The update's.
        site_id: Whose it is.
        called: What a refusal calls the site; its id when None.

    Raises:
        ConfigError: It did not.
    """
    mine = _registration(history, round_id, site_id, called)
    return (LocatedEvent(mine.position, mine.event),)


def of_verdict(
    history: History, round_id: RoundId, site_id: SiteId, called: str | None = None
) -> tuple[LocatedEvent, ...]:
    """What became of a site's update: its registration, whose index names the verdict's place, and the outcome.

    Args:
        history: Of the deployment.
        round_id: The update's.
        site_id: Whose it is.
        called: What a refusal calls the site; its id when None.

    Raises:
        ConfigError: There is no such update, or no verdict yet.
    """
    return (*of_update(history, round_id, site_id, called), _outcome(_round(history, round_id)))


def of_model(history: History, digest: Digest) -> tuple[LocatedEvent, ...]:
    """That a model was made by the network: the outcome of each round from genesis on, and the genesis itself.

    Raises:
        ConfigError: The chain knows no such model.
    """
    models = find_model(history, digest)
    if not models:
        raise ConfigError(
            f"no model on the chain has the digest {digest}", hint="give it whole, as trail --json shows it"
        )
    lineage = history.lineages[models[0].lineage_id]
    made = [_outcome(model.view) for model in reversed(models) if model.view is not None]
    return (LocatedEvent(lineage.created_at, lineage.created), *made)


def of_consent_root(history: History, root: Digest) -> tuple[LocatedEvent, ...]:
    """That a site published a consent root, and every withdrawal that made it void.

    Raises:
        ConfigError: The chain knows no such root.
    """
    found: list[LocatedEvent] = []
    for event in publications(history, root):
        consent = history.consents[event.site_id]
        found.append(LocatedEvent(consent.roots[event.version][1], event))
        found += [LocatedEvent(at, said) for said, at in consent.withdrawals if said.min_version > event.version]
    if not found:
        raise ConfigError(f"no consent root {root} is on the chain", hint="give it whole, as trail --json shows it")
    return tuple(found)


def of_sample(events: Sequence[LocatedEvent], proof: SampleProof) -> tuple[LocatedEvent, ...]:
    """What a site's sample proof is checked against (``audit.site_proof``), in chain order.

    The lineage, the round's opening and all its registrations; the site's admission and rotations, which name its key
    documents; the consent root that the update names, and all of the site's withdrawals.

    Args:
        events: All event logs.
        proof: The site's.

    Raises:
        ConfigError: The site registered nothing in the proof's round.
    """
    named = _registration(History(events), proof.round_id, proof.site_id).event.consent_version
    return tuple(located for located in events if _bears_on(located.event, proof, named))


def _bears_on(event: ev.LedgerEvent, proof: SampleProof, consent_version: int) -> bool:
    match event:
        case ev.LineageCreated():
            return event.lineage_id == proof.round_id.lineage_id
        case ev.RoundOpened() | ev.UpdateRegistered():
            return ev.round_id_of(event) == proof.round_id
        case ev.SiteAdmitted() | ev.SiteAccountRotated() | ev.ConsentWithdrawn():
            return event.site_id == proof.site_id
        case ev.ConsentRootPublished():
            return (event.site_id, event.version) == (proof.site_id, consent_version)
        case _:
            return False


def _registration(history: History, round_id: RoundId, site_id: SiteId, called: str | None = None) -> Registration:
    if site_id not in history.sites:
        raise ConfigError(f"the chain knows no site {called or site_id}", hint="check the spelling of the slug")
    mine = _round(history, round_id).registration_of(site_id)
    if mine is None:
        raise ConfigError(
            f"site {called or site_id} registered nothing in round {round_id.number}",
            hint=f"fedrx audit show --round {round_id.number}",
        )
    return mine


def _round(history: History, round_id: RoundId) -> RoundView:
    try:
        return history.round(round_id)
    except KeyError as error:
        raise ConfigError(
            f"the chain knows no round {round_id.number}", hint="fedrx audit trail --kind round-opened"
        ) from error


def _outcome(view: RoundView) -> LocatedEvent:
    if view.outcome is None or view.outcome_at is None or isinstance(view.outcome, ev.RoundAborted):
        number = view.opened.round
        raise ConfigError(f"round {number} has no verdicts", hint=f"fedrx audit show --round {number} tells why")
    return LocatedEvent(view.outcome_at, view.outcome)
