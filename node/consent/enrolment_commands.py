"""``fedrx node consent enrol`` and ``fedrx node staff …``: authenticators whose codes are a consent's second factor."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Annotated

import segno
import typer

from gateways.data_folder import write_atomically
from node.command_options import DEFAULT_CONFIG, Config, out, talk
from node.consent.grant import check_staff_name
from node.consent.second_factor import enrolment_uri
from node.site import open_site
from node.store.local_store import check_patient
from node.store.second_factor import enrol_patient, enrol_staff, staff_names

staff_app = typer.Typer(no_args_is_help=True, help="Authenticators of staff members, for patients without a telephone.")

_PNG_SCALE = 8
PNG = Annotated[Path | None, typer.Option("--png", help="Write the QR code here (mode 0600) and show none.")]
Replace = Annotated[bool, typer.Option("--replace", help="The old telephone was lost: its codes end.")]


def consent_enrol(
    patient: Annotated[str, typer.Argument(help="The site's identifier of the patient.")],
    png: PNG = None,
    config: Config = DEFAULT_CONFIG,
    *,
    replace: Replace = False,
) -> None:
    """Shows a QR code once; the patient's authenticator reads it. Whoever sees it can make the patient's codes."""
    checked = check_patient(patient)
    with open_site(config) as site:
        issuer = f"FedRx {site.settings.site}"
        with site.store.write() as transaction:
            secret = enrol_patient(transaction, checked, replace=replace)
    show_enrolment(enrolment_uri(secret, checked, issuer), png)


@staff_app.command("enrol")
def staff_enrol(
    name: Annotated[str, typer.Argument(help="A short name: lower-case letters, digits, dots, hyphens.")],
    png: PNG = None,
    config: Config = DEFAULT_CONFIG,
    *,
    replace: Replace = False,
) -> None:
    """Shows a QR code once; the staff member's authenticator reads it."""
    check_staff_name(name)
    with open_site(config) as site:
        issuer = f"FedRx {site.settings.site} staff"
        with site.store.write() as transaction:
            secret = enrol_staff(transaction, name, replace=replace)
    show_enrolment(enrolment_uri(secret, name, issuer), png)


@staff_app.command("list")
def staff_list(config: Config = DEFAULT_CONFIG) -> None:
    """Lists the staff members who have an authenticator."""
    with open_site(config) as site, site.store.read() as transaction:
        for name in staff_names(transaction):
            out.print(name, markup=False)


def show_enrolment(uri: str, png: Path | None) -> None:
    """Shows an authenticator's QR code once, on the terminal or in a private file."""
    code = segno.make(uri, micro=False)
    if png is None:
        text = io.StringIO()
        code.terminal(out=text, compact=True)
        typer.echo(text.getvalue(), nl=False)
        talk.print("scan it with an authenticator, then clear the screen: it is shown once")
        return
    picture = io.BytesIO()
    code.save(picture, kind="png", scale=_PNG_SCALE)
    write_atomically(png, picture.getvalue())
    talk.print(f"scan {png} with an authenticator, then delete it: it is written once", markup=False, soft_wrap=True)
