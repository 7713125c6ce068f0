"""``fedrx node duplicates …``: pages that may be there twice."""

from __future__ import annotations

import getpass
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from node.command_options import DEFAULT_CONFIG, AsJSON, Config, out, print_json, table_of, talk
from node.consent.desk import day_of
from node.data.duplicate_desk import DuplicateDesk
from node.site import open_site

if TYPE_CHECKING:
    from node.data.duplicate_desk import PageSide, ShownPair

duplicates_app = typer.Typer(
    no_args_is_help=True, help="Pages that may be there twice. Until a person decides, the later one does not train."
)

Reviewer = Annotated[
    str, typer.Option("--reviewer", help="Who decides.", default_factory=getpass.getuser, show_default="your account")
]
Pairs = Annotated[list[str], typer.Argument(help="Pair ids as listed, or their first digits.")]
Pictures = Annotated[
    Path | None,
    typer.Option(
        "--pictures",
        help="Also write each pair side by side to this folder. WARNING: these are patients' pages in clear, private "
        "fields left out; delete the folder when you are done.",
    ),
]


@duplicates_app.command("list")
def list_pairs(
    config: Config = DEFAULT_CONFIG,
    pictures: Pictures = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Decided pairs too.")] = False,
    as_json: AsJSON = False,
) -> None:
    """Lists the pairs that wait for a decision: the earlier page above the later one."""
    with open_site(config) as site:
        desk = DuplicateDesk(site.store)
        shown = desk.pairs() if everything else desk.waiting()
        written = {} if pictures is None else desk.write_pictures(shown, pictures)
    if pictures is not None:
        talk.print(
            f"{len(written)} pictures of patients' pages stand in clear in {pictures}: delete them when done",
            markup=False,
            soft_wrap=True,
        )
    if as_json:
        print_json([_value(one, written.get(one.pair.pair_id, "")) for one in shown])
        return
    table = table_of("pair", "why", "status", "page", "patient", "written", "file", "medicines")
    for one in shown:
        pair = one.pair
        status = f"{pair.status.value} ({pair.reviewer})" if pair.reviewer else pair.status.value
        table.add_row(*map(escape, (one.short_id, one.why, status, *_cells(one.earlier))))
        table.add_row("", "", "", *map(escape, _cells(one.later)), end_section=True)
    out.print(table)


@duplicates_app.command()
def same(pairs: Pairs, reviewer: Reviewer, config: Config = DEFAULT_CONFIG) -> None:
    """The later page repeats the earlier one: its words do not train."""
    with open_site(config) as site:
        count = DuplicateDesk(site.store).say_same(pairs, reviewer, int(time.time()))
    talk.print(f"{count} decided: the later page does not train")


@duplicates_app.command()
def different(pairs: Pairs, reviewer: Reviewer, config: Config = DEFAULT_CONFIG) -> None:
    """Two pages: both may train."""
    with open_site(config) as site:
        count = DuplicateDesk(site.store).say_different(pairs, reviewer, int(time.time()))
    talk.print(f"{count} decided: both pages may train")


def _cells(side: PageSide) -> tuple[str, ...]:
    written = side.written_on.isoformat() if side.written_on else f"imported {day_of(side.imported_at)}"
    file = f"{side.file}, page {side.page_number}"
    return side.page_id.hex()[:8], side.patient, written, file, "; ".join(side.medicines)


def _value(one: ShownPair, picture: str) -> dict[str, object]:
    pair = one.pair
    return {
        "pair": pair.pair_id.hex(),
        "kind": pair.kind,
        "likeness": pair.likeness,
        "why": one.why,
        "status": pair.status,
        "reviewer": pair.reviewer,
        "found_at": pair.found_at,
        "decided_at": pair.decided_at,
        "earlier": _side_value(one.earlier),
        "later": _side_value(one.later),
        "picture": picture,
    }


def _side_value(side: PageSide) -> dict[str, object]:
    return {
        "page": side.page_id.hex(),
        "patient": side.patient,
        "file": side.file,
        "page_number": side.page_number,
        "imported_at": side.imported_at,
        "written_on": side.written_on.isoformat() if side.written_on else None,
        "medicines": list(side.medicines),
    }
