"""docs/spec/envelope.md, section 2."""

from __future__ import annotations

import os

import pytest

from protocol.errors import KeyRingError, MalformedError
from protocol.recipient_keys import (
    PRIVATE_KEY_BYTES,
    PUBLIC_KEY_BYTES,
    WRAPPED_KEY_BYTES,
    RecipientPrivateKey,
    public_key_digest,
    wrap,
)

KEY = RecipientPrivateKey.generate()


def test_a_private_key_comes_back_from_its_bytes():
    assert len(KEY.to_bytes()) == PRIVATE_KEY_BYTES
    again = RecipientPrivateKey.from_bytes(KEY.to_bytes())
    assert again.public_key() == KEY.public_key()
    assert again.unwrap(wrap(b"k" * 32, KEY.public_key(), b"info"), b"info") == b"k" * 32


@pytest.mark.parametrize("length", [0, 32, 95, 97])
def test_private_bytes_of_another_length_are_no_key(length):
    with pytest.raises(KeyRingError):
        RecipientPrivateKey.from_bytes(bytes(length))


def test_sizes_are_those_of_the_specification():
    assert len(KEY.public_key()) == PUBLIC_KEY_BYTES == 1216
    assert len(wrap(b"k" * 32, KEY.public_key(), b"info")) == WRAPPED_KEY_BYTES == 1168


def test_repr_shows_no_secret():
    text = repr(KEY)
    secret = KEY.to_bytes()
    assert public_key_digest(KEY.public_key()).hex() in text
    assert secret.hex()[:16] not in text
    assert secret.hex()[-16:] not in text


def test_wrapping_is_fresh_each_time():
    assert wrap(b"k" * 32, KEY.public_key(), b"info") != wrap(b"k" * 32, KEY.public_key(), b"info")


def test_another_context_or_key_does_not_unwrap():
    wrapped = wrap(b"k" * 32, KEY.public_key(), b"info")
    with pytest.raises(MalformedError):
        KEY.unwrap(wrapped, b"other")
    with pytest.raises(MalformedError):
        RecipientPrivateKey.generate().unwrap(wrapped, b"info")


def test_every_flipped_byte_of_a_wrapped_key_does_not_unwrap():
    wrapped = wrap(b"k" * 32, KEY.public_key(), b"info")
    for position in range(0, len(wrapped), 13):
        changed = bytearray(wrapped)
        changed[position] ^= 0x10
        with pytest.raises(MalformedError):
            KEY.unwrap(bytes(changed), b"info")


@pytest.mark.parametrize(
    "wrapped",
    [
        b"",
        b"short",
        bytes(WRAPPED_KEY_BYTES),
        b"\xff" * WRAPPED_KEY_BYTES,
        bytes(WRAPPED_KEY_BYTES - 1),
        bytes(WRAPPED_KEY_BYTES + 1),
        bytes(1088 + 32),
    ],
)
def test_crafted_wrapped_keys_do_not_unwrap(wrapped):
    with pytest.raises(MalformedError):
        KEY.unwrap(wrapped, b"info")


def test_an_x25519_share_of_low_order_does_not_unwrap():
    wrapped = bytearray(wrap(b"k" * 32, KEY.public_key(), b"info"))
    wrapped[1088:1120] = bytes(32)
    with pytest.raises(MalformedError):
        KEY.unwrap(bytes(wrapped), b"info")


@pytest.mark.parametrize("public", [b"", bytes(1216), b"\xff" * 1216, os.urandom(1215), KEY.public_key() + b"\x00"])
def test_what_is_no_public_key_wraps_nothing(public):
    with pytest.raises(MalformedError):
        wrap(b"k" * 32, public, b"info")


def test_a_public_key_whose_x25519_half_has_low_order_wraps_nothing():
    with pytest.raises(MalformedError):
        wrap(b"k" * 32, KEY.public_key()[:1184] + bytes(32), b"info")
