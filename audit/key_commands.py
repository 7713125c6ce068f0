"""``fedrx audit keygen`` and ``passphrase``: the auditor's keystore."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from audit.auditor_keys import KEYSTORE_NAME, make_auditor_key
from audit.options import (
    AsJSON,
    PassphraseFile,
)
from gateways.key_ring import KeyRing, read_new_passphrase, read_passphrase
from gateways.key_ring.passphrase import after_change


def keygen_command(
    out: Annotated[Path, typer.Option("--out", help="Folder for the keystore and the public key file.")],
    passphrase_file: PassphraseFile = None,
    as_json: AsJSON = False,
) -> None:
    """Make the auditor's key of the next epoch, and on first use the keystore and the account."""
    # Typed twice for a keystore that is about to be made: a slip would lose every key that comes into it.
    read = read_passphrase if (out / KEYSTORE_NAME).exists() else read_new_passphrase
    made = make_auditor_key(out, read(passphrase_file, "passphrase of the auditor's keystore: "))
    if as_json:
        value = {
            "account": str(made.account),
            "key_digest": str(made.key_digest),
            "fingerprint": made.fingerprint,
            "public_key_file": str(made.public_key_file),
            "keystore": str(made.keystore),
        }
        typer.echo(json.dumps(value, ensure_ascii=False))
        return
    typer.echo(f"account          {made.account}")
    typer.echo(f"key digest       {made.key_digest}")
    typer.echo(f"fingerprint      {made.fingerprint}")
    typer.echo(f"public key file  {made.public_key_file}")
    typer.echo("give the account and the public key file to the governor, and read the fingerprint aloud", err=True)
    typer.echo("keep the keystore offline", err=True)


def passphrase_command(
    keystore: Annotated[Path, typer.Argument(help="The auditor's keystore.")],
    passphrase_file: PassphraseFile = None,
    new_passphrase_file: Annotated[
        Path | None, typer.Option("--new-passphrase-file", help="A 0600 file; else a prompt asks.")
    ] = None,
) -> None:
    """Change the passphrase of the auditor's keystore."""
    key_ring = KeyRing.open(keystore, read_passphrase(passphrase_file, "passphrase of the auditor's keystore: "))
    key_ring.change_passphrase(read_new_passphrase(new_passphrase_file, "new passphrase: "))
    typer.echo(after_change(None), err=True)
