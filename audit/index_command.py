"""``fedrx audit check-index``: whether an index still tells what the chain tells."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from audit.connections import ChainOptions, connect_ledger
from audit.index.checking import check_index
from audit.index.database import open_database
from audit.options import RPCURL, CompareURL, DeploymentFile, FinalityChoice
from protocol.errors import ConfigError


def check_index_command(
    deployment: DeploymentFile,
    rpc: RPCURL,
    index: Annotated[str, typer.Option("--index", help="The index: an SQLite file or a database URL.")],
    compare_rpc: CompareURL = None,
    finality: FinalityChoice = "latest",
) -> None:
    """Compare an index with the chain, event by event, and name the first that is not the same."""
    if "://" not in index and not Path(index).exists():
        raise ConfigError(f"there is no index {index}", hint="fedrx audit trail --index makes one")
    ledger = connect_ledger(ChainOptions(deployment, rpc, compare_rpc, finality))
    engine = open_database(index)
    try:
        compared = check_index(engine, ledger)
    finally:
        engine.dispose()
    typer.echo(f"the index holds the chain's {compared} events")
