"""Keys that the governor vouches for or keeps: the auditor's, and its own keystore's passphrase."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fedrx.fingerprints import check_fingerprint
from fedrx.governor import DEFAULT_CONFIG, open_governor
from fedrx.governor_options import Config, Fund, PassphraseFile, out, parse_account, talk
from gateways.chain_follower import ChainFollower
from gateways.key_ring import read_new_passphrase
from gateways.key_ring.passphrase import after_change
from protocol.errors import ConfigError
from protocol.identifiers import AccountAddress
from protocol.joining import auditor_fingerprint
from protocol.ledger_calls import PublishAuditorKey
from protocol.recipient_keys import check_public_key, public_key_digest


def auditor_key(
    public_key: Annotated[Path, typer.Argument(help="The auditor's public key file (fedrx audit keygen).")],
    account: Annotated[AccountAddress, typer.Option(parser=parse_account, help="The auditor's account.")],
    said: Annotated[str, typer.Option("--fingerprint", help="What the auditor read to you over the phone.")],
    config: Config = DEFAULT_CONFIG,
    fund: Fund = 1.0,
) -> None:
    """Names the auditor's key of the next epoch: it can open every update from the next round on."""
    with open_governor(config) as governor:
        try:
            key = check_public_key(public_key.read_bytes())
        except OSError as error:
            raise ConfigError(f"the public key file {public_key} cannot be read", hint="check the path") from error
        digest = public_key_digest(key)
        shown = auditor_fingerprint(account, digest)
        check_fingerprint(said, shown, of="this key's and account's", who="the auditor")
        named = ChainFollower(governor.ledger).sync().auditor_key
        if named is not None and (named.auditor, named.key_digest) == (account, digest):
            out.print(f"auditor's key {digest} is that of epoch {named.epoch} already", soft_wrap=True)
        else:
            cid = governor.block_store.add(public_key)
            receipt = governor.ledger.send(PublishAuditorKey(account, digest, cid))
            out.print(f"auditor's key {digest} in {receipt.tx_hash}", soft_wrap=True)
        governor.fund(account, fund)


def passphrase(config: Config = DEFAULT_CONFIG, new_passphrase_file: PassphraseFile = None) -> None:
    """Changes the passphrase of the governor's keystore."""
    with open_governor(config) as governor:
        key_ring = governor.key_ring
        key_ring.change_passphrase(read_new_passphrase(new_passphrase_file, "New passphrase: "))
        talk.print(after_change(governor.settings.passphrase_file), soft_wrap=True, markup=False)
