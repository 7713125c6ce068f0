"""protocol/signed_note.py: the note format of the transparency logs, in and out."""

from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import MalformedError
from protocol.signed_note import MAX_NOTE_BYTES, NoteSignature, SignedNote, encode_note, parse_note

# The example of C2SP's signed-note, whose text holds an empty line.
EXAMPLE = (
    "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n"
    "— quasimodo.example/salvatore "
    "NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
).encode()
LINE = "— key " + base64.b64encode(b"\1\2\3\4signature").decode() + "\n"

names = st.text(st.characters(exclude_characters="+", exclude_categories=["C", "Z"]), min_size=1)
signatures = st.builds(NoteSignature, names, st.binary(min_size=4, max_size=4), st.binary(min_size=1, max_size=80))
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.just("\n")).map(lambda text: text + "\n")


def test_the_example_of_the_specification_is_read() -> None:
    note = parse_note(EXAMPLE)
    assert note.text.endswith(":\n\ned è subito sera.\n")
    assert [line.name for line in note.signatures] == ["quasimodo.example/salvatore"]
    assert note.signatures[0].key_id == bytes.fromhex("367ba04b")
    assert len(note.signatures[0].signature) == 64
    assert encode_note(note) == EXAMPLE


@given(text=texts, lines=st.lists(signatures, min_size=1, max_size=20))
def test_every_note_comes_back(text: str, lines: list[NoteSignature]) -> None:
    note = SignedNote(text, tuple(lines))
    assert parse_note(encode_note(note)) == note


@given(st.binary(max_size=120) | st.text(max_size=120).map(lambda text: ("a\n\n" + text).encode("utf-8", "replace")))
def test_what_is_read_has_one_spelling(data: bytes) -> None:
    try:
        note = parse_note(data)
    except MalformedError:
        return
    assert encode_note(note) == data


@given(data=st.data())
def test_a_changed_byte_is_refused_or_read_as_something_else(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(EXAMPLE) - 1))
    changed = EXAMPLE[:place] + bytes([EXAMPLE[place] ^ data.draw(st.integers(1, 255))]) + EXAMPLE[place + 1 :]
    with contextlib.suppress(MalformedError):
        assert parse_note(changed) != parse_note(EXAMPLE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "text\n",
        "text\n\n",
        "text\n" + LINE,
        "text\n\n" + LINE[:-1],
        "text\n\n" + LINE + "more\n",
        "te\txt\n\n" + LINE,
        "te\rxt\n\n" + LINE,
        "text\n\n" + LINE.replace("—", "-"),
        "text\n\n" + LINE.replace("— ", "—"),
        "text\n\n" + LINE.replace("key", "ke+y"),
        "text\n\n" + LINE.replace("key", "ke\u00a0y"),
        "text\n\n" + LINE.replace("key", "k  ey"),
        "text\n\n" + LINE.replace("=", ""),
        "text\n\n— key AQIDBA==\n",
        "text\n\n— key AQID\n",
        "text\n\n— key AQIDBAV=\n",
    ],
)
def test_what_is_no_signed_note_is_malformed(text: str) -> None:
    with pytest.raises(MalformedError):
        parse_note(text.encode())


def test_bytes_that_are_not_utf_8_are_malformed() -> None:
    with pytest.raises(MalformedError):
        parse_note(b"\xff\n\n" + LINE.encode())


def test_a_note_without_end_is_not_read() -> None:
    with pytest.raises(MalformedError):
        parse_note(b"a" * MAX_NOTE_BYTES + b"\n\n" + LINE.encode())


def test_sixteen_signatures_of_two_thousand_bytes_fit_into_a_note() -> None:
    lines = tuple(NoteSignature(f"key-{number}", bytes(4), bytes(2_000)) for number in range(16))
    assert parse_note(encode_note(SignedNote("text\n", lines))).signatures == lines


@pytest.mark.parametrize(
    ("name", "key_id", "signature"),
    [
        ("", bytes(4), b"s"),
        ("a b", bytes(4), b"s"),
        ("a\u202eb", bytes(4), b"s"),
        ("a\x9b2J", bytes(4), b"s"),
        ("a", bytes(3), b"s"),
        ("a", bytes(4), b""),
    ],
)
def test_a_signature_that_no_line_can_hold_is_never_made(name: str, key_id: bytes, signature: bytes) -> None:
    with pytest.raises(MalformedError):
        NoteSignature(name, key_id, signature)


def test_a_note_that_nobody_signed_or_whose_text_has_no_end_is_never_made() -> None:
    one = NoteSignature("a", bytes(4), b"s")
    for text, lines in (("text\n", ()), ("text", (one,)), ("te\x00xt\n", (one,))):
        with pytest.raises(MalformedError):
            SignedNote(text, lines)
