"""What this site has to train on, in numbers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from node.data.report_rows import data_report
from node.page.access import Visitor, visitor
from node.page.screens import show
from node.store.duplicates import PairKind
from node.store.users import Role

router = APIRouter()

_SHOWN = 12
_FEW_WORDS = 5
_PAIRS = {
    PairKind.NEAR: "They look alike",
    PairKind.REISSUED: "The same patient was prescribed the same again",
}


@router.get("/data")
def data(visitor: Annotated[Visitor, Depends(visitor(Role.OPERATOR, Role.REVIEWER))]) -> Response:
    """The whole report."""
    parts = visitor.parts
    report = data_report(
        parts.store,
        parts.lexicon(),
        parts.now(),
        held_out_percent=parts.settings.training.held_out_percent,
        purpose=parts.settings.consent.purpose,
    )
    counts = report.brands.counts
    return show(
        visitor,
        "data.html",
        report=report,
        top=counts[:_SHOWN],
        rest=counts[_SHOWN:],
        rare=sum(count < _FEW_WORDS for _, count in counts),
        few=_FEW_WORDS,
        pair_names=_PAIRS,
    )
