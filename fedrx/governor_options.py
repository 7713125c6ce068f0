"""Options and output that the governor's commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from protocol.errors import ConfigError, MalformedError
from protocol.identifiers import AccountAddress, Digest
from protocol.slugs import check_slug

_MAX_FUND_ETHER = 1_000_000.0


def parse_account(text: str) -> AccountAddress:
    """An account as it was typed.

    Raises:
        ConfigError: Not an address.
    """
    try:
        return AccountAddress.from_hex(text)
    except MalformedError as error:
        raise ConfigError(f"{text!r:.100} is no account", hint="write 0x and 40 hexadecimal digits") from error


def parse_digest(text: str) -> Digest:
    """A digest as it was typed.

    Raises:
        ConfigError: Not one.
    """
    try:
        return Digest.from_hex(text)
    except MalformedError as error:
        raise ConfigError(f"{text!r:.100} is no digest", hint="write 0x and 64 hexadecimal digits") from error


def _check_ether(ether: float) -> float:
    # Written so that it refuses what is no number too.
    if not 0 <= ether <= _MAX_FUND_ETHER:
        raise ConfigError(f"{ether} is no sum to fund an account with", hint=f"give 0 to {_MAX_FUND_ETHER:.0f} ether")
    return ether


Config = Annotated[Path, typer.Option("--config", "-c", help="The governor's settings file.")]
PassphraseFile = Annotated[Path | None, typer.Option(help="File of mode 0600 with the passphrase.")]
Fund = Annotated[
    float, typer.Option(callback=_check_ether, help="Ether for the account's transactions, if it holds less than half.")
]
SiteSlug = Annotated[str, typer.Argument(parser=check_slug, help="The site's public slug, such as dhaka-general.")]
AsJSON = Annotated[bool, typer.Option("--json", help="One JSON value on stdout.")]
out = Console(emoji=False)
talk = Console(stderr=True, emoji=False)
