"""``fedrx node consent restored``: a person answers for the withdrawals that a restored store had lost."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from gateways.chain_follower import ChainFollower
from node.command_options import DEFAULT_CONFIG, Config, out, talk
from node.consent.lost_withdrawals import answer_for, lost_withdrawals, note_lost
from node.site import open_site
from protocol.history import ConsentView


def consent_restored(
    config: Config = DEFAULT_CONFIG,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """After a backup was put back: lists the withdrawals that it had lost, and says that they were entered again."""
    with open_site(config) as site:
        history = ChainFollower(site.chain_reader).sync()
        lost = lost_withdrawals(site.store, history.consents.get(site.site_id, ConsentView()))
        if not lost:
            talk.print("the store knows every withdrawal that the chain knows")
        for at in lost.values():
            when = datetime.fromtimestamp(at.timestamp, UTC)
            out.print(f"withdrawal of {when:%Y-%m-%d %H:%M} UTC in {at.tx_hash}", soft_wrap=True)
        if lost and not yes and not typer.confirm("Is everybody who withdrew since the backup withdrawn here again?"):
            raise typer.Exit(1)
        answer_for(site.store, lost)
        note_lost(site.journal, 0)
    if lost:
        talk.print("the node goes on: it publishes a consent root when one is needed", soft_wrap=True)
