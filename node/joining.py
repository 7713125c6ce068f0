"""Joining the network (docs/join.md): an invitation comes in, a key document goes out, private keys never leave."""

from __future__ import annotations

import json
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from gateways.daemon_block_store import SWARM_KEY_FILE
from gateways.data_folder import DataFolder, write_atomically
from gateways.key_ring import KeyRing
from gateways.key_ring.accounts import address_of, create_account, open_account
from gateways.settings import load_settings
from node.consent.desk import witness_key
from node.keys.documents import ACCOUNT_KEY, KEY_DOCUMENT_FILE, read_key_document, write_key_document
from node.settings import NodeSettings
from node.site import AUDIT_KEY, KEYSTORE, STORE, WITNESS_PREFIX
from node.store.opening import STORE_KEY, STORE_MADE, open_store
from protocol.deployment import encode_deployment
from protocol.errors import ConfigError, MalformedError
from protocol.identifiers import AccountAddress
from protocol.joining import (
    Invitation,
    KeyDocument,
    audit_key_commitment,
    fingerprint,
    key_document_digest,
    parse_invitation,
)

SETTINGS_FILE = "node.toml"
DEPLOYMENT_FILE = "deployment.json"


@dataclass(frozen=True, slots=True)
class Joined:
    """What the operator does next with what joining made."""

    settings_file: Path
    key_document_file: Path
    fingerprint: str
    """To be read to the governor over the phone."""
    governor: AccountAddress
    """Who signed the invitation; anyone can sign one, so the phone call must confirm it."""


def create_keys(folder: DataFolder, passphrase: bytes, witnesses: tuple[str, ...]) -> KeyRing:
    """Makes the keystore, the keys that are missing in it, and the empty local store; what exists stays.

    Args:
        folder: The node's data folder.
        passphrase: Seals the keystore.
        witnesses: Names of the staff who witness consent.

    Raises:
        WrongPassphraseError: The keystore exists with another passphrase.
    """
    path = folder / KEYSTORE
    key_ring = KeyRing.open(path, passphrase) if path.exists() else KeyRing.create(path, passphrase)
    for name in (STORE_KEY, AUDIT_KEY):
        if name not in key_ring.names():
            key_ring.put(name, os.urandom(32))
    for name in (ACCOUNT_KEY, *(WITNESS_PREFIX + witness for witness in witnesses)):
        if name not in key_ring.names():
            create_account(key_ring, name)
    if STORE_MADE not in key_ring.names():
        # At once, so that every backup of the keystore knows that there is a store.
        open_store(folder / STORE, key_ring).close()
    return key_ring


def join(
    invitation_file: Path,
    folder: DataFolder,
    passphrase: bytes,
    passphrase_file: Path | None,
    witnesses: tuple[str, ...],
    now: int,
) -> Joined:
    """Checks an invitation and makes everything that the node needs to run. Running it again makes what is missing.

    Args:
        invitation_file: From the governor.
        folder: The node's data folder.
        passphrase: Seals the keystore.
        passphrase_file: Named in the settings, so that the daemon starts without a terminal.
        witnesses: Names of the staff who witness consent; at least one.
        now: Seconds since 1970.

    Raises:
        MalformedError: The invitation is damaged, expired, or not the governor's.
        ConfigError: The folder belongs to another site or network, nobody witnesses, or somebody who is not in the key
            document that was made before.
    """
    if not witnesses:
        raise ConfigError("nobody witnesses consent", hint="name at least one staff member with --witness")
    for witness in witnesses:
        witness_key(witness)
    try:
        invitation = parse_invitation(invitation_file.read_bytes(), now=now)
    except OSError as error:
        raise ConfigError(f"the invitation {invitation_file} cannot be read", hint="check the path") from error
    except MalformedError as error:
        hint = error.hint or "ask the governor for another invitation"
        raise MalformedError(f"{invitation_file}: {error.what}", hint=hint) from error
    text = _settings_text(invitation, passphrase_file)
    # Everything is checked before anything is written: another site's folder must stay as it is.
    _check_settings(text)
    if not invitation.swarm_key.isascii():
        raise MalformedError(f"{invitation_file} holds no swarm key", hint="ask the governor for another invitation")
    _check_folder(folder, invitation)
    document = read_key_document(folder / KEY_DOCUMENT_FILE)
    if document is not None:
        _check_witnesses(folder, passphrase, witnesses)
    key_ring = create_keys(folder, passphrase, witnesses)
    write_atomically(folder / DEPLOYMENT_FILE, encode_deployment(invitation.deployment))
    if invitation.swarm_key:
        write_atomically(folder / SWARM_KEY_FILE, invitation.swarm_key.encode("ascii"))
    settings_file = folder / SETTINGS_FILE
    if not settings_file.exists():
        write_atomically(settings_file, text.encode("utf-8"))
    if document is None:
        document = key_document(invitation.site, key_ring, ACCOUNT_KEY)
        write_key_document(folder, KEY_DOCUMENT_FILE, document)
    return Joined(
        settings_file=settings_file,
        key_document_file=folder / KEY_DOCUMENT_FILE,
        fingerprint=fingerprint(key_document_digest(document)),
        governor=invitation.governor,
    )


