"""``fedrx audit check-index``: whether an index still tells what the chain tells, and all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Engine

from audit.alarm import alarm_after
from audit.connections import ChainOptions, connect_to
from audit.index.checking import check_index
from audit.index.database import open_database
from audit.index.proving import ProvenIndex, prove_index
from audit.names import read_names
from audit.options import (
    RPCURL,
    CompareURL,
    CosignerAccounts,
    DeploymentFile,
    FinalityChoice,
    NamesFile,
    NameSlugs,
    WorkFolder,
)
from audit.proofs.checkpoint import Checkpoint
from audit.tables import progress_bar
from audit.trusted_checkpoint import read_trusted
from gateways.deployment_file import load_deployment
from gateways.ledger.block_reader import BlockReader
from gateways.ledger.rpc import RPCEndpoint
from protocol.deployment import Deployment
from protocol.errors import ConfigError

_REQUEST_SECONDS = 60.0


def check_index_command(
    deployment: DeploymentFile,
    rpc: RPCURL,
    index: Annotated[str, typer.Option("--index", help="The index: an SQLite file or a database URL.")],
    compare_rpc: CompareURL = None,
    finality: FinalityChoice = "latest",
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", help="Show that no event up to this block is left out: one that you trust."),
    ] = None,
    accounts: CosignerAccounts = None,
    require: Annotated[int | None, typer.Option("--require", min=1, help="How many sites must have signed it.")] = None,
    site: Annotated[
        list[str] | None,
        typer.Option("--site", help="A site whose signature counts; repeatable. Else every listed one's."),
    ] = None,
    names: NamesFile = None,
    name: NameSlugs = None,
    work_folder: WorkFolder = None,
) -> None:
    """Compare an index with the chain, event by event, and name the first that is not the same."""
    if "://" not in index and not Path(index).exists():
        raise ConfigError(f"there is no index {index}", hint="fedrx audit trail --index makes one")
    if checkpoint is None and (accounts is not None or require is not None or site):
        raise ConfigError("signatures are those of a checkpoint", hint="give --checkpoint FILE too")
    labels = read_names(names, name or ())
    trusted, sites = (None, ()) if checkpoint is None else read_trusted(checkpoint, accounts, require, site or ())
    of = load_deployment(deployment)
    ledger = connect_to(of, ChainOptions(deployment, rpc, compare_rpc, finality))
    engine = open_database(index)
    try:
        checked = check_index(engine, ledger, labels)
        with alarm_after(checked.broken):
            proven = None if trusted is None else _proven(engine, of, trusted, rpc, work_folder)
            typer.echo(f"the index holds the chain's {checked.events} events")
            if trusted is not None and proven is not None:
                _tell(proven, trusted, sites)
    finally:
        engine.dispose()


def _proven(
    engine: Engine, deployment: Deployment, trusted: Checkpoint, rpc: str, work_folder: Path | None
) -> ProvenIndex:
    blocks = BlockReader(RPCEndpoint(rpc, timeout_seconds=_REQUEST_SECONDS))
    with progress_bar() as progress:
        task = progress.add_task("blocks", total=None)
        return prove_index(
            engine,
            deployment,
            trusted,
            blocks,
            work_folder,
            lambda done, total: progress.update(task, completed=done, total=total),
        )


def _tell(proven: ProvenIndex, trusted: Checkpoint, sites: tuple[str, ...]) -> None:
    typer.echo(
        f"and every event up to block {trusted.number}: {proven.events}, by all receipts of {proven.blocks} blocks"
    )
    if sites:
        typer.echo(f"block {trusted.number} is signed by {', '.join(sites)}")
