"""One round, and one site in all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request

from audit.explorer.ancestry import of_round, of_updates
from audit.explorer.graph import lineage_graph
from audit.explorer.marks import Judged, Mark, judged
from audit.explorer.screens import Number, explorer_of, show
from audit.explorer.timeline import round_lines
from audit.index.searching import Search
from audit.lineage import descendants
from audit.telling import tell_round
from audit.trail import trail
from protocol import ledger_events as ev
from protocol.errors import ConfigError
from protocol.identifiers import LineageId, RoundId, SiteId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.responses import Response

    from protocol.history import History, RoundView

router = APIRouter()

DRAWN = 12
"""Rounds of a drawing on one screen."""
_MEMBERSHIP = frozenset({"site-admitted", "site-account-rotated", "site-suspended", "site-reinstated", "site-left"})


@router.get("/round/{lineage}/{number}")
def one_round(request: Request, lineage: str, number: Number) -> Response:
    """Who took part in a round, what became of each update, and what it cost."""
    explorer = explorer_of(request)
    lineage_id = LineageId.from_hex(lineage)
    events = explorer.chronicle.find(Search(lineage_id=lineage_id, round_number=number))
    tx_costs = explorer.chronicle.costs.of_transactions({located.position.tx_hash for located in events})
    costs = explorer.chronicle.costs.of_rounds(lineage_id, number, number)
    with explorer.chronicle.seen() as seen:
        told = list(tell_round(seen.history, RoundId(lineage_id, number), explorer.names, explorer.accuracy))
        chosen = seen.history.lineages[lineage_id]
        (line,) = round_lines(seen.history, chosen, [number], costs, seen.head.timestamp)
        updates = list(judged(line.view))
        registered = {each.event.site_id for each in updates}
        silent = [site.site_id for site in seen.history.sites.values()
                  if line.view.selects(site) and site.site_id not in registered]  # fmt: skip
        drawing = of_round(seen.history, line.view, explorer.names)
        return show(
            explorer,
            "round.html",
            seen,
            line=line,
            told=told,
            scored=line.model and explorer.accuracy.of(lineage_id, line.model, line.view.opened.parent_digest),
            sources=explorer.accuracy.sources(lineage_id),
            updates=updates,
            silent=silent,
            roots={each.event.site_id: _root(seen.history, each.event) for each in updates},
            events=list(trail(events, explorer.names)),
            tx_costs=tx_costs,
            graph=lineage_graph(f"Round {number}: its parent model and its updates", drawing, goes_on=False),
            before=number - 1 if number - 1 in chosen.rounds else None,
            after=number + 1 if number + 1 in chosen.rounds else None,
            accepted=Mark.ACCEPTED,
        )


@router.get("/site/{site}")
def one_site(request: Request, site: str, skip: Annotated[int, Query(ge=0)] = 0) -> Response:
    """Everything that a site did and everything that holds its updates."""
    explorer = explorer_of(request)
    site_id = SiteId.from_hex(site)
    membership = explorer.chronicle.find(Search(site_id=site_id, kinds=_MEMBERSHIP))
    with explorer.chronicle.seen() as seen:
        if site_id not in seen.history.sites:
            raise ConfigError(f"the chain knows no site {explorer.names.label(site_id)}", hint="check the spelling")
        found = list(updates_of(seen.history, site_id))[::-1]
        consent = seen.history.consents.get(site_id)
        drawn = of_updates(found[skip : skip + DRAWN], explorer.names)
        return show(
            explorer,
            "site.html",
            seen,
            site=seen.history.sites[site_id],
            membership=list(trail(membership, explorer.names)),
            updates=found[skip : skip + DRAWN],
            total=len(found),
            skip=skip,
            drawn=DRAWN,
            held=held_by(seen.history, found),
            consent=consent,
            graph=lineage_graph(
                "The site's updates and the models that they went into", drawn, goes_on=len(found) > skip + DRAWN
            ),
            accepted=Mark.ACCEPTED,
        )


def updates_of(
    history: History, site_id: SiteId, versions: frozenset[int] | None = None
) -> Iterator[tuple[RoundView, Judged]]:
    """A site's updates in the order of rounds; only those under some consent roots when their versions are given."""
    for lineage in history.lineages.values():
        for number in sorted(lineage.rounds):
            view = lineage.rounds[number]
            for each in judged(view):
                if each.event.site_id == site_id and (versions is None or each.event.consent_version in versions):
                    yield view, each


def held_by(history: History, updates: list[tuple[RoundView, Judged]]) -> dict[LineageId, int]:
    """How many models hold the updates, by lineage: a model holds what its parents hold."""
    first: dict[LineageId, RoundView] = {}
    for view, each in updates:
        lineage_id = view.opened.lineage_id
        earlier = first.get(lineage_id)
        if each.mark is Mark.ACCEPTED and (earlier is None or earlier.opened.round > view.opened.round):
            first[lineage_id] = view
    return {lineage_id: len(descendants(history, view)) for lineage_id, view in first.items()}


def _root(history: History, event: ev.UpdateRegistered) -> ev.ConsentRootPublished | None:
    """The consent root that an update names."""
    consent = history.consents.get(event.site_id)
    published = None if consent is None else consent.roots.get(event.consent_version)
    return None if published is None else published[0]
