"""``fedrx audit bundle``, and what ``fedrx audit verify`` says of the file that it makes."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from audit.bundle.checking import BundleFinding, verify_bundle
from audit.bundle.making import BundleOptions, Doing, Sources, make_bundle
from audit.connections import ChainOptions, connect_ledger, ipfs_options, open_stores
from audit.given import parse_lineage
from audit.names import Names
from audit.options import (
    RPCURL,
    CompareURL,
    DeploymentFile,
    FinalityChoice,
    IPFSURLs,
    LineageSlug,
    Peers,
    RoundRange,
    Seconds,
    SwarmKey,
    WorkFolder,
)
from audit.pieces import FetchLimits
from audit.proofs.checkpoint import last_block
from audit.proofs.seals import Trusted, TrustedBlock
from audit.replay import ReplayOptions, Step
from audit.report import replay_json, replay_lines, troubles
from audit.round_range import ALL_ROUNDS, parse_rounds
from audit.tables import progress_bar
from gateways.data_folder import require_writable, store_error
from gateways.deployment_file import load_deployment
from gateways.ledger.block_reader import BlockReader
from gateways.ledger.rpc import RPCEndpoint
from protocol.canonical_json import JSONValue
from protocol.errors import AuditError
from protocol.recipient_keys import RecipientPrivateKey

_REQUEST_SECONDS = 60.0


def bundle_command(
    deployment: DeploymentFile,
    rpc: RPCURL,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where to write the bundle.")],
    rounds: RoundRange = None,
    compare_rpc: CompareURL = None,
    finality: FinalityChoice = "latest",
    ipfs: IPFSURLs = None,
    swarm_key: SwarmKey = None,
    peer: Peers = None,
    lineage: LineageSlug = None,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="Up to this checkpoint; else up to the newest block.")
    ] = None,
    incomplete: Annotated[
        bool, typer.Option("--incomplete", help="Also when content is missing that a replay needs.")
    ] = False,
    work_folder: WorkFolder = None,
    timeout: Seconds = 60.0,
) -> None:
    """Write one file with all that is needed to verify some rounds on a machine without a network."""
    wanted = ALL_ROUNDS if rounds is None else parse_rounds(rounds)
    require_writable(out)
    ledger = connect_ledger(ChainOptions(deployment, rpc, compare_rpc, finality))
    end = last_block(ledger, checkpoint)
    options = BundleOptions(
        lineage_id=None if lineage is None else parse_lineage(lineage),
        rounds=wanted,
        incomplete=incomplete,
        limits=FetchLimits(timeout_seconds=timeout),
    )
    blocks = BlockReader(RPCEndpoint(rpc, timeout_seconds=_REQUEST_SECONDS))
    try:
        with (
            open_stores(ipfs_options(ipfs, swarm_key, peer), work_folder) as stores,
            tempfile.TemporaryDirectory(prefix="fedrx-bundle-", dir=work_folder) as folder,
            progress_bar() as progress,
        ):
            sources = Sources(load_deployment(deployment), end, blocks, stores)
            made = make_bundle(out, sources, Path(folder), _showing(options, progress))
    except OSError as error:
        raise store_error(error, work_folder or Path(tempfile.gettempdir())) from error
    for lost in made.missing:
        typer.echo(f"not in the bundle: {lost}", err=True)
    manifest = made.manifest
    typer.echo(
        f"rounds {manifest.first.number} to {manifest.last_round}, all blocks up to block {end.number}: "
        f"{out.stat().st_size} bytes in {out}"
    )


def tell_bundle(
    file: Path,
    trusted: Trusted,
    about: Callable[[TrustedBlock], Mapping[str, JSONValue]],
    keys: Sequence[RecipientPrivateKey],
    names: Names,
    work_folder: Path | None,
    *,
    as_json: bool,
) -> TrustedBlock:
    """Checks and replays a bundle and says what it shows.

    Args:
        file: The bundle.
        trusted: The reader's.
        about: What else the first object of JSON says, of the block that the bundle stands on.
        keys: The auditor's; none for a replay of what is public.
        names: Labels for ids.
        work_folder: Takes ciphertext and models meanwhile.
        as_json: JSON lines instead of text.

    Returns:
        The block that the bundle stands on.

    Raises:
        AuditError: A step failed, or the replay found a difference or a missing piece.
        ConfigError: The file cannot be read.
    """
    with progress_bar() as progress:
        task = progress.add_task("checking", total=None)

        def show(step: Step) -> None:
            progress.update(task, description=f"round {step.round_id.number}", completed=step.done, total=step.total)

        options = ReplayOptions(keys=keys, work_folder=work_folder, names=names, progress=show)
        finding = verify_bundle(file, trusted, options)
    if as_json:
        typer.echo(json.dumps({**about(finding.block), **_as_json(finding)}))
        for value in replay_json(finding.replayed, names):
            typer.echo(json.dumps(value, ensure_ascii=False))
    else:
        chain = finding.chain
        typer.echo(
            f"{chain.blocks} blocks with {chain.transactions} transactions: {len(chain.events)} events, none left out"
        )
        typer.echo(f"{finding.contents} pieces of content, {len(finding.lacking)} lacking")
        for line in replay_lines(finding.replayed, names):
            typer.echo(line)
    if not finding.replayed.same:
        raise AuditError(
            f"the replay found {troubles(finding.replayed)}", hint="docs/auditing.md says what each answer means"
        )
    return finding.block


def _as_json(finding: BundleFinding) -> dict[str, JSONValue]:
    return {
        "blocks": finding.chain.blocks,
        "transactions": finding.chain.transactions,
        "events": len(finding.chain.events),
        "contents": finding.contents,
        "lacking": [{"cid": str(content.cid), "what": content.what} for content in finding.lacking],
    }


def _showing(options: BundleOptions, progress: Progress) -> BundleOptions:
    tasks = {what: progress.add_task(what, total=None) for what in ("blocks", "contents")}

    def show(doing: Doing) -> None:
        progress.update(tasks[doing.what], completed=doing.done, total=doing.total)

    return replace(options, progress=show)
