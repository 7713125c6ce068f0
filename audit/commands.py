"""``fedrx audit``: replay, trail, availability, keygen. Results go to stdout, talk to stderr."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from audit.auditor_keys import KEYSTORE_NAME, make_auditor_key
from audit.availability import check_availability, named_contents
from audit.bundle_commands import bundle_command
from audit.checkpoint_commands import checkpoint_command, cosigners_command, validators_command
from audit.connections import ChainOptions, all_events, connect_ledger, ipfs_options, open_stores
from audit.diff_command import diff_command
from audit.explorer_command import explorer_command
from audit.findings import ReplayFinding
from audit.given import parse_lineage
from audit.index_command import check_index_command
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
from audit.proof_commands import prove_command
from audit.replay import ReplayOptions, Step, replay
from audit.report import replay_json, replay_lines, troubles
from audit.report_command import report_check_command, report_command
from audit.round_range import parse_rounds
from audit.sentences import count
from audit.show_command import show_command
from audit.site_command import site_command
from audit.tables import availability_json, availability_table, output, progress_bar
from audit.trail_commands import export_command, trail_command, watch_command
from audit.verify_command import verify_command
from gateways.key_ring import KeyRing, read_new_passphrase, read_passphrase
from gateways.key_ring.passphrase import after_change
from protocol.canonical_json import JSONValue
from protocol.errors import AuditError

app = typer.Typer(no_args_is_help=True, help="Inspect the trail, replay it, and see what is still there.")
app.command("trail")(trail_command)
app.command("show")(show_command)
app.command("watch")(watch_command)
app.command("export")(export_command)
app.command("explorer")(explorer_command)
app.command("diff")(diff_command)
app.command("check-index")(check_index_command)
app.command("site")(site_command)
app.command("report")(report_command)
app.command("report-check")(report_check_command)
app.command("checkpoint")(checkpoint_command)
app.command("cosigners")(cosigners_command)
app.command("validators")(validators_command)
app.command("prove")(prove_command)
app.command("bundle")(bundle_command)
app.command("verify")(verify_command)


@app.command("replay")
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


@app.command("availability")
def availability_command(
    deployment: DeploymentFile,
    rpc: RPCURL,
    compare_rpc: CompareURL = None,
    finality: FinalityChoice = "latest",
    ipfs: IPFSURLs = None,
    swarm_key: SwarmKey = None,
    peer: Peers = None,
    read: Annotated[bool, typer.Option("--read", help="Also read and check every byte.")] = False,
    names: NamesFile = None,
    name: NameSlugs = None,
    work_folder: WorkFolder = None,
    timeout: Seconds = 60.0,
    as_json: AsJSON = False,
) -> None:
    """Show which IPFS endpoint holds each content that the chain names."""
    labels = read_names(names, name or ())
    ledger = connect_ledger(ChainOptions(deployment, rpc, compare_rpc, finality))
    contents = named_contents(all_events(ledger), labels)
    where = ipfs_options(ipfs, swarm_key, peer)
    limits = FetchLimits(timeout_seconds=timeout)
    with (
        open_stores(where, work_folder) as stores,
        tempfile.TemporaryDirectory(prefix="fedrx-availability-", dir=work_folder) as folder,
        progress_bar() as progress,
    ):
        task = progress.add_task("contents", total=len(contents))
        # A core of our own pins nothing: only what it can read from the swarm tells.
        found = check_availability(
            contents,
            stores,
            Path(folder),
            limits,
            read=read or not where.urls,
            progress=lambda done: progress.update(task, completed=done),
        )
        rows = list(found)
    endpoints = where.urls or ("own core",)
    if as_json:
        _print_json(availability_json(row, endpoints) for row in rows)
    else:
        output().print(availability_table(rows, endpoints))
    there, lost = sum(row.there for row in rows), sum(row.lost for row in rows)
    never = len(rows) - there - lost
    summed_up = f"{there} of {count(len(rows), 'content')} are there"
    typer.echo(f"{summed_up}; {never} never reached the aggregators either" if never else summed_up, err=as_json)
    if lost:
        hint = "ask more endpoints" if read else "ask more endpoints, or --read: another peer of the swarm may have it"
        raise AuditError(f"{lost} of {count(len(rows), 'content')} are held by nobody that was asked", hint=hint)


@app.command("keygen")
def keygen_command(
    out: Annotated[Path, typer.Option("--out", help="Folder for the keystore and the public key file.")],
    passphrase_file: PassphraseFile = None,
    as_json: AsJSON = False,
) -> None:
    """Make the auditor's key of the next epoch, and on first use the keystore and the account."""
    # Typed twice for a keystore that is about to be made: a slip would lose every key that comes into it.
    read = read_passphrase if (out / KEYSTORE_NAME).exists() else read_new_passphrase
    made = make_auditor_key(out, read(passphrase_file, "passphrase of the auditor's keystore: "))
    if as_json:
        _print_json(
            [
                {
                    "account": str(made.account),
                    "key_digest": str(made.key_digest),
                    "fingerprint": made.fingerprint,
                    "public_key_file": str(made.public_key_file),
                    "keystore": str(made.keystore),
                }
            ]
        )
        return
    typer.echo(f"account          {made.account}")
    typer.echo(f"key digest       {made.key_digest}")
    typer.echo(f"fingerprint      {made.fingerprint}")
    typer.echo(f"public key file  {made.public_key_file}")
    typer.echo("give the account and the public key file to the governor, and read the fingerprint aloud", err=True)
    typer.echo("keep the keystore offline", err=True)


@app.command("passphrase")
def passphrase_command(
    keystore: Annotated[Path, typer.Argument(help="The auditor's keystore.")],
    passphrase_file: PassphraseFile = None,
    new_passphrase_file: Annotated[
        Path | None, typer.Option("--new-passphrase-file", help="A 0600 file; else a prompt asks.")
    ] = None,
) -> None:
    """Change the passphrase of the auditor's keystore."""
    key_ring = KeyRing.open(keystore, read_passphrase(passphrase_file, "passphrase of the auditor's keystore: "))
    key_ring.change_passphrase(read_new_passphrase(new_passphrase_file, "new passphrase: "))
    typer.echo(after_change(None), err=True)


def _showing(options: ReplayOptions, progress: Progress) -> ReplayOptions:
    task = progress.add_task("rounds", total=None)

    def show(step: Step) -> None:
        label = f"{options.names.label(step.round_id.lineage_id)} round {step.round_id.number}"
        done = step.done + step.taken / max(1, step.updates)
        progress.update(task, description=label, completed=done, total=step.total)

    return replace(options, progress=show)


def _print_finding(finding: ReplayFinding, labels: Names, *, as_json: bool) -> None:
    if as_json:
        _print_json(replay_json(finding, labels))
    else:
        for line in replay_lines(finding, labels):
            typer.echo(line)
    if not finding.same:
        raise AuditError(f"the replay found {troubles(finding)}", hint="docs/auditing.md says what each answer means")


def _print_json(values: Iterable[JSONValue | dict[str, JSONValue]]) -> None:
    for value in values:
        typer.echo(json.dumps(value, ensure_ascii=False))
