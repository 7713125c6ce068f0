"""The governor's office: it passes to another account in two steps, and ends with the deployment's last word."""

from __future__ import annotations

from typing import Annotated

import typer

from fedrx.governor import DEFAULT_CONFIG, open_governor
from fedrx.governor_options import Config, Fund, out, parse_account, talk
from gateways.chain_follower import ChainFollower
from protocol.canonical_json import MAX_INTEGER
from protocol.errors import ConfigError
from protocol.identifiers import AccountAddress
from protocol.ledger_calls import AcceptOwnership, SealSuite, TransferOwnership


def transfer(
    account: Annotated[AccountAddress, typer.Argument(parser=parse_account, help="The next governor's account.")],
    config: Config = DEFAULT_CONFIG,
    fund: Fund = 1.0,
) -> None:
    """Offers the governance to another account and funds it; nothing changes until that account accepts."""
    with open_governor(config) as governor:
        if account == governor.account:
            raise ConfigError("this account governs already", hint="name the next governor's account")
        receipt = governor.ledger.send(TransferOwnership(account))
        governor.fund(account, fund)
    out.print(f"offered to {account} in {receipt.tx_hash}", soft_wrap=True)
    talk.print("until it accepts (fedrx governor accept), this account governs, and may offer to another")


def accept(config: Config = DEFAULT_CONFIG) -> None:
    """Takes the governance that was offered to this account; called again, it says that it is taken."""
    with open_governor(config) as governor:
        if ChainFollower(governor.ledger).sync().governor == governor.account:
            out.print(f"{governor.account} governs already", soft_wrap=True)
            return
        receipt = governor.ledger.send(AcceptOwnership())
        out.print(f"{governor.account} governs since {receipt.tx_hash}", soft_wrap=True)


def seal(
    successor_chain: Annotated[
        int, typer.Option(min=1, max=MAX_INTEGER, help="Chain id of the deployment that comes after.")
    ],
    successor: Annotated[AccountAddress, typer.Option(parser=parse_account, help="Its contract's address.")],
    config: Config = DEFAULT_CONFIG,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Closes this deployment for good: no lineage and no round opens any more. Live rounds end as they would."""
    link = SealSuite(successor_chain, successor)
    with open_governor(config) as governor:
        sealed = ChainFollower(governor.ledger).sync().sealed
        if sealed is not None:
            if (sealed.successor_chain_id, sealed.successor) != (link.successor_chain_id, link.successor):
                raise ConfigError(
                    f"sealed already: its successor is {sealed.successor} on chain {sealed.successor_chain_id}",
                    hint="a seal is never changed",
                )
            out.print("sealed already, with this successor")
            return
        address = governor.deployment.contract_address
        if not yes:
            talk.print(f"This closes {address} on chain {governor.deployment.chain_id} for good.", soft_wrap=True)
            typed = typer.prompt("type the contract's address to confirm", err=True)
            if typed.strip().lower() != str(address):
                raise ConfigError("that is not the contract's address", hint="nothing was sent")
        receipt = governor.ledger.send(link)
    out.print(f"sealed in {receipt.tx_hash}; successor {link.successor}", soft_wrap=True)
