"""``fedrx audit replay``: every verdict and every global model is computed anew."""

from __future__ import annotations

import json
from dataclasses import replace

import typer
from rich.progress import Progress

from audit.connections import ChainOptions, all_events, connect_ledger, ipfs_options, open_stores
from audit.findings import ReplayFinding
from audit.given import parse_lineage
from audit.key_use import declare_use, open_keys
from audit.names import Names, read_names
from audit.options import (
    RPCURL,
    AsJSON,
    AuditorKeystore,
    CompareURL,
    Declare,
    DeploymentFile,
    FinalityChoice,
    IPFSURLs,
    LineageSlug,
    NamesFile,
    NameSlugs,
    PassphraseFile,
    Peers,
    RoundRange,
    Seconds,
    SwarmKey,
    WorkFolder,
)
from audit.pieces import FetchLimits
from audit.replay import ReplayOptions, Step, replay
from audit.report import replay_json, replay_lines, troubles
from audit.round_range import parse_rounds
from audit.tables import progress_bar
from protocol.errors import AuditError


def replay_command(
    deployment: DeploymentFile,
    rpc: RPCURL,
    compare_rpc: CompareURL = None,
    finality: FinalityChoice = "latest",
    ipfs: IPFSURLs = None,
    swarm_key: SwarmKey = None,
    peer: Peers = None,
    auditor_key: AuditorKeystore = None,
    passphrase_file: PassphraseFile = None,
    declare: Declare = False,
    lineage: LineageSlug = None,
    rounds: RoundRange = None,
    names: NamesFile = None,
    name: NameSlugs = None,
    work_folder: WorkFolder = None,
    timeout: Seconds = 60.0,
    as_json: AsJSON = False,
) -> None:
    """Recompute every verdict and every global model from event logs and IPFS alone."""
    labels = read_names(names, [*(name or ()), *([lineage] if lineage else ())])
    opened = open_keys(auditor_key, passphrase_file, declare=declare)
    chain = ChainOptions(deployment, rpc, compare_rpc, finality)
    ledger = connect_ledger(chain, signer_key=opened.account_key if opened and declare else None)
    events = all_events(ledger)
    options = ReplayOptions(
        keys=opened.keys if opened else (),
        lineage_id=None if lineage is None else parse_lineage(lineage),
        rounds=None if rounds is None else parse_rounds(rounds),
        limits=FetchLimits(timeout_seconds=timeout),
        work_folder=work_folder,
        names=labels,
    )
    with open_stores(ipfs_options(ipfs, swarm_key, peer), work_folder) as stores:
        if opened:
            declare_use(ledger, events, opened, options.lineage_id, options.rounds, labels, send=declare)
        with progress_bar() as progress:
            finding = replay(ledger.identity, events, stores, _showing(options, progress))
    _print_finding(finding, labels, as_json=as_json)


def _showing(options: ReplayOptions, progress: Progress) -> ReplayOptions:
    task = progress.add_task("rounds", total=None)

    def show(step: Step) -> None:
        label = f"{options.names.label(step.round_id.lineage_id)} round {step.round_id.number}"
        done = step.done + step.taken / max(1, step.updates)
        progress.update(task, description=label, completed=done, total=step.total)

    return replace(options, progress=show)


def _print_finding(finding: ReplayFinding, labels: Names, *, as_json: bool) -> None:
    if as_json:
        for value in replay_json(finding, labels):
            typer.echo(json.dumps(value, ensure_ascii=False))
    else:
        for line in replay_lines(finding, labels):
            typer.echo(line)
    if not finding.same:
        raise AuditError(f"the replay found {troubles(finding)}", hint="docs/auditing.md says what each answer means")
