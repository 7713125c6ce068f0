"""Pairs of pages that may be one, side by side: a person decides."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.exceptions import HTTPException
from starlette.responses import Response

from node.data.duplicate_desk import DuplicateDesk
from node.page.access import Submission, Visitor, submission, visitor
from node.page.screens import go_to, show
from node.page.store_view import find_page
from node.store.users import Role

router = APIRouter()

Reviewer = Annotated[Visitor, Depends(visitor(Role.REVIEWER))]


@router.get("/duplicates")
def duplicates(visitor: Reviewer) -> Response:
    """The oldest pair that waits, and how many wait behind it."""
    desk = DuplicateDesk(visitor.parts.store)
    waiting = desk.waiting()
    if not waiting:
        return show(visitor, "duplicates.html", shown=None)
    shown = waiting[0]
    with visitor.parts.store.read() as transaction:
        stored = [find_page(transaction, side.page_id) for side in (shown.earlier, shown.later)]
    whole = all(page is not None and page.original is not None for page in stored)
    return show(
        visitor,
        "duplicates.html",
        shown=shown,
        why=f"{shown.why[0].upper()}{shown.why[1:]}.",
        whole=whole,
        ink=not whole and desk.picture(shown.pair) is not None,
        waiting=len(waiting),
    )


@router.get("/duplicates/{pair_id}/picture")
def picture(visitor: Reviewer, pair_id: str) -> Response:
    """What stays of both pages side by side, where an original was deleted."""
    desk = DuplicateDesk(visitor.parts.store)
    found = next((shown.pair for shown in desk.waiting() if shown.pair.pair_id.hex() == pair_id), None)
    drawn = None if found is None else desk.picture(found)
    if drawn is None:
        raise HTTPException(404, "there is no picture of this pair")
    return Response(drawn, media_type="image/png")


@router.post("/duplicates/{pair_id}")
def decide(submitted: Annotated[Submission, Depends(submission(Role.REVIEWER))], pair_id: str) -> Response:
    """Takes what the reviewer says of a pair."""
    found, said = submitted.visitor, submitted.form.text("said")
    desk = DuplicateDesk(found.parts.store)
    pair = next((shown for shown in desk.waiting() if shown.pair.pair_id.hex() == pair_id), None)
    if pair is None or said not in {"same", "different"}:
        raise HTTPException(404, "this pair does not wait any more")
    decide_pair = desk.say_same if said == "same" else desk.say_different
    decide_pair([pair_id], found.user.name, found.parts.now())
    found.note(said, pair.later.page_id)
    return go_to("/duplicates")
