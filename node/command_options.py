"""Options and output that the data commands share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from node.store.sealed_files import SealedFiles

if TYPE_CHECKING:
    from node.site import Site

Config = Annotated[Path, typer.Option("--config", "-c", help="The node's settings file.")]
AsJSON = Annotated[bool, typer.Option("--json", help="One JSON value on stdout.")]
DEFAULT_CONFIG = Path("node.toml")
ORIGINALS = "originals"
QUARANTINE = "quarantine"
FEATURES = "features"
out = Console(emoji=False)
talk = Console(stderr=True, emoji=False)


def table_of(*headers: str) -> Table:
    """An empty table whose cells are folded, never cut, and whose first column stays on one line to be copied."""
    table = Table(box=None)
    for number, header in enumerate(headers):
        table.add_column(header, overflow="fold", no_wrap=number == 0)
    return table


def originals_of(site: Site) -> SealedFiles:
    """Where a site keeps imported files until they are reviewed."""
    return SealedFiles(site.folder / ORIGINALS)


def quarantine_of(site: Site) -> SealedFiles:
    """Where a site keeps files that could not be imported."""
    return SealedFiles(site.folder / QUARANTINE)


def print_json(value: object) -> None:
    """One JSON value on stdout."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))
