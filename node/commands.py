"""``fedrx node …``: a thin shell over the node's parts. Results on stdout, talk on stderr."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from gateways.chain_follower import ChainFollower
from gateways.data_folder import DataFolder
from gateways.key_ring import read_passphrase
from node import data_commands
from node.global_models import GlobalModels
from node.joining import create_keys, join
from node.participation import approve
from node.sent import SentLog
from node.site import Site, open_site
from protocol.errors import ConfigError
from protocol.identifiers import lineage_id_of
from protocol.ledger_calls import LeaveNetwork

if TYPE_CHECKING:
    from learning.training import TrainingProgress
    from protocol.identifiers import RoundId

app = typer.Typer(no_args_is_help=True, help="A site's node: data, consent, training, reading.")
model_app = typer.Typer(no_args_is_help=True, help="The global models that this site has seen.")
app.add_typer(model_app, name="model")
data_commands.add_to(app)

Config = Annotated[Path, typer.Option("--config", "-c", help="The node's settings file.")]
AsJSON = Annotated[bool, typer.Option("--json", help="One JSON value on stdout.")]
DEFAULT_CONFIG = Path("node.toml")
out = Console()
talk = Console(stderr=True)


@app.command()
def init(
    data: Annotated[Path, typer.Option("--data", help="The node's data folder, made when missing.")],
    witness: Annotated[list[str], typer.Option("--witness", help="A staff member who witnesses consent.")],
    passphrase_file: Annotated[Path | None, typer.Option(help="File of mode 0600 with the passphrase.")] = None,
) -> None:
    """Makes the keystore and the site's keys. fedrx node join does this too."""
    key_ring = create_keys(DataFolder(data), read_passphrase(passphrase_file, "New passphrase: "), tuple(witness))
    out.print(f"keystore with {len(key_ring.names())} keys in {data}")


@app.command("join")
def join_command(
    invitation: Annotated[Path, typer.Argument(help="The file that the governor sent.")],
    data: Annotated[Path, typer.Option("--data", help="The node's data folder, made when missing.")],
    witness: Annotated[list[str], typer.Option("--witness", help="A staff member who witnesses consent.")],
    passphrase_file: Annotated[Path | None, typer.Option(help="File of mode 0600 with the passphrase.")] = None,
) -> None:
    """Checks an invitation, makes keys and settings, and prints the fingerprint to read over the phone."""
    passphrase = read_passphrase(passphrase_file, "New passphrase: ")
    joined = join(invitation, DataFolder(data), passphrase, passphrase_file, tuple(witness), int(time.time()))
    out.print(f"settings      {joined.settings_file}", soft_wrap=True)
    out.print(f"key document  {joined.key_document_file}  (send it to the governor)", soft_wrap=True)
    out.print(f"fingerprint   {joined.fingerprint}  (read it to the governor over the phone)", soft_wrap=True)


@app.command()
def run(config: Config = DEFAULT_CONFIG) -> None:
    """Runs the daemon until SIGTERM or Ctrl-C."""
    from node.daemon import run as run_daemon  # noqa: PLC0415 - torch loads for seconds

    with open_site(config) as site, _training_bar() as progress:
        talk.print(f"[dim]{site.settings.model_dump_json(exclude={'passphrase_file'})}[/dim]", soft_wrap=True)
        run_daemon(site, progress)


@app.command()
def status(config: Config = DEFAULT_CONFIG, *, as_json: AsJSON = False) -> None:
    """Explains how the site stands and what became of its updates."""
    from node.status import status_of  # noqa: PLC0415

    with open_site(config) as site:
        follower = ChainFollower(site.ledger)
        history = follower.sync()
        found = status_of(site.site_id, site.lineage_ids, history, follower.head.timestamp, site.journal, _models(site))
        if as_json:
            out.print_json(json.dumps(asdict(found)))
            return
        out.print(f"site        {site.settings.site}: {found.membership}", soft_wrap=True)
        out.print(f"consent     {found.consent}", soft_wrap=True)
        for model in found.model:
            out.print(f"model       {model}", soft_wrap=True)
        if site.journal.get("paused"):
            out.print("rounds      paused: fedrx node pause --off to take part again")
        table = Table("lineage", "round", "state", "this site's update", box=None)
        for line in found.rounds:
            table.add_row(line.lineage, str(line.round), line.state, line.sentence)
        out.print(table)


@app.command()
def sent(config: Config = DEFAULT_CONFIG, *, as_json: AsJSON = False) -> None:
    """Lists everything that left the site: what, bytes, digest, CID, transaction."""
    with open_site(config) as site:
        items = SentLog(site.journal).items()
    if as_json:
        out.print_json(json.dumps([asdict(item) for item in items]))
        return
    table = Table("what", "round", "bytes", "digest", "CID", "tx", box=None)
    for item in items:
        table.add_row(
            item.what, str(item.round or ""), str(item.bytes or ""), item.digest[:18], item.cid, item.tx_hash[:18]
        )
    out.print(table)


@app.command()
def pause(config: Config = DEFAULT_CONFIG, *, off: Annotated[bool, typer.Option("--off")] = False) -> None:
    """Stops taking part in rounds; the daemon keeps running. --off takes part again."""
    with open_site(config) as site:
        site.journal.record("paused", value=not off)
    out.print("taking part again" if off else "paused: no new update leaves this site")


