"""``fedrx node …``: a thin shell over the node's parts. Results on stdout, talk on stderr."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from gateways.chain_follower import ChainFollower
from gateways.data_folder import DataFolder
from gateways.key_ring import read_new_passphrase
from node.checkpoints.commands import checkpoints_command
from node.checkpoints.rewrites import noted_rewrite
from node.command_options import DEFAULT_CONFIG, AsJSON, Config, out, print_json, talk
from node.data import commands as data_commands
from node.data.read_command import read_command
from node.joining import create_keys, join
from node.keys import commands as key_commands
from node.keys.documents import own_account
from node.rounds.records import approve
from node.sent import SentLog
from node.settings import shown
from node.site import Site, models_of, open_site
from protocol.errors import ConfigError
from protocol.identifiers import lineage_id_of
from protocol.ledger_calls import LeaveNetwork
from protocol.round import RoundState

if TYPE_CHECKING:
    from rich.progress import TaskID

    from learning.training import TrainingProgress
    from node.rounds.preparation import ShowProgress
    from protocol.identifiers import RoundId

app = typer.Typer(no_args_is_help=True, help="A site's node: data, consent, training, reading.")
model_app = typer.Typer(no_args_is_help=True, help="The global models that this site has seen.")
app.add_typer(model_app, name="model")
data_commands.add_to(app)
app.command("read")(read_command)
app.command("checkpoints")(checkpoints_command)
key_commands.add_to(app)


@app.command()
def init(
    data: Annotated[Path, typer.Option("--data", help="The node's data folder, made when missing.")],
    witness: Annotated[list[str], typer.Option("--witness", help="A staff member who witnesses consent.")],
    passphrase_file: Annotated[Path | None, typer.Option(help="File of mode 0600 with the passphrase.")] = None,
) -> None:
    """Makes the keystore and the site's keys. fedrx node join does this too."""
    key_ring = create_keys(DataFolder(data), read_new_passphrase(passphrase_file, "New passphrase: "), tuple(witness))
    out.print(f"keystore with {len(key_ring.names())} keys in {data}")


@app.command("join")
def join_command(
    invitation: Annotated[Path, typer.Argument(help="The file that the governor sent.")],
    data: Annotated[Path, typer.Option("--data", help="The node's data folder, made when missing.")],
    witness: Annotated[list[str], typer.Option("--witness", help="A staff member who witnesses consent.")],
    passphrase_file: Annotated[Path | None, typer.Option(help="File of mode 0600 with the passphrase.")] = None,
) -> None:
    """Checks an invitation, makes keys and settings, and prints the fingerprint to read over the phone."""
    passphrase = read_new_passphrase(passphrase_file, "New passphrase: ")
    joined = join(invitation, DataFolder(data), passphrase, passphrase_file, tuple(witness), int(time.time()))
    out.print(f"settings      {joined.settings_file}", soft_wrap=True, markup=False)
    out.print(f"key document  {joined.key_document_file}  (send it to the governor)", soft_wrap=True, markup=False)
    out.print(f"governor      {joined.governor}  (have it confirmed in the same call)", soft_wrap=True)
    out.print(f"fingerprint   {joined.fingerprint}  (read it to the governor over the phone)", soft_wrap=True)


@app.command()
def run(config: Config = DEFAULT_CONFIG) -> None:
    """Runs the daemon until SIGTERM or Ctrl-C."""
    from node.daemon import run as run_daemon  # noqa: PLC0415 - torch loads for seconds

    # The lock first: a folder that another daemon owns is told of in one line.
    with open_site(config) as site, site.folder.locked(), _training_bar() as progress:
        for name, value in shown(site.settings).items():
            talk.print(f"{name} = {value}", markup=False, highlight=False, soft_wrap=True)
        run_daemon(site, progress)


@app.command()
def status(config: Config = DEFAULT_CONFIG, *, as_json: AsJSON = False) -> None:
    """Explains how the site stands and what became of its updates."""
    from node.status import status_of  # noqa: PLC0415

    with open_site(config) as site:
        follower = ChainFollower(site.chain_reader)
        history = follower.sync()
        found = status_of(
            site.site_id,
            site.lineage_ids,
            history,
            follower.head.timestamp,
            site.journal,
            models_of(site),
            account=own_account(site.folder, history.sites.get(site.site_id)),
        )
        paused = bool(site.journal.get("paused"))
        rewrite = noted_rewrite(site.journal)
    if as_json:
        print_json({**asdict(found), "paused": paused, "rewrite": rewrite})
        return
    lines = [f"site        {site.settings.site}: {found.membership}", f"consent     {found.consent}"]
    lines += [f"model       {model}" for model in found.model]
    lines += ["rounds      paused: fedrx node pause --off takes part again"] if paused else []
    lines += [f"stopped     {rewrite}: see fedrx node checkpoints"] if rewrite else []
    for line in lines:
        out.print(line, soft_wrap=True, markup=False, highlight=False)
    table = Table("lineage", "round", "state", "this site's update", box=None)
    for row in found.rounds:
        table.add_row(row.lineage, str(row.round), row.state, escape(row.sentence))
    out.print(table)


