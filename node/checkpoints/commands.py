"""``fedrx node checkpoints``: what the site signed, for others, and the operator's word after a rewrite."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateways.data_folder import write_atomically
from node.checkpoints.kept import KeptCheckpoint, KeptCheckpoints
from node.checkpoints.rewrites import forget_rewrite, noted_rewrite, rewrites
from node.command_options import DEFAULT_CONFIG, AsJSON, Config, out, print_json, table_of, talk
from node.site import open_site
from protocol.cosigning import encode_cosigned
from protocol.errors import ConfigError

if TYPE_CHECKING:
    from node.site import Site


def checkpoints_command(
    config: Config = DEFAULT_CONFIG,
    *,
    as_json: AsJSON = False,
    export: Annotated[
        Path | None,
        typer.Option("--export", help="Write all of them into one file for others; nothing in it is secret."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="After a rewrite: put aside what the chain no longer holds, and go on.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Lists the blocks that this site signed: the first, and one for each round."""
    with open_site(config) as site:
        if resume:
            _resume(site, yes=yes)
            return
        kept = KeptCheckpoints(site.folder, site.identity).all()
        if export is not None:
            _export(kept, export)
            return
        noted = noted_rewrite(site.journal)
    if as_json:
        print_json({"rewrite": noted, "checkpoints": [_value(one) for one in kept]})
        return
    if noted is not None:
        out.print(noted, soft_wrap=True, markup=False, highlight=False)
    table = table_of("checkpoint", "block", "hash")
    for one in kept:
        table.add_row(one.name, str(one.checkpoint.number), str(one.checkpoint.block_hash))
    out.print(table)


def _value(one: KeptCheckpoint) -> dict[str, object]:
    return {
        "name": one.name,
        "block_number": one.checkpoint.number,
        "block_hash": str(one.checkpoint.block_hash),
        "note": encode_cosigned(one.note).decode("utf-8"),
    }


def _export(kept: tuple[KeptCheckpoint, ...], path: Path) -> None:
    if not kept:
        raise ConfigError("the site has signed no checkpoint yet", hint="run the daemon: fedrx node run")
    write_atomically(path, b"".join(encode_cosigned(one.note) for one in kept), mode=0o644)
    talk.print(f"{len(kept)} signed checkpoints in {path}", soft_wrap=True, markup=False)


def _resume(site: Site, *, yes: bool) -> None:
    with site.folder.locked():
        kept = KeptCheckpoints(site.folder, site.identity)
        gone = list(rewrites(kept.all(), site.chain_reader))
        for rewrite in gone:
            out.print(str(rewrite), soft_wrap=True, markup=False, highlight=False)
        if not gone and noted_rewrite(site.journal) is None:
            talk.print("the chain holds every block that this site signed")
            return
        if not yes and not typer.confirm("Take part again in the chain as it is now?"):
            raise typer.Exit(1)
        for rewrite in gone:
            place = kept.put_aside(rewrite.kept.name)
            out.print(f"kept as evidence: {place}", soft_wrap=True, markup=False, highlight=False)
        forget_rewrite(site.journal)
    talk.print("the node takes part again when the daemon is started", soft_wrap=True)
