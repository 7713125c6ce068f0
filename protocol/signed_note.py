"""Signed notes of the transparency logs (C2SP signed-note): a text, an empty line, one signature a line.

Only the shape: which keys are known and what their signatures mean is for whoever gives the text a meaning.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from protocol.errors import MalformedError

MAX_NOTE_BYTES = 64 << 10
"""Room for some hundred signatures; the format asks a reader to take sixteen."""
KEY_ID_BYTES = 4
SIGNATURE_MARK = "\u2014 "
"""Em dash and space: how a signature line begins."""
_LINE = re.compile(SIGNATURE_MARK + r"([^\s+]+) ([A-Za-z0-9+/]+={0,2})")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line. Name and key id say together which key signed and how.

    Raises:
        MalformedError: A name, key id or signature that no line can hold.
    """

    name: str
    """Characters that print, without white space and plus signs."""
    key_id: bytes
    """4 bytes."""
    signature: bytes
    """At least one byte; its form belongs to the key."""

    def __post_init__(self) -> None:
        if len(self.key_id) != KEY_ID_BYTES or not self.signature:
            raise MalformedError("a note's signature has a key id of four bytes and bytes behind it")
        # Stricter than the format: a terminal obeys more than the ASCII controls, and a stranger chooses the name.
        if not re.fullmatch(r"[^\s+]+", self.name) or not self.name.isprintable():
            raise MalformedError("a note's signature names its key in print, without spaces and plus signs")


@dataclass(frozen=True, slots=True)
class SignedNote:
    """A text and who signed it; nothing in it is believed before a signature of a known key is checked.

    Raises:
        MalformedError: The text does not end in a line feed, holds control characters, or nobody signed.
    """

    text: str
    signatures: tuple[NoteSignature, ...]

    def __post_init__(self) -> None:
        if not self.text.endswith("\n") or _CONTROL.search(self.text):
            raise MalformedError("a note's text ends in a line feed and has no other control character")
        if not self.signatures:
            raise MalformedError("nobody signed the note")


def encode_note(note: SignedNote) -> bytes:
    """The note's bytes."""
    lines = [f"{SIGNATURE_MARK}{one.name} {_base64(one.key_id + one.signature)}\n" for one in note.signatures]
    return (note.text + "\n" + "".join(lines)).encode("utf-8")


def parse_note(data: bytes) -> SignedNote:
    """Reads a note. The last empty line divides text and signatures, as the text may hold empty lines.

    Raises:
        MalformedError: Not a signed note, or longer than ``MAX_NOTE_BYTES``.
    """
    if len(data) > MAX_NOTE_BYTES:
        raise MalformedError(f"a signed note of over {MAX_NOTE_BYTES} bytes")
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError("a signed note is UTF-8") from error
    text, divider, signed = whole.rpartition("\n\n")
    if not divider or not signed.endswith("\n"):
        raise MalformedError("not a signed note", hint="it is a text, an empty line, and signature lines")
    return SignedNote(text + "\n", tuple(_signature(line) for line in signed[:-1].split("\n")))


def _signature(line: str) -> NoteSignature:
    named = _LINE.fullmatch(line)
    try:
        data = base64.b64decode(named[2], validate=True) if named else b""
    except binascii.Error as error:
        raise MalformedError("a note's signature is not base64") from error
    # Spare bits of base64 give one signature several spellings.
    if named is None or _base64(data) != named[2]:
        raise MalformedError("a line behind the note's text is no signature")
    return NoteSignature(named[1], data[:KEY_ID_BYTES], data[KEY_ID_BYTES:])


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