@app.command()
def leave(config: Config = DEFAULT_CONFIG, *, yes: Annotated[bool, typer.Option("--yes")] = False) -> None:
    """Leaves the network for good. The site's history stays on the chain."""
    if not yes and not typer.confirm("Leave the network for good? A site that left cannot come back."):
        raise typer.Exit(1)
    with open_site(config) as site:
        receipt = site.ledger.send(LeaveNetwork())
        SentLog(site.journal).add("leaving", tx_hash=receipt.tx_hash)
    out.print(f"left the network in {receipt.tx_hash}", soft_wrap=True)


@app.command()
def participate(config: Config = DEFAULT_CONFIG) -> None:
    """Says yes to the open round, when participation is "ask"."""
    with open_site(config) as site:
        history = ChainFollower(site.ledger).sync()
        live = [
            view
            for lineage_id in site.lineage_ids
            if (lineage := history.lineages.get(lineage_id))
            if (view := lineage.live_round())
        ]
        if not live:
            raise ConfigError("no round is open", hint="see fedrx node status")
        for view in live:
            approve(site.journal, view.round_id)
            out.print(f"takes part in round {view.opened.round}")


@app.command()
def read(
    image: Annotated[Path, typer.Argument(help="A page (PNG, JPG, PDF), or with --word one word.")],
    config: Config = DEFAULT_CONFIG,
    *,
    lineage: Annotated[str | None, typer.Option(help="Which lineage's model; the first in the settings.")] = None,
    word: Annotated[bool, typer.Option("--word", help="The image is one medicine word.")] = False,
    as_json: AsJSON = False,
) -> None:
    """Reads a prescription with the model in use. An aid to a person, never a dispensing decision."""
    from node.reading import read_image  # noqa: PLC0415 - torch loads for seconds

    with open_site(config) as site:
        slug = lineage or site.settings.lineages[0]
        readings = read_image(site, _models(site), image, lineage_id_of(slug), as_word=word)
    if as_json:
        out.print_json(json.dumps([asdict(reading) for reading in readings]))
        return
    table = Table("line", "medicine", "confidence", "alternatives", "letters", box=None)
    for reading in readings:
        others = ", ".join(f"{name} {share:.0%}" for name, share in reading.alternatives[1:4])
        table.add_row(
            str(reading.line or ""),
            reading.medicine or "[bold]cannot tell: a person must read it[/bold]",
            f"{reading.confidence:.0%}",
            others,
            reading.text,
        )
    out.print(table)


@model_app.command("list")
def model_list(config: Config = DEFAULT_CONFIG, *, as_json: AsJSON = False) -> None:
    """Lists the global models seen, their scores on this site's held-out words, and which is in use."""
    with open_site(config) as site:
        models = _models(site)
        table = Table("lineage", "round", "digest", "held-out words right", "adopted", "in use", box=None)
        values = []
        for lineage_id, slug in site.lineage_ids.items():
            in_use = models.in_use(lineage_id)
            for record in models.records(lineage_id):
                score = f"{record.correct}/{record.total}" if record.total else "none to score"
                used = in_use is not None and in_use.round == record.round
                table.add_row(
                    slug, str(record.round), str(record.digest)[:18], score, str(record.adopted), "*" if used else ""
                )
                values.append(
                    {
                        "lineage": slug,
                        "round": record.round,
                        "digest": str(record.digest),
                        "correct": record.correct,
                        "total": record.total,
                        "adopted": record.adopted,
                        "in_use": used,
                    }
                )
    if as_json:
        out.print_json(json.dumps(values))
    else:
        out.print(table)


@model_app.command("use")
def model_use(
    round_number: Annotated[int, typer.Argument(metavar="ROUND")],
    config: Config = DEFAULT_CONFIG,
    *,
    lineage: Annotated[str | None, typer.Option()] = None,
) -> None:
    """Reads with the model of another round from now on."""
    with open_site(config) as site:
        record = _models(site).use(lineage_id_of(lineage or site.settings.lineages[0]), round_number)
    out.print(f"reads with the model of round {record.round}, {record.digest}", soft_wrap=True)


def _models(site: Site) -> GlobalModels:
    return GlobalModels(
        site.folder,
        site.journal,
        max_model_bytes=site.settings.max_model_bytes,
        timeout_seconds=site.settings.fetch_timeout_seconds,
    )


class _training_bar:  # noqa: N801 - reads as a statement: with _training_bar() as progress
    """A progress bar while training; nothing when stderr is no terminal, where the log lines tell."""

    def __enter__(self) -> Callable[[RoundId, TrainingProgress], None]:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[loss]}"),
            TimeElapsedColumn(),
            console=talk,
            transient=True,
            disable=not talk.is_terminal,
        )
        self._tasks: dict[RoundId, int] = {}
        self._bar.start()
        return self._show

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def _show(self, round_id: RoundId, progress: TrainingProgress) -> None:
        if round_id not in self._tasks:
            description = f"round {round_id.number}: training"
            self._tasks[round_id] = self._bar.add_task(description, total=progress.steps, loss="")
        task = self._tasks[round_id]
        self._bar.update(task, completed=progress.step, loss=f"loss {progress.loss:.3f}")  # type: ignore[arg-type]
        if progress.step == progress.steps:
            self._bar.remove_task(task)  # type: ignore[arg-type]
            del self._tasks[round_id]
