"""``fedrx aggregator …``: a thin shell over the aggregator's parts. Results on stdout, talk on stderr."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from aggregator.daemon import JOURNAL, KEYSTORE, connect, run, running_block_store
from aggregator.identity import ACCOUNT_KEY, AggregatorIdentity
from aggregator.round_files import RoundFiles
from aggregator.settings import AggregatorSettings
from aggregator.settings_template import InitialChoices, render
from aggregator.status import AggregatorStatus, LineageStatus, status_of
from gateways.chain_follower import ChainFollower
from gateways.data_folder import DataFolder, write_atomically
from gateways.journal import Journal
from gateways.key_ring import KeyRing, read_new_passphrase, read_passphrase
from gateways.key_ring.accounts import address_of, create_account, open_account
from gateways.key_ring.passphrase import after_change
from gateways.settings import load_settings, parse_settings
from protocol.errors import ConfigError
from protocol.joining import fingerprint

app = typer.Typer(no_args_is_help=True, help="The aggregator: opens rounds, verifies updates, attests global models.")

DEFAULT_CONFIG = Path("aggregator.toml")
Config = Annotated[Path, typer.Option("--config", "-c", help="The aggregator's settings file.")]
AsJSON = Annotated[bool, typer.Option("--json", help="One JSON value on stdout.")]
out = Console(emoji=False)
talk = Console(stderr=True, emoji=False)


@app.command()
def init(
    aggregator: Annotated[str, typer.Option(help="The aggregator's public slug, such as north-university.")],
    deployment: Annotated[str, typer.Option(help="The consortium's deployment file, from the settings file's folder.")],
    lineage: Annotated[list[str], typer.Option(help="SLUG:SCOPE of a lineage; repeat for more.")],
    config: Config = DEFAULT_CONFIG,
    rpc_url: Annotated[str, typer.Option(help="The chain's JSON-RPC endpoint.")] = "http://127.0.0.1:8545",
    ipfs_url: Annotated[str | None, typer.Option(help="RPC URL of a Kubo that runs already.")] = None,
    swarm_key: Annotated[
        str | None, typer.Option(help="The private swarm's key file, when no IPFS URL is given.")
    ] = None,
    passphrase_file: Annotated[Path | None, typer.Option(help="File of mode 0600 with the passphrase.")] = None,
    *,
    as_json: AsJSON = False,
) -> None:
    """Writes the settings file, makes the account, and prints what the governor needs to admit this aggregator."""
    choices = InitialChoices(
        aggregator=aggregator,
        deployment=deployment,
        rpc_url=rpc_url,
        ipfs_url=ipfs_url,
        swarm_key_file=swarm_key,
        passphrase_file=str(passphrase_file.resolve()) if passphrase_file else None,
        lineages=tuple(_lineage_choice(text) for text in lineage),
    )
    text = render(choices)
    # Checked before it is written: a file that no command can read would be in the way of the next try.
    settings = parse_settings(text, config, AggregatorSettings)
    if not config.exists():
        write_atomically(config, text.encode("utf-8"))
        talk.print(f"settings    {config}", soft_wrap=True)
    elif config.read_bytes() != text.encode("utf-8"):
        raise ConfigError(f"{config} exists with other settings", hint="keep it, or move it away to start anew")
    identity = _make_account(settings)
    if as_json:
        out.print_json(
            json.dumps(
                {
                    "aggregator": identity.aggregator,
                    "aggregator_id": str(identity.aggregator_id),
                    "account": str(identity.account),
                    "key_digest": str(identity.key_digest),
                }
            )
        )
        return
    out.print(f"aggregator  {identity.aggregator}", soft_wrap=True)
    out.print(f"account     {identity.account}", soft_wrap=True)
    out.print(f"key digest  {identity.key_digest}", soft_wrap=True)
    out.print(
        f"fingerprint {fingerprint(identity.key_digest)}  (read it to the governor over the phone)", soft_wrap=True
    )


@app.command("run")
def run_command(config: Config = DEFAULT_CONFIG) -> None:
    """Runs the daemon until SIGTERM or Ctrl-C."""
    settings = load_settings(config, AggregatorSettings)
    # Another daemon's folder is told before anything is asked or shown.
    with DataFolder(settings.data_folder).locked():
        key_ring = _open_key_ring(settings)
        talk.print(json.dumps(settings.masked()), style="dim", markup=False, highlight=False, soft_wrap=True)
        run(settings, key_ring)


@app.command()
def status(config: Config = DEFAULT_CONFIG, *, as_json: AsJSON = False) -> None:
    """Shows every lineage's head, live round and last verdicts, disk and pins. Needs no passphrase."""
    settings = load_settings(config, AggregatorSettings)
    folder = DataFolder(settings.data_folder)
    follower = ChainFollower(ledger := connect(settings))
    history = follower.sync()
    journal = Journal(folder / JOURNAL)
    try:
        store = running_block_store(settings)
        found = status_of(settings, history, follower.head, ledger, journal, RoundFiles(folder), store)
    finally:
        journal.close()
    if as_json:
        out.print_json(json.dumps(asdict(found)))
    else:
        _print_status(found)


