"""Checkpoints that sites sign (docs/spec/checkpoint.md, sections 2 and 3): one note, the accounts of several sites.

A site signs with its account: the membership events of the chain say whose it is, so no further key has to be
announced, and the signature recovers to the account, so a reader needs nothing but a list of accounts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from protocol.checkpoint import Checkpoint, encode_checkpoint, parse_checkpoint
from protocol.errors import MalformedError
from protocol.identifiers import AccountAddress, Digest, SiteId, digest_of, site_id_of
from protocol.signed_note import KEY_ID_BYTES, SIGNATURE_MARK, NoteSignature, SignedNote, encode_note, parse_note

_SIGNATURE_TYPE = b"\xfffedrx/checkpoint/v1"
"""0xff is the note format's byte for types that it does not list; the words behind it name this one."""
_HALF_ORDER = 0x7FFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFF_5D576E73_57A4501D_DFE92F46_681B20A0
"""Half the order of secp256k1 (EIP-2): a larger s is a second spelling of the same signature."""


@dataclass(frozen=True, slots=True)
class CosignedCheckpoint:
    """A checkpoint and the signatures under it, of whomever."""

    checkpoint: Checkpoint
    signatures: tuple[NoteSignature, ...]
    """At least one."""


def cosign(checkpoint: Checkpoint, site: str, private_key: bytes) -> NoteSignature:
    """A site's signature; the same bytes each time (RFC 6979), so making it again after a kill changes nothing.

    Args:
        checkpoint: A final block.
        site: The site's public slug.
        private_key: Of the site's account: 32 bytes, secp256k1.
    """
    from protocol.account_signatures import account_of, sign  # noqa: PLC0415 - loads for a second

    return NoteSignature(site, key_id_of(site, account_of(private_key)), sign(_signed(checkpoint), private_key))


def key_id_of(site: str, account: AccountAddress) -> bytes:
    """The four bytes that stand for a site's account in a signature line."""
    return hashlib.sha256(site.encode("utf-8") + b"\n" + _SIGNATURE_TYPE + account).digest()[:KEY_ID_BYTES]


def proven_cosignatures(
    note: CosignedCheckpoint, accounts: Mapping[SiteId, Collection[AccountAddress]]
) -> tuple[NoteSignature, ...]:
    """The signatures of known sites, one a site, checked.

    Args:
        note: From anybody.
        accounts: The accounts that may sign for each site at the checkpoint's block.

    Raises:
        MalformedError: A line that bears the name and key id of a known account is not that account's signature. The
            note format asks that such a note be refused whole.
    """
    proven: dict[str, NoteSignature] = {}
    for line in note.signatures:
        named = [a for a in accounts.get(site_id_of(line.name), ()) if key_id_of(line.name, a) == line.key_id]
        if not named:
            continue
        if not _is_of(line.signature, note.checkpoint, named):
            raise MalformedError(f"a signature in the name of site {line.name} is not its account's")
        proven.setdefault(line.name, line)
    return tuple(proven.values())


def encode_cosigned(note: CosignedCheckpoint) -> bytes:
    """The signed note."""
    return encode_note(SignedNote(encode_checkpoint(note.checkpoint).decode("ascii"), note.signatures))


def parse_cosigned(data: bytes) -> CosignedCheckpoint:
    """Reads one signed checkpoint. Its text is the three lines and no more: all that is signed is understood.

    Raises:
        MalformedError: Not a signed note, or its text is more or less than a checkpoint.
    """
    note = parse_note(data)
    checkpoint = parse_checkpoint(note.text.encode("utf-8"))
    if encode_checkpoint(checkpoint).decode("ascii") != note.text:
        raise MalformedError("a signed checkpoint has three lines and no more")
    return CosignedCheckpoint(checkpoint, note.signatures)


def parse_cosigned_list(data: bytes) -> tuple[CosignedCheckpoint, ...]:
    """Reads signed checkpoints that stand one after another in a file.

    Raises:
        MalformedError: One of them is none, or there is none.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError("signed checkpoints are UTF-8") from error
    if not text:
        raise MalformedError("no signed checkpoint is there")
    return tuple(parse_cosigned(note.encode("utf-8")) for note in _notes(text))


def _notes(text: str) -> Iterator[str]:
    """A note ends where a line that is no signature follows one that is."""
    begun: list[str] = []
    # Cut at line feeds alone: ``splitlines`` knows many more ends of lines.
    for line in text.split("\n"):
        if begun and line and begun[-1].startswith(SIGNATURE_MARK) and not line.startswith(SIGNATURE_MARK):
            yield "\n".join(begun) + "\n"
            begun = []
        begun.append(line)
    yield "\n".join(begun)


def _is_of(signature: bytes, checkpoint: Checkpoint, accounts: Collection[AccountAddress]) -> bool:
    from protocol.account_signatures import signer_of  # noqa: PLC0415 - loads for a second

    try:
        signer = signer_of(_signed(checkpoint), signature)
    except MalformedError:
        return False
    one_spelling = signature[64] in {27, 28} and int.from_bytes(signature[32:64], "big") <= _HALF_ORDER
    return signer in accounts and one_spelling


def _signed(checkpoint: Checkpoint) -> Digest:
    return digest_of("checkpoint", encode_checkpoint(checkpoint))