@app.command()
def sent(config: Config = DEFAULT_CONFIG, *, as_json: AsJSON = False) -> None:
    """Lists everything that left the site: what, bytes, digest, CID, transaction."""
    with open_site(config) as site:
        items = SentLog(site.journal).items()
    if as_json:
        print_json([asdict(item) for item in items])
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
    # A daemon that signs with the same account at the same moment would take the same nonce.
    with open_site(config) as site, site.folder.locked():
        receipt = site.ledger.send(LeaveNetwork())
        SentLog(site.journal).add("leaving", tx_hash=receipt.tx_hash, at=receipt.position.timestamp)
    out.print(f"left the network in {receipt.tx_hash}", soft_wrap=True)


@app.command()
def participate(config: Config = DEFAULT_CONFIG) -> None:
    """Says yes to the open round, when participation is "ask"."""
    with open_site(config) as site:
        follower = ChainFollower(site.chain_reader)
        lineages = [follower.sync().lineages.get(lineage_id) for lineage_id in site.lineage_ids]
        live = [view for lineage in lineages if lineage and (view := lineage.live_round())]
        now = follower.head.timestamp
        open_rounds = [view for view in live if view.state(now) is RoundState.OPEN]
        if not open_rounds:
            raise ConfigError("no round is open", hint="see fedrx node status")
        for view in open_rounds:
            approve(site.journal, view.round_id)
            out.print(f"takes part in round {view.opened.round}")


@model_app.command("list")
def model_list(config: Config = DEFAULT_CONFIG, *, as_json: AsJSON = False) -> None:
    """Lists the global models seen, their scores on this site's held-out words, and which is in use."""
    with open_site(config) as site:
        values = list(_model_values(site))
    if as_json:
        print_json(values)
        return
    table = Table("lineage", "round", "digest", "held-out words right", "adopted", "in use", box=None)
    for value in values:
        score = f"{value['correct']}/{value['total']}" if value["total"] else value["reason"] or "none to score"
        cells = (value["lineage"], value["round"], str(value["digest"])[:18], score, value["adopted"])
        table.add_row(*(escape(str(cell)) for cell in cells), "*" if value["in_use"] else "")
    out.print(table)


def _model_values(site: Site) -> Iterator[dict[str, object]]:
    models = models_of(site)
    for lineage_id, slug in site.lineage_ids.items():
        in_use = models.in_use(lineage_id)
        for record in models.records(lineage_id):
            yield {
                "lineage": slug,
                "round": record.round,
                "digest": str(record.digest),
                "correct": record.correct,
                "kept_correct": record.kept_correct,
                "total": record.total,
                "adopted": record.adopted,
                "reason": record.reason,
                "in_use": in_use is not None and in_use.round == record.round,
            }


@model_app.command("use")
def model_use(
    round_number: Annotated[int, typer.Argument(metavar="ROUND")],
    config: Config = DEFAULT_CONFIG,
    *,
    lineage: Annotated[str | None, typer.Option()] = None,
) -> None:
    """Reads with the model of another round from now on."""
    with open_site(config) as site:
        record = models_of(site).use(lineage_id_of(lineage or site.settings.lineages[0]), round_number)
    out.print(f"reads with the model of round {record.round}, {record.digest}", soft_wrap=True)


@contextmanager
def _training_bar() -> Iterator[ShowProgress]:
    """A progress bar while training; nothing when stderr is no terminal, where the log lines tell."""
    tasks: dict[RoundId, TaskID] = {}
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[loss]}"),
        TimeElapsedColumn(),
        console=talk,
        transient=True,
        disable=not talk.is_terminal,
    ) as bar:

        def show(round_id: RoundId, progress: TrainingProgress) -> None:
            if progress.step == 1 and round_id in tasks:
                # An earlier training of the round was ended before its last step.
                bar.remove_task(tasks.pop(round_id))
            if round_id not in tasks:
                description = f"round {round_id.number}: training"
                tasks[round_id] = bar.add_task(description, total=progress.steps, loss="")
            bar.update(tasks[round_id], completed=progress.step, loss=f"loss {progress.loss:.3f}")
            if progress.step == progress.steps:
                bar.remove_task(tasks.pop(round_id))

        yield show
