"""The trail and the availability of contents as tables and JSON values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from audit.availability import Availability
from audit.trail import TrailRow
from protocol.canonical_json import JSONValue
from protocol.identifiers import AccountAddress

_PIPE_WIDTH = 100_000
"""Columns when stdout is no terminal: wide enough that no line of another program's input is folded."""

_TABLE_WIDTH = 170
"""Columns of a terminal below which a table would fold a sentence to a few words a line."""


def output() -> Console:
    """Stdout for tables."""
    console = Console(highlight=False, emoji=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, emoji=False, markup=False, width=_PIPE_WIDTH)


def progress_bar() -> Progress:
    """A bar on stderr that goes when its work is done; nothing at all where stderr is no terminal."""
    console = Console(stderr=True, emoji=False)
    return Progress(console=console, transient=True, disable=not console.is_terminal)


def print_trail(rows: Sequence[TrailRow]) -> None:
    """Events as a table, or where a terminal is too narrow for one, as lines."""
    console = output()
    if console.width >= _TABLE_WIDTH:
        console.print(trail_table(rows))
        return
    contract = None
    for row in rows:
        if row.contract != contract:
            contract = row.contract
            console.print(_heading(contract))
        console.print(trail_line(row), soft_wrap=True)


def trail_table(rows: Iterable[TrailRow]) -> Table:
    """One row an event; those of older deployments under a heading that names the contract."""
    table = Table("time", "block", "round", "site", "kind", "what happened", "tx", box=None, pad_edge=False)
    contract = None
    for row in rows:
        if row.contract != contract:
            contract = row.contract
            table.add_row("", "", "", "", "", _heading(contract), "")
        position = row.located.position
        number = "" if row.round is None else str(row.round)
        tx = f"{str(position.tx_hash)[:10]}…"
        table.add_row(row.when, str(position.block_number), number, row.site or "", row.kind, row.sentence, tx)
    return table


def _heading(contract: AccountAddress | None) -> str:
    return "— this deployment —" if contract is None else f"— older deployment, contract {contract} —"


def trail_line(row: TrailRow) -> str:
    """One event as a line."""
    return f"{row.when}  block {row.located.position.block_number}  {row.sentence}"


def trail_csv(rows: Iterable[TrailRow]) -> Iterator[tuple[str, ...]]:
    """Header and rows for a spreadsheet; every cell is safe to open there."""
    yield ("time", "block", "log", "kind", "site", "lineage", "round", "what happened", "tx", "block hash",
           "older contract")  # fmt: skip
    for row in rows:
        position = row.located.position
        number = "" if row.round is None else str(row.round)
        cells = (row.when, str(position.block_number), str(position.log_index), row.kind, row.site or "",
                 row.lineage or "", number, row.sentence, str(position.tx_hash), str(position.block_hash),
                 "" if row.contract is None else str(row.contract))  # fmt: skip
        yield tuple(_calm(cell) for cell in cells)


def _calm(cell: str) -> str:
    """A spreadsheet runs a cell that begins like a formula; names in a directory file are somebody else's words."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def availability_table(rows: Iterable[Availability], endpoints: Sequence[str]) -> Table:
    """One row a content, one column an endpoint."""
    table = Table("content", "CID", *endpoints, "bytes read", box=None, pad_edge=False)
    for row in rows:
        read = _read_word(row)
        table.add_row(row.content.what, str(row.content.cid), *(_held_word(held) for held in row.held_by), read)
    return table


def availability_json(row: Availability, endpoints: Sequence[str]) -> dict[str, JSONValue]:
    """One content for another program."""
    return {
        "content": row.content.what,
        "cid": str(row.content.cid),
        "held_by": dict(zip(endpoints, row.held_by, strict=True)),
        "bytes": row.num_bytes,
        "why_unread": None if row.why_unread is None else row.why_unread.value,
        "never_fetched": row.content.never_fetched,
        "lost": row.lost,
    }


def _held_word(held: bool | None) -> str:
    return "no answer" if held is None else "held" if held else "not held"


def _read_word(row: Availability) -> str:
    if row.num_bytes is not None:
        return str(row.num_bytes)
    if row.content.never_fetched and not row.there:
        return "not fetched by the aggregators either"
    return "" if row.why_unread is None else row.why_unread.value
