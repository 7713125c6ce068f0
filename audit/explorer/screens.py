"""HTML from templates, and what every screen says."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Final, cast

from fastapi import Path
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from audit.broken_rules import first_few
from audit.explorer import paths
from audit.explorer.ancestry import short
from audit.explorer.charts import short_number
from audit.sentences import count, moment

if TYPE_CHECKING:
    from fastapi import Request

    from audit.accuracy import Accuracy
    from audit.explorer.chronicle import Chronicle, Seen
    from audit.explorer.transactions import TransactionReader
    from audit.names import Names
    from gateways.ledger.block_reader import BlockReader


MAX_NUMBER: Final = 2**53 - 1
"""Of a round or a block in an address: no database and no endpoint takes more."""
_FEW: Final = 3
"""Broken rules on a screen: on a telephone they must not push all else away."""
Number = Annotated[int, Path(ge=0, le=MAX_NUMBER)]
"""Of a round, in a path."""


@dataclass(frozen=True, slots=True)
class Explorer:
    """What the views of one running explorer share."""

    chronicle: Chronicle
    names: Names
    accuracy: Accuracy
    transactions: TransactionReader
    blocks: BlockReader
    templates: Environment
    proving: Lock
    """One proof at a time: each asks the chain for many blocks."""


def make_templates(names: Names) -> Environment:
    """The templates of the explorer.

    Args:
        names: Of sites, aggregators and lineages.
    """
    environment = Environment(
        loader=PackageLoader("audit.explorer"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {
        "moment": moment, "short": short, "label": names.label, "count": count, "short_number": short_number,
        "grouped": grouped,
    }  # fmt: skip
    environment.globals.update(paths.ALL)
    return environment


def explorer_of(request: Request) -> Explorer:
    """What the views share."""
    return cast("Explorer", request.app.state.explorer)


def show(explorer: Explorer, template: str, seen: Seen, *, status: int = 200, **context: object) -> HTMLResponse:
    """A screen."""
    text = explorer.templates.get_template(template).render(
        head=seen.head, trouble=seen.trouble, broken=list(first_few(seen.broken, _FEW)), costs=seen.costs,
        identity=explorer.chronicle.identity, **context,
    )  # fmt: skip
    return HTMLResponse(text, status_code=status)


def grouped(number: int) -> str:
    """A whole number with its thousands apart."""
    return f"{number:,}"
