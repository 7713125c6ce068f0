"""What left this site, and who reviewed what."""

from __future__ import annotations

from itertools import groupby
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from node.page.access import Visitor, visitor
from node.page.screens import day, show
from node.page.sentences import act_sentence, sent_sentence
from node.sent import SentLog
from node.store.users import Role, acts

router = APIRouter()

_LINES = 500


@router.get("/sent")
def sent(visitor: Annotated[Visitor, Depends(visitor())]) -> Response:
    """Everything that left, newest day first."""
    items = [(item, sent_sentence(item)) for item in reversed(SentLog(visitor.parts.journal).items())]
    days = [
        (name, list(found))
        for name, found in groupby(items, lambda pair: day(pair[0].at) if pair[0].at else "Day unknown")
    ]
    return show(visitor, "sent.html", days=days, total=len(items), total_bytes=sum(item.bytes for item, _ in items))


@router.get("/log")
def log(visitor: Annotated[Visitor, Depends(visitor(Role.OPERATOR))]) -> Response:
    """Who did what on this page, newest first."""
    with visitor.parts.store.read() as transaction:
        found = acts(transaction, _LINES)
    return show(visitor, "log.html", acts=found, most=_LINES, act_sentence=act_sentence)