@app.command()
def passphrase(
    config: Config = DEFAULT_CONFIG,
    new_passphrase_file: Annotated[Path | None, typer.Option(help="File of mode 0600 with the new passphrase.")] = None,
) -> None:
    """Changes the keystore's passphrase. Stop the daemon first."""
    settings = load_settings(config, AggregatorSettings)
    # A daemon that holds the old passphrase could keep no round key any more.
    with DataFolder(settings.data_folder).locked():
        key_ring = _open_key_ring(settings)
        key_ring.change_passphrase(read_new_passphrase(new_passphrase_file, "New passphrase: "))
        talk.print(after_change(settings.passphrase_file), soft_wrap=True, markup=False)


def _lineage_choice(text: str) -> tuple[str, str]:
    slug, separator, scope = text.partition(":")
    if not separator or not slug or not scope:
        raise ConfigError(f"{text!r} is no lineage", hint="write it as SLUG:SCOPE")
    return slug, scope


def _make_account(settings: AggregatorSettings) -> AggregatorIdentity:
    """The account of an existing keystore, or of a new one: running init again changes nothing."""
    path = DataFolder(settings.data_folder) / KEYSTORE
    if path.exists():
        key_ring = _open_key_ring(settings)
    else:
        key_ring = KeyRing.create(path, read_new_passphrase(settings.passphrase_file, "New passphrase: "))
        talk.print(f"keystore    {path}  (back it up: its keys exist nowhere else)", soft_wrap=True)
    if ACCOUNT_KEY not in key_ring.names():
        create_account(key_ring, ACCOUNT_KEY)
    return AggregatorIdentity(settings.aggregator, address_of(open_account(key_ring, ACCOUNT_KEY)))


def _open_key_ring(settings: AggregatorSettings) -> KeyRing:
    path = DataFolder(settings.data_folder) / KEYSTORE
    if not path.exists():
        raise ConfigError(f"there is no keystore {path}", hint="make one with fedrx aggregator init")
    return KeyRing.open(path, read_passphrase(settings.passphrase_file, "Keystore passphrase: "))


def _print_status(found: AggregatorStatus) -> None:
    out.print(f"aggregator  {found.aggregator}: {found.standing}", soft_wrap=True)
    if found.account:
        out.print(f"account     {found.account}, {found.balance_wei / 10**18:.4f} ether", soft_wrap=True)
    out.print(f"chain       block {found.head_block}, {_time(found.head_timestamp)}", soft_wrap=True)
    out.print(f"disk        {found.bytes_used / 2**20:.1f} MiB used, {found.bytes_free / 2**30:.1f} GiB free")
    if found.pins is None:
        out.print("pins        no IPFS answers: is the daemon running?")
    else:
        out.print(f"pins        {found.pins.held} held, {len(found.pins.missing)} missing")
        for cid in found.pins.missing:
            out.print(f"            missing {cid}", soft_wrap=True)
    for lineage in found.lineages:
        _print_lineage(lineage)


def _print_lineage(lineage: LineageStatus) -> None:
    head = "" if lineage.head_round is None else f"head is round {lineage.head_round}, {lineage.head_cid}"
    out.print(f"\nlineage     {lineage.slug}  {head}", soft_wrap=True)
    if lineage.waiting_for:
        out.print(f"next round  waits: {lineage.waiting_for}", soft_wrap=True)
    if not lineage.rounds:
        return
    table = Table("round", "state", "registered", "votes", "deadline", "own result", box=None)
    for row in lineage.rounds:
        registered = f"{row.registered} of {row.selected}"
        table.add_row(str(row.number), row.state, registered, str(row.votes), _time(row.deadline), row.own_result)
    out.print(table)
    for row in lineage.rounds:
        for update in row.awaited:
            site, until = f"{update.site_id[:10]}…", _time(update.given_up_at)
            said = f"round {row.number} #{update.index} {site} registered, not delivered; given up at {until}"
            out.print(f"{said}: {update.hint}", soft_wrap=True)
        for verdict in row.verdicts:
            site = f"{verdict.site_id[:10]}…"
            out.print(f"round {row.number} #{verdict.index} {site} {verdict.code}: {verdict.sentence}", soft_wrap=True)


def _time(timestamp: int) -> str:
    return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%d %H:%M:%SZ}"
