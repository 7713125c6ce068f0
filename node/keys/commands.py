"""``fedrx node rotate-account``, ``witness …`` and ``passphrase``: a site's keys over the years (docs/keys.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateways.key_ring import read_new_passphrase
from gateways.key_ring.passphrase import after_change
from node.command_options import DEFAULT_CONFIG, AsJSON, Config, out, print_json, table_of, talk
from node.keys.rotation import ProposedKeys, add_witness, remove_witness, rotate_account, witnesses
from node.site import open_site

witness_app = typer.Typer(no_args_is_help=True, help="Staff members who witness consent and sign receipts.")

Name = Annotated[str, typer.Argument(help="A short name: lower-case letters, digits, dots, hyphens, underscores.")]


def add_to(app: typer.Typer) -> None:
    """Mounts the commands of this module."""
    app.command("rotate-account")(rotate_account_command)
    app.command("passphrase")(passphrase_command)
    app.add_typer(witness_app, name="witness")


def rotate_account_command(config: Config = DEFAULT_CONFIG) -> None:
    """Makes a new account and a key document that names it; the old account signs until the chain shows the new one."""
    with open_site(config) as site:
        _show(rotate_account(site))


def passphrase_command(
    config: Config = DEFAULT_CONFIG,
    new_passphrase_file: Annotated[Path | None, typer.Option(help="File of mode 0600 with the new passphrase.")] = None,
) -> None:
    """Changes the keystore's passphrase. Stop the daemon first."""
    # A daemon that holds the old passphrase could not write its keystore any more.
    with open_site(config) as site, site.folder.locked():
        key_ring = site.key_ring
        key_ring.change_passphrase(read_new_passphrase(new_passphrase_file, "New passphrase: "))
        talk.print(after_change(site.settings.passphrase_file), soft_wrap=True, markup=False)


@witness_app.command("add")
def witness_add(name: Name, config: Config = DEFAULT_CONFIG) -> None:
    """Makes a signing key for a staff member and a key document that lists it."""
    with open_site(config) as site:
        _show(add_witness(site, name))


@witness_app.command("remove")
def witness_remove(name: Name, config: Config = DEFAULT_CONFIG) -> None:
    """Shreds the signing key of a staff member who leaves, and makes a key document without it."""
    with open_site(config) as site:
        _show(remove_witness(site, name))


@witness_app.command("list")
def witness_list(config: Config = DEFAULT_CONFIG, *, as_json: AsJSON = False) -> None:
    """Lists the staff members who have a signing key, and whether the chain's key document lists it."""
    with open_site(config) as site:
        found = witnesses(site)
    if as_json:
        print_json([{"name": each.name, "account": str(each.account), "listing": each.listing} for each in found])
        return
    table = table_of("name", "account", "key document")
    for each in found:
        table.add_row(each.name, str(each.account), each.listing)
    out.print(table)


def _show(proposed: ProposedKeys) -> None:
    command = "fedrx governor rotate-site" if proposed.admitted else "fedrx admit"
    out.print(f"key document  {proposed.file}  (send it to the governor)", soft_wrap=True, markup=False)
    out.print(f"account       {proposed.account}", soft_wrap=True)
    out.print(f"fingerprint   {proposed.fingerprint}  (read it to the governor over the phone)", soft_wrap=True)
    talk.print(f"in force once the governor has run {command} and the chain shows it", soft_wrap=True)
