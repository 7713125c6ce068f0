"""``fedrx node user …``: who may log in to the site page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateways.key_ring import read_new_passphrase
from gateways.key_ring.sealing import Argon2Cost
from node.command_options import DEFAULT_CONFIG, AsJSON, Config, out, print_json, table_of, talk
from node.consent.enrolment_commands import PNG, show_enrolment
from node.consent.grant import check_staff_name
from node.consent.second_factor import enrolment_uri
from node.site import Site, open_site
from node.store.second_factor import enrol_staff, staff_names
from node.store.users import Role, add_user, disable_user, find_user, set_password, users
from protocol.errors import ConfigError

user_app = typer.Typer(no_args_is_help=True, help="People who may log in to the site page.")

Name = Annotated[str, typer.Argument(help="A short name: lower-case letters, digits, dots, hyphens.")]
PasswordFile = Annotated[
    Path | None, typer.Option(help="File of mode 0600 with the password; asked for twice when not given.")
]


@user_app.command()
def add(
    name: Name,
    role: Annotated[list[Role], typer.Option("--role", help="What the user may do; repeatable.")],
    password_file: PasswordFile = None,
    png: PNG = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Adds a user, and shows a QR code once for their authenticator unless they have one (fedrx node staff enrol)."""
    from node.page.users import hash_password  # noqa: PLC0415 - as the page

    check_staff_name(name)
    with open_site(config) as site:
        with site.store.read() as transaction:
            if find_user(transaction, name) is not None:
                raise ConfigError(f"there is a user {name} already", hint="for a new password: fedrx node user reset")
        hashed = hash_password(_password(password_file), name, Argon2Cost())
        with site.store.write() as transaction:
            add_user(transaction, name, hashed, role)
            secret = None if name in staff_names(transaction) else enrol_staff(transaction, name, replace=False)
        if secret is not None:
            show_enrolment(_uri(site, name, secret), png)
    talk.print(f"{name} may log in as {', '.join(sorted(role))}")
    if secret is None:
        talk.print("with the codes of the authenticator that they have", soft_wrap=True)


@user_app.command()
def disable(name: Name, config: Config = DEFAULT_CONFIG) -> None:
    """Lets a user in no more; their sessions end at once. What they reviewed stays."""
    with open_site(config) as site, site.store.write() as transaction:
        disable_user(transaction, name)
    talk.print(f"{name} is not let in any more; fedrx node user reset lets them in again")


@user_app.command()
def reset(
    name: Name,
    password_file: PasswordFile = None,
    png: PNG = None,
    config: Config = DEFAULT_CONFIG,
    *,
    keep_authenticator: Annotated[
        bool, typer.Option("--keep-authenticator", help="Only the password: the telephone is not lost.")
    ] = False,
) -> None:
    """Gives a user a new password and a new authenticator, and lets them in again; their sessions end at once."""
    from node.page.users import hash_password  # noqa: PLC0415 - as the page

    with open_site(config) as site:
        hashed = hash_password(_password(password_file), name, Argon2Cost())
        with site.store.write() as transaction:
            set_password(transaction, name, hashed)
            secret = None if keep_authenticator else enrol_staff(transaction, name, replace=True)
        if secret is not None:
            show_enrolment(_uri(site, name, secret), png)
    talk.print(f"{name} has a new password")


@user_app.command("list")
def list_users(config: Config = DEFAULT_CONFIG, *, as_json: AsJSON = False) -> None:
    """Lists the users and what they may do."""
    with open_site(config) as site, site.store.read() as transaction:
        found = users(transaction)
    if as_json:
        print_json([{"name": u.name, "roles": sorted(u.roles), "disabled": u.disabled} for u in found])
        return
    table = table_of("name", "roles", "state")
    for user in found:
        table.add_row(user.name, ", ".join(sorted(user.roles)), "disabled" if user.disabled else "may log in")
    out.print(table)


def _password(file: Path | None) -> str:
    return read_new_passphrase(file, "Password: ").decode("utf-8")


def _uri(site: Site, name: str, secret: bytes) -> str:
    return enrolment_uri(secret, name, f"FedRx {site.settings.site} staff")
