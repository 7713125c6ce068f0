"""A round that nobody attested in time: anyone may end it, the governor by this command."""

from __future__ import annotations

from typing import Annotated

import typer

from audit.sentences import moment
from fedrx.governor import DEFAULT_CONFIG, open_governor
from fedrx.governor_options import Config, out
from gateways.chain_follower import ChainFollower
from protocol.errors import ConfigError
from protocol.identifiers import lineage_id_of
from protocol.ledger_calls import AbortRound
from protocol.reverts import AttestationStillDueError
from protocol.slugs import check_slug


def abort(
    lineage: Annotated[str, typer.Option("--lineage", parser=check_slug, help="Slug of the lineage.")],
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Ends a live round whose aggregators let their time pass: it makes no model, and the next round can open."""
    with open_governor(config) as governor:
        view = ChainFollower(governor.ledger).sync().lineages.get(lineage_id_of(lineage))
        if view is None:
            raise ConfigError(f"there is no lineage {lineage}", hint="fedrx governor status lists them")
        live = view.live_round()
        if live is None:
            raise ConfigError(f"{lineage} has no live round", hint="there is nothing to abort")
        number = live.opened.round
        try:
            receipt = governor.ledger.send(AbortRound(lineage_id_of(lineage), number))
        except AttestationStillDueError as error:
            # The contract decides: its clock is the next block's, and the newest block may be old.
            raise ConfigError(
                f"the aggregators have until {moment(error.attest_by)} to attest round {number} of {lineage}",
                hint="abort it from then on",
            ) from error
    out.print(f"aborted round {number} of {lineage} in {receipt.tx_hash}", soft_wrap=True)
