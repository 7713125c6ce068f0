"""One-time codes at the consent desk (TOTP, RFC 6238): each is taken once, and guessing is slowed down. Pure.

Codes have six digits and a step of 30 seconds, SHA-1 as every authenticator application expects.
"""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass, replace

import pyotp

from protocol.errors import ConfigError

STEP_SECONDS = 30
WINDOW_STEPS = 1
"""A code of the step before or after is taken too: telephones' clocks differ."""
DIGITS = 6
SECRET_BYTES = 20
MAX_WRONG_CODES = 5
GUESSING_SECONDS = 15 * 60
LOCK_SECONDS = 15 * 60


@dataclass(frozen=True, slots=True)
class CodeState:
    """What is remembered of the codes of one authenticator."""

    last_counter: int = 0
    """The step of the newest code that was taken; this and older ones are never taken again."""
    wrong_at: tuple[int, ...] = ()
    """When wrong codes were given, seconds since 1970, the last 15 minutes only."""
    locked_until: int = 0
    """Seconds since 1970."""


@dataclass(frozen=True, slots=True)
class CodeTaken:
    """A right code that was not used before."""

    state: CodeState
    counter: int
    """Number of its 30-second step since 1970."""


@dataclass(frozen=True, slots=True)
class CodeRefused:
    """A code that was not taken; ``state`` must be kept all the same, or guesses would not count."""

    state: CodeState
    what: str
    hint: str


def new_secret() -> bytes:
    """A fresh secret of an authenticator, 20 bytes from the operating system."""
    return os.urandom(SECRET_BYTES)


def enrolment_uri(secret: bytes, account: str, issuer: str) -> str:
    """The ``otpauth:`` URI that a telephone's authenticator reads as a QR code. It holds the secret.

    Args:
        secret: 20 bytes.
        account: What the application shows, such as the patient's identifier.
        issuer: Whose code it is, such as the site.
    """
    return pyotp.TOTP(_base32(secret)).provisioning_uri(name=account, issuer_name=issuer)


def try_code(secret: bytes, state: CodeState, code: str, now: int) -> CodeTaken | CodeRefused:
    """Takes a code, or says why not.

    Args:
        secret: 20 bytes.
        state: What is remembered of earlier codes.
        code: As typed; spaces in it do not matter.
        now: Seconds since 1970.

    Raises:
        ConfigError: Not six digits; a slip of the finger is no guess.
    """
    digits = "".join(code.split())
    if len(digits) != DIGITS or not (digits.isascii() and digits.isdigit()):
        raise ConfigError(f"a code has {DIGITS} digits", hint="type the one that the authenticator shows now")
    if now < state.locked_until:
        return CodeRefused(
            state,
            f"too many wrong codes: none is taken for {_minutes(state.locked_until - now)}",
            "wait; lost telephones are enrolled anew with --replace",
        )
    step = now // STEP_SECONDS
    totp = pyotp.HOTP(_base32(secret), digits=DIGITS)
    for counter in range(max(0, step - WINDOW_STEPS), step + WINDOW_STEPS + 1):
        if pyotp.utils.strings_equal(totp.at(counter), digits):
            if counter > state.last_counter:
                return CodeTaken(CodeState(last_counter=counter), counter)
            return CodeRefused(_after_wrong(state, now), "this code was used before", "wait for the next one")
    return CodeRefused(
        _after_wrong(state, now), "the code is wrong", "check it and the telephone's clock; each is good for a minute"
    )


def _after_wrong(state: CodeState, now: int) -> CodeState:
    recent = (*(at for at in state.wrong_at if at > now - GUESSING_SECONDS), now)
    if len(recent) >= MAX_WRONG_CODES:
        return CodeState(state.last_counter, (), now + LOCK_SECONDS)
    return replace(state, wrong_at=recent)


def _base32(secret: bytes) -> str:
    return base64.b32encode(secret).decode("ascii")


def _minutes(seconds: int) -> str:
    minutes = -(-seconds // 60)
    return "1 minute" if minutes == 1 else f"{minutes} minutes"
