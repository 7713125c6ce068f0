"""The auditor's keystore: an account to declare with, and one HPKE key an epoch to open with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from audit.chain_walk import Walk
from gateways.data_folder import store_error, write_atomically
from gateways.key_ring.accounts import address_of, create_account, open_account
from gateways.key_ring.keystore import KeyRing
from protocol.identifiers import AccountAddress, Digest, LineageId
from protocol.joining import auditor_fingerprint
from protocol.ledger_calls import DeclareAuditorKeyUse
from protocol.ledger_events import AuditorKeyUsed
from protocol.recipient_keys import RecipientPrivateKey, public_key_digest

KEYSTORE_NAME = "auditor.keystore"
_ACCOUNT = "auditor-account"
_KEY_PREFIX = "auditor-key/"


@dataclass(frozen=True, slots=True)
class NewAuditorKey:
    """What the governor needs to publish an auditor's key; all of it is public."""

    account: AccountAddress
    key_digest: Digest
    public_key_file: Path
    """1,216 bytes: what ``key_cid`` on chain will name."""
    keystore: Path

    @property
    def fingerprint(self) -> str:
        """To be read to the governor over the phone; it covers the key and the account."""
        return auditor_fingerprint(self.account, self.key_digest)


def make_auditor_key(folder: Path, passphrase: bytes) -> NewAuditorKey:
    """Makes a fresh HPKE key, and on first use the keystore and the account; writes the public key file.

    The keystore stays the same over epochs: old keys are kept, because what was sealed for them stays readable for
    replay by them alone.

    Raises:
        KeyRingError: The keystore cannot be opened.
        StoreError: The folder cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise store_error(error, folder) from error
    path = folder / KEYSTORE_NAME
    key_ring = KeyRing.open(path, passphrase) if path.exists() else KeyRing.create(path, passphrase)
    if _ACCOUNT in key_ring.names():
        account = address_of(open_account(key_ring, _ACCOUNT))
    else:
        account = create_account(key_ring, _ACCOUNT)
    key = RecipientPrivateKey.generate()
    public = key.public_key()
    digest = public_key_digest(public)
    # The private half is on disk before anybody can be given the public one.
    key_ring.put(_KEY_PREFIX + digest.hex(), key.to_bytes())
    public_key_file = folder / f"auditor-{digest.hex()[:16]}.public-key"
    write_atomically(public_key_file, public, mode=0o644)
    return NewAuditorKey(account, digest, public_key_file, path)


@dataclass(frozen=True, slots=True, repr=False)
class AuditorKeys:
    """An opened keystore."""

    account_key: bytes
    """32 secret bytes, secp256k1."""
    keys: tuple[RecipientPrivateKey, ...]

    def __repr__(self) -> str:
        return f"AuditorKeys({len(self.keys)} keys)"


def open_auditor_keys(keystore: Path, passphrase: bytes) -> AuditorKeys:
    """All keys of an auditor's keystore.

    Raises:
        KeyRingError: No such file, or one that holds no account.
        WrongPassphraseError: The passphrase does not open it.
    """
    key_ring = KeyRing.open(keystore, passphrase)
    names = [name for name in key_ring.names() if name.startswith(_KEY_PREFIX)]
    return AuditorKeys(
        bytes(open_account(key_ring, _ACCOUNT).key),
        tuple(RecipientPrivateKey.from_bytes(key_ring.get(name)) for name in names),
    )


def uses_to_declare(
    walk: Walk, keys: Iterable[RecipientPrivateKey], lineage_id: LineageId | None, rounds: Collection[int] | None
) -> tuple[DeclareAuditorKeyUse, ...]:
    """What a replay with these keys has to declare on chain before it opens anything.

    Each lineage's rounds are declared under the epoch whose key was in force when they were opened; a range that an
    earlier declaration covers is not declared again.

    Args:
        walk: The chain.
        keys: What is about to be used.
        lineage_id: On one lineage; None for all.
        rounds: On these rounds' numbers; None for all.
    """
    own = {public_key_digest(key.public_key()) for key in keys}
    ranges: dict[tuple[int, LineageId], list[int]] = defaultdict(list)
    for round_id, facts in walk.openings.items():
        wanted = lineage_id in {None, round_id.lineage_id} and (rounds is None or round_id.number in rounds)
        if wanted and facts.auditor_key is not None and facts.auditor_key.key_digest in own:
            ranges[facts.auditor_key.epoch, round_id.lineage_id].append(round_id.number)
    calls = [
        DeclareAuditorKeyUse(epoch, found_id, min(found), max(found)) for (epoch, found_id), found in ranges.items()
    ]
    return tuple(call for call in calls if not any(_covers(use, call) for use in walk.declared))


def _covers(use: AuditorKeyUsed, call: DeclareAuditorKeyUse) -> bool:
    same = (use.epoch, use.lineage_id) == (call.epoch, call.lineage_id)
    return same and use.first_round <= call.first_round and call.last_round <= use.last_round
