"""``fedrx audit report`` and ``report-check``: what happened, for a regulator, with a proof named on every line."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from audit.accuracy import accuracy_of, read_scores
from audit.connections import ChainOptions, all_events, connect_ledger, ipfs_options, open_stores
from audit.findings import ReplayFinding
from audit.given import parse_lineage
from audit.key_use import open_keys, undeclared_uses
from audit.names import read_names
from audit.options import (
    RPCURL,
    CompareURL,
    DeploymentFile,
    FinalityChoice,
    IPFSURLs,
    LineageSlug,
    NamesFile,
    NameSlugs,
    PassphraseFile,
    RoundRange,
    ScoresFiles,
    Seconds,
    WorkFolder,
)
from audit.pieces import FetchLimits
from audit.regulator.contents import report_of
from audit.regulator.page import report_html
from audit.regulator.parts import Report, Scope, Sources
from audit.regulator.signing import MAX_SIGNATURE_FILE_BYTES, encode_signature, parse_signature, sign_report, signed_by
from audit.replay import ReplayOptions, replay
from audit.round_range import ALL_ROUNDS, parse_rounds
from audit.small_files import parsed, read_small
from audit.tables import progress_bar
from gateways.data_folder import write_atomically
from gateways.deployment_file import load_deployment
from protocol.errors import AuditError, ConfigError
from protocol.history import History
from protocol.ledger_events import LocatedEvent
from protocol.ports import ChainIdentity

_MAX_REPORT_BYTES = 256 << 20
_PACKAGES = ("fedrx", "numpy", "cryptography", "web3")


def report_command(
    deployment: DeploymentFile,
    rpc: RPCURL,
    out: Annotated[Path, typer.Option("--out", "-o", help="FILE.html or FILE.pdf.")],
    compare_rpc: CompareURL = None,
    finality: FinalityChoice = "latest",
    rounds: RoundRange = None,
    lineage: LineageSlug = None,
    ipfs: IPFSURLs = None,
    auditor_key: Annotated[
        Path | None, typer.Option("--auditor-key", help="The auditor's keystore: opens updates, signs the report.")
    ] = None,
    passphrase_file: PassphraseFile = None,
    names: NamesFile = None,
    name: NameSlugs = None,
    work_folder: WorkFolder = None,
    timeout: Seconds = 60.0,
    scores: ScoresFiles = None,
) -> None:
    """Write a report of rounds, consents, refusals and lineage: --ipfs replays, --auditor-key signs."""
    if out.suffix not in {".html", ".pdf"}:
        raise ConfigError(f"{out.name} ends in neither .html nor .pdf", hint="the ending says how it is written")
    labels = read_names(names, [*(name or ()), *([lineage] if lineage else ())])
    scope = Scope(
        ALL_ROUNDS if rounds is None else parse_rounds(rounds), None if lineage is None else parse_lineage(lineage)
    )
    files = read_scores(scores or ())
    keys = open_keys(auditor_key, passphrase_file, declare=False)
    ledger = connect_ledger(ChainOptions(deployment, rpc, compare_rpc, finality))
    accuracy = accuracy_of(files, [ledger.identity])
    head = ledger.head()
    events = [event for event in all_events(ledger) if event.position.block_number <= head.number]
    found: ReplayFinding | None = None
    undeclared: tuple[str, ...] = ()
    if ipfs:
        options = ReplayOptions(
            keys=keys.keys if keys else (),
            lineage_id=scope.lineage_id,
            rounds=None if rounds is None else scope.rounds,
            limits=FetchLimits(timeout_seconds=timeout),
            work_folder=work_folder,
            names=labels,
        )
        if keys:
            undeclared = undeclared_uses(ledger.identity, events, keys, options.lineage_id, options.rounds, labels)
            for sentence in undeclared:
                typer.echo(f"{sentence} (fedrx audit replay --declare)", err=True)
        found = _replayed(ledger.identity, events, ipfs, options)
    sources = Sources(ledger.identity, head, events, found, _software(), accuracy, undeclared)
    report = report_of(sources, scope, labels)
    data = report_html(report) if out.suffix == ".html" else _pdf(report)
    write_atomically(out, data)
    typer.echo(f"{sum(len(section.lines) for section in report.sections)} lines in {out}")
    if keys:
        identity = ledger.identity
        signed = sign_report(data, identity.chain_id, identity.contract_address, keys.account_key)
        beside = signature_place(out)
        write_atomically(beside, encode_signature(signed))
        typer.echo(f"signed by {signed.signer()}: {beside}")
    else:
        typer.echo("not signed: give --auditor-key to sign it", err=True)


def report_check_command(
    file: Annotated[Path, typer.Argument(help="What fedrx audit report wrote; its signature lies beside it.")],
    deployment: DeploymentFile,
    rpc: RPCURL,
    compare_rpc: CompareURL = None,
    finality: FinalityChoice = "latest",
) -> None:
    """Check that an auditor of this deployment signed a report, and that it was not changed since."""
    beside = signature_place(file)
    if file.exists() and not beside.exists():
        raise ConfigError(f"{file} has no signature beside it", hint="fedrx audit report --auditor-key signs a report")
    written = read_small(beside, MAX_SIGNATURE_FILE_BYTES)
    signed = parsed(beside, written, parse_signature, "fedrx audit report --auditor-key")
    account = signed_by(read_small(file, _MAX_REPORT_BYTES), signed)
    named = load_deployment(deployment)
    if (signed.chain_id, signed.contract_address) != (named.identity.chain_id, named.identity.contract_address):
        raise AuditError("the report is of another deployment", hint="ask for that deployment's file")
    history = History(all_events(connect_ledger(ChainOptions(deployment, rpc, compare_rpc, finality))))
    epochs = [key.epoch for key in history.auditor_keys.values() if key.auditor == account]
    if not epochs:
        raise AuditError(f"{account} was never an auditor here", hint="fedrx audit trail --kind auditor-key-published")
    typer.echo(f"signed by {account}, auditor of epoch {', '.join(map(str, epochs))}; unchanged since")


def signature_place(report: Path) -> Path:
    """Where a report's signature lies."""
    return report.with_name(f"{report.name}.signature")


def _replayed(
    identity: ChainIdentity, events: Sequence[LocatedEvent], ipfs: str, options: ReplayOptions
) -> ReplayFinding:
    with open_stores(ipfs_options(ipfs, None, None), options.work_folder) as stores, progress_bar() as progress:
        progress.add_task("replaying", total=None)
        return replay(identity, events, stores, options)


def _pdf(report: Report) -> bytes:
    from audit.regulator.pdf import report_pdf  # noqa: PLC0415 - fpdf loads for half a second

    return report_pdf(report)


def _software() -> tuple[tuple[str, str], ...]:
    found = ", ".join(f"{package} {version(package)}" for package in _PACKAGES)
    return (("Software", f"{found}, Python {platform.python_version()}"),)
