"""Where a model comes from and what came of it: parents, accepted updates, and everything that a site touched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from protocol import ledger_events as ev
from protocol.errors import ConfigError
from protocol.history import History, LineageView, Registration, RoundView
from protocol.identifiers import Digest, LineageId, SiteId
from protocol.verdicts import VerdictCode


@dataclass(frozen=True, slots=True)
class Contribution:
    """A registered update and its verdict."""

    registration: Registration
    code: int | None
    """As attested; None where the round has no verdicts."""

    @property
    def accepted(self) -> bool:
        """Whether the update is in the round's model."""
        return self.code == VerdictCode.ACCEPTED

    @property
    def site_id(self) -> SiteId:
        """Whose update it is."""
        return self.registration.event.site_id


@dataclass(frozen=True, slots=True)
class Generation:
    """A model of a lineage."""

    lineage_id: LineageId
    digest: Digest
    view: RoundView | None
    """The round that made it; None for genesis."""

    @property
    def round(self) -> int | None:
        """Its round, None for genesis."""
        return None if self.view is None else self.view.opened.round

    @property
    def parent(self) -> Digest | None:
        """The model that it was made from, None for genesis."""
        return None if self.view is None else self.view.opened.parent_digest


def contributions(view: RoundView) -> tuple[Contribution, ...]:
    """Every registered update of a round with its verdict, in order of registration."""
    outcome = view.outcome
    codes: bytes | None = outcome.codes if isinstance(outcome, ev.RoundFinalized | ev.RoundFailed) else None
    return tuple(
        Contribution(registration, None if codes is None or index >= len(codes) else codes[index])
        for index, registration in enumerate(view.registrations)
    )


def generations(lineage: LineageView) -> tuple[Generation, ...]:
    """The models of a lineage from genesis to the head."""
    lineage_id = lineage.created.lineage_id
    models = [Generation(lineage_id, lineage.created.model_digest, None)]
    for number in sorted(lineage.rounds):
        view = lineage.rounds[number]
        if isinstance(view.outcome, ev.RoundFinalized):
            models.append(Generation(lineage_id, view.outcome.model_digest, view))
    return tuple(models)


def find_model(history: History, digest: Digest) -> tuple[Generation, ...]:
    """The model and its parents up to genesis, the model first; empty when the chain knows no such model.

    A round whose accepted updates cancel out gives its parent's bytes again: the newest of equal models is meant.
    """
    for lineage in history.lineages.values():
        models = generations(lineage)
        for place in range(len(models) - 1, -1, -1):
            if models[place].digest == digest:
                return models[place::-1]
    return ()


def descendants(history: History, view: RoundView) -> tuple[Generation, ...]:
    """The models that hold what was accepted in a round: its own and all that follow, oldest first."""
    if not isinstance(view.outcome, ev.RoundFinalized):
        return ()
    models = generations(history.lineages[view.opened.lineage_id])
    return tuple(model for model in models if model.round is not None and model.round >= view.opened.round)


def of_site(
    history: History, site_id: SiteId, consent_versions: frozenset[int] | None = None
) -> Iterator[tuple[RoundView, Contribution]]:
    """Every update of a site, round by round; only those under some consent roots when their versions are given."""
    for lineage in history.lineages.values():
        for number in sorted(lineage.rounds):
            view = lineage.rounds[number]
            for contribution in contributions(view):
                event = contribution.registration.event
                if event.site_id == site_id and (consent_versions is None or event.consent_version in consent_versions):
                    yield view, contribution


def lineage_named(history: History, named: LineageId | None) -> LineageId:
    """The lineage that was named, or the only one.

    Raises:
        ConfigError: None was named and there is not exactly one.
    """
    if named is not None:
        return named
    if len(history.lineages) != 1:
        raise ConfigError(f"the chain has {len(history.lineages)} lineages", hint="say which with --lineage")
    return next(iter(history.lineages))


def publications(history: History, root: Digest) -> tuple[ev.ConsentRootPublished, ...]:
    """Where a consent root was published: normally once."""
    return tuple(
        event for consent in history.consents.values() for event, _ in consent.roots.values() if event.root == root
    )
