"""``fedrx audit explorer``: the network on a local web page."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from audit.accuracy import accuracy_of, read_scores
from audit.connections import ChainOptions, connect_ledger
from audit.index.database import open_database
from audit.names import Names, read_names
from audit.options import (
    RPCURL,
    CompareURL,
    DeploymentFile,
    FinalityChoice,
    IndexPlace,
    NamesFile,
    NameSlugs,
    ScoresFiles,
)
from audit.scores import Scores
from audit.tables import progress_bar

_REQUEST_SECONDS = 60.0
_POLL_SECONDS = 4.0


def explorer_command(
    deployment: DeploymentFile,
    rpc: RPCURL,
    compare_rpc: CompareURL = None,
    finality: FinalityChoice = "latest",
    index: IndexPlace = None,
    names: NamesFile = None,
    name: NameSlugs = None,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="On this machine only.")] = 8450,
    scores: ScoresFiles = None,
) -> None:
    """Show rounds, sites, models, consent, gas and proofs in a browser on this machine, until Ctrl-C."""
    # Imported here: the web framework loads for a second, and the other commands need none of it.
    from audit.explorer.serving import check_free  # noqa: PLC0415

    check_free(port)
    labels = read_names(names, name or ())
    files = read_scores(scores or ())
    chain = ChainOptions(deployment, rpc, compare_rpc, finality)
    # Not in memory: several threads look at the index at the same time.
    with tempfile.TemporaryDirectory(prefix="fedrx-explorer-") as folder:
        _explore(chain, index or str(Path(folder) / "index.sqlite"), labels, port, files)


def _explore(chain: ChainOptions, index: str, labels: Names, port: int, files: Sequence[Scores]) -> None:
    from audit.explorer.app import build_app  # noqa: PLC0415
    from audit.explorer.chronicle import Chronicle  # noqa: PLC0415
    from audit.explorer.following import following  # noqa: PLC0415
    from audit.explorer.serving import HOST, serve  # noqa: PLC0415
    from audit.explorer.transactions import TransactionReader  # noqa: PLC0415
    from gateways.ledger.rpc import RPCEndpoint  # noqa: PLC0415

    ledger = connect_ledger(chain)
    accuracy = accuracy_of(files, [ledger.identity])
    endpoint = RPCEndpoint(chain.rpc_url, timeout_seconds=_REQUEST_SECONDS)
    engine = open_database(index)
    try:
        with progress_bar() as progress:
            task = progress.add_task("blocks", total=None)
            chronicle = Chronicle(
                engine,
                ledger,
                TransactionReader(endpoint),
                labels,
                lambda block, head: progress.update(task, completed=block, total=head),
            )
        typer.echo(f"the explorer is at http://{HOST}:{port}/", err=True)
        with following(chronicle, _POLL_SECONDS):
            serve(build_app(chronicle, endpoint, labels, accuracy), port)
    finally:
        engine.dispose()
