"""``fedrx node page``: the site page, a process of its own beside the daemon."""

from __future__ import annotations

import socket
import time
from typing import Annotated

import typer

from gateways.data_folder import write_atomically
from node.command_options import DEFAULT_CONFIG, Config, out, talk
from node.site import Site, open_site


def page_command(
    config: Config = DEFAULT_CONFIG,
    bind: Annotated[
        str | None, typer.Option(help="Address and port; any but loopback needs TLS. From the settings when not given.")
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", help="With --make-certificate: a name or address of this machine; repeatable."),
    ] = None,
    *,
    make_certificate: Annotated[
        bool, typer.Option("--make-certificate", help="Make a certificate for this machine, show its fingerprint, end.")
    ] = False,
) -> None:
    """Serves the site page to the browsers of named users (fedrx node user add)."""
    # Imported here: the web framework loads for a second, and the other commands need none of it.
    from node.page.parts import parts_of  # noqa: PLC0415
    from node.page.serving import binding_of, serve  # noqa: PLC0415

    with open_site(config) as site:
        if make_certificate:
            _make_certificate(site, name or [])
            return
        binding = binding_of(bind or site.settings.page.bind, site.settings.page, site.folder)
        parts = parts_of(site)
        talk.print(f"the page is at {binding.url}", soft_wrap=True)
        if binding.fingerprint:
            talk.print(f"certificate SHA-256 {binding.fingerprint}", soft_wrap=True)
        serve(parts, binding)


def _make_certificate(site: Site, names: list[str]) -> None:
    from node.page.certificate import CERTIFICATE_FILE, KEY_FILE, fingerprint  # noqa: PLC0415
    from node.page.certificate import make_certificate as made  # noqa: PLC0415
    from node.page.serving import LOOPBACK_NAMES  # noqa: PLC0415

    own = made([*names, socket.gethostname(), *LOOPBACK_NAMES], int(time.time()))
    # The key first: a certificate alone would be taken for a pair.
    write_atomically(site.folder / KEY_FILE, own.key_pem)
    write_atomically(site.folder / CERTIFICATE_FILE, own.certificate_pem, mode=0o644)
    out.print(f"certificate  {site.folder / CERTIFICATE_FILE}", soft_wrap=True, markup=False)
    out.print(f"SHA-256      {fingerprint(own.certificate_pem)}", soft_wrap=True)
    talk.print("compare the SHA-256 on each telephone once, before you trust the certificate there", soft_wrap=True)
