"""The running round, earlier rounds, and accuracy over rounds."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from node.page.access import Submission, Visitor, submission, visitor
from node.page.rounds_view import rounds_screen, waits_for_yes
from node.page.screens import go_to, show
from node.rounds.records import approve
from node.store.users import Role
from protocol.errors import ConfigError

router = APIRouter()


@router.get("/rounds")
def rounds(visitor: Annotated[Visitor, Depends(visitor())]) -> Response:
    """The whole screen."""
    return show(visitor, "rounds.html", rounds=rounds_screen(visitor.parts), operator=visitor.has(Role.OPERATOR))


@router.get("/rounds/now")
def rounds_now(visitor: Annotated[Visitor, Depends(visitor())]) -> Response:
    """The part that page.js asks for again and again."""
    return show(visitor, "rounds_now.html", rounds=rounds_screen(visitor.parts), operator=visitor.has(Role.OPERATOR))


@router.post("/rounds/participate")
def participate(submitted: Annotated[Submission, Depends(submission(Role.OPERATOR))]) -> Response:
    """Says yes to the round that a person was asked about."""
    parts, wanted = submitted.visitor.parts, submitted.form.text("lineage")
    with parts.chain.seen() as seen:
        lineages = {} if seen.history is None else seen.history.lineages
        live = [lineage.live_round() for key, lineage in lineages.items() if key.hex() == wanted]
        asked = [
            view.round_id
            for view in live
            if view is not None and seen.history is not None and waits_for_yes(parts, seen.history, view, seen.now)
        ]
    if not asked:
        raise ConfigError("no round waits for a yes any more")
    for round_id in asked:
        approve(parts.journal, round_id)
        submitted.visitor.note("participate")
    return go_to("/rounds")
