"""The governor's commands: ``fedrx governor …``, and ``deploy``, ``genesis``, ``invite`` and ``admit`` at the top."""

from __future__ import annotations

import typer

from fedrx.governor_keys import auditor_key, passphrase
from fedrx.governor_membership import (
    admit,
    admit_aggregator,
    invite,
    reinstate,
    rotate_site,
    set_aggregators,
    suspend,
)
from fedrx.governor_office import accept, seal, transfer
from fedrx.governor_rounds import abort
from fedrx.governor_setup import deploy, genesis, init
from fedrx.governor_status import status

__all__ = ["admit", "app", "deploy", "genesis", "invite"]

app = typer.Typer(no_args_is_help=True, help="The consortium's governor: keys, aggregators, auditor, sites.")
app.command()(init)
app.command()(status)
app.command("rotate-site")(rotate_site)
app.command()(suspend)
app.command()(reinstate)
app.command("admit-aggregator")(admit_aggregator)
app.command("set-aggregators")(set_aggregators)
app.command("auditor-key")(auditor_key)
app.command()(abort)
app.command()(transfer)
app.command()(accept)
app.command()(seal)
app.command()(passphrase)