def key_document(site: str, key_ring: KeyRing, account_key: str) -> KeyDocument:
    """The public halves of a site's keys.

    Args:
        site: Slug.
        key_ring: Every witness in it is listed.
        account_key: Name of the account's key.
    """
    witnesses = [name for name in key_ring.names() if name.startswith(WITNESS_PREFIX)]
    return KeyDocument(
        site=site,
        account=address_of(open_account(key_ring, account_key)),
        witnesses=tuple(sorted(address_of(open_account(key_ring, name)) for name in witnesses)),
        audit_key_commitment=audit_key_commitment(key_ring.get(AUDIT_KEY)),
    )


def _check_witnesses(folder: DataFolder, passphrase: bytes, witnesses: tuple[str, ...]) -> None:
    """A key document that was handed over is not changed by joining again: its fingerprint may be on the chain."""
    known = KeyRing.open(folder / KEYSTORE, passphrase).names()
    for witness in witnesses:
        if witness_key(witness) not in known:
            raise ConfigError(
                f"the key document is made and does not list {witness}", hint=f"fedrx node witness add {witness}"
            )


def _check_folder(folder: DataFolder, invitation: Invitation) -> None:
    settings_file, deployment_file = folder / SETTINGS_FILE, folder / DEPLOYMENT_FILE
    if settings_file.exists() and load_settings(settings_file, NodeSettings).site != invitation.site:
        raise ConfigError(f"{settings_file} belongs to another site", hint="use another data folder")
    if deployment_file.exists() and deployment_file.read_bytes() != encode_deployment(invitation.deployment):
        raise ConfigError(
            f"{deployment_file} names another deployment than the invitation",
            hint="use another data folder: a site's keys and receipts belong to one contract",
        )


def _check_settings(text: str) -> None:
    """An invitation's words become settings only when they are good settings."""
    try:
        NodeSettings.model_validate(tomllib.loads(text))
    except (ValueError, ValidationError) as error:
        raise MalformedError(
            "the invitation's words make no settings", hint="ask the governor for another invitation"
        ) from error


def _settings_text(invitation: Invitation, passphrase_file: Path | None) -> str:
    """A settings file that a person can read; every key is in docs/settings.md."""
    passphrase = f"passphrase_file = {_quoted(str(passphrase_file.resolve()))}\n" if passphrase_file else ""
    return (
        "# A FedRx node. Every key is explained in docs/settings.md.\n"
        f"site = {_quoted(invitation.site)}\n"
        'data_folder = "."\n'
        f'deployment = "{DEPLOYMENT_FILE}"\n'
        f"{passphrase}"
        f"lineages = [{', '.join(map(_quoted, invitation.lineages))}]\n"
        'participation = "auto"  # or "ask": each round waits for fedrx node participate\n'
        "\n[chain]\n"
        f"rpc_url = {_quoted(invitation.rpc_url)}\n"
        "\n[ipfs]\n"
        '# url = "http://127.0.0.1:5001"  # a Kubo of your own; without it the node starts one\n'
        f"peers = [{', '.join(map(_quoted, invitation.peers))}]\n"
        "\n[consent]\n"
        'second_factor = "optional"  # or "required": no consent without a one-time code beside the witness\n'
    )


def _quoted(text: str) -> str:
    """A TOML basic string; JSON escapes what TOML does, and what it leaves out fails in ``_check_settings``."""
    return json.dumps(text, ensure_ascii=False)
