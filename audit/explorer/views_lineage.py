"""One model with its parents, and one consent root with everything that it touched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request

from audit.explorer.ancestry import of_models, of_updates
from audit.explorer.graph import lineage_graph
from audit.explorer.marks import Mark, judged
from audit.explorer.screens import explorer_of, show
from audit.explorer.views_round import DRAWN, held_by, updates_of
from audit.lineage import Generation, find_model, publications
from protocol.errors import ConfigError
from protocol.identifiers import Digest

if TYPE_CHECKING:
    from starlette.responses import Response

    from audit.accuracy import ScoredModel
    from audit.explorer.screens import Explorer

router = APIRouter()


@router.get("/model/{model}")
def one_model(request: Request, model: str, skip: Annotated[int, Query(ge=0)] = 0) -> Response:
    """The tree of a model's parents, with the updates that each was made of and those that were refused."""
    explorer = explorer_of(request)
    digest = Digest.from_hex(model)
    with explorer.chronicle.seen() as seen:
        models = find_model(seen.history, digest)
        if not models:
            raise ConfigError(f"no model on the chain has the digest {digest}", hint="give it as a whole")
        lineage = seen.history.lineages[models[0].lineage_id]
        shown = models[skip : skip + DRAWN]
        return show(
            explorer,
            "model.html",
            seen,
            model=models[0],
            lineage=lineage,
            generations=[(one, _stand(one), scored_of(explorer, one)) for one in shown],
            scored=scored_of(explorer, models[0]),
            sources=explorer.accuracy.sources(models[0].lineage_id),
            total=len(models),
            skip=skip,
            drawn=DRAWN,
            graph=lineage_graph(
                "The model, its parents, and the updates of each",
                of_models(shown, explorer.names),
                goes_on=len(models) > skip + DRAWN,
            ),
        )


@router.get("/consent/{root}")
def one_consent_root(request: Request, root: str, skip: Annotated[int, Query(ge=0)] = 0) -> Response:
    """Who published a consent root, whether it is in force, and every update and model below it."""
    explorer = explorer_of(request)
    digest = Digest.from_hex(root)
    with explorer.chronicle.seen() as seen:
        published = publications(seen.history, digest)
        if not published:
            raise ConfigError(f"no consent root {digest} is on the chain", hint="give it as a whole")
        found = [each for event in published
                 for each in updates_of(seen.history, event.site_id, frozenset({event.version}))][::-1]  # fmt: skip
        consents = seen.history.consents
        return show(
            explorer,
            "consent.html",
            seen,
            root=digest,
            published=[
                (
                    event,
                    consents[event.site_id].roots[event.version][1],
                    [each for each in consents[event.site_id].withdrawals if each[0].min_version > event.version],
                )
                for event in published
            ],
            updates=found[skip : skip + DRAWN],
            total=len(found),
            skip=skip,
            drawn=DRAWN,
            held=held_by(seen.history, found),
            graph=lineage_graph(
                "The updates under this consent root and the models that they went into",
                of_updates(found[skip : skip + DRAWN], explorer.names),
                goes_on=len(found) > skip + DRAWN,
            ),
            accepted=Mark.ACCEPTED,
        )


def scored_of(explorer: Explorer, one: Generation) -> ScoredModel | None:
    """How well a model reads, where a scores file says it."""
    return explorer.accuracy.of(one.lineage_id, one.digest, one.parent)


def _stand(one: Generation) -> tuple[int, int]:
    """How many updates a model was made of, and how many were registered and are not in it."""
    if one.view is None:
        return 0, 0
    updates = list(judged(one.view))
    accepted = sum(each.mark is Mark.ACCEPTED for each in updates)
    return accepted, len(updates) - accepted
