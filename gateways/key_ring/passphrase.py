"""Where a passphrase comes from: a private file or a prompt, never an argument or the environment."""

from __future__ import annotations

import getpass
import os
import stat
import sys
import unicodedata
from typing import TYPE_CHECKING, Final

from protocol.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_MAX_BYTES: Final = 4096


def read_passphrase(file: Path | None, prompt: str, *, ask: Callable[[str], str] | None = None) -> bytes:
    """The passphrase as bytes: UTF-8 in NFC, so that the same words typed elsewhere are the same bytes.

    Args:
        file: A file with the passphrase in its one line, mode 0600; used when given.
        prompt: What a person is asked otherwise.
        ask: Asks with the prompt; None asks on the terminal without echo.

    Raises:
        ConfigError: The file is readable by others, missing or empty, or there is neither a file nor a terminal.
    """
    if file is not None:
        text = _read_private(file)
    elif ask is not None:
        text = ask(prompt)
    elif sys.stdin is not None and sys.stdin.isatty():
        text = getpass.getpass(prompt)
    else:
        raise ConfigError("there is no passphrase", hint="name a passphrase file, or start from a terminal")
    passphrase = unicodedata.normalize("NFC", text).encode("utf-8")
    if not passphrase:
        raise ConfigError("the passphrase is empty", hint="choose one of several words")
    return passphrase


def read_new_passphrase(file: Path | None, prompt: str, *, ask: Callable[[str], str] | None = None) -> bytes:
    """As ``read_passphrase`` for a keystore that is about to be made: a person types it twice.

    A slip at this moment would lose everything that is sealed later.

    Raises:
        ConfigError: As ``read_passphrase``, or the two differ.
    """
    passphrase = read_passphrase(file, prompt, ask=ask)
    if file is None and read_passphrase(None, "The same again: ", ask=ask) != passphrase:
        raise ConfigError("the two passphrases differ", hint="start again")
    return passphrase


def after_change(file: Path | None) -> str:
    """What a person does next when a keystore's passphrase was changed.

    Args:
        file: The passphrase file that the settings name.
    """
    said = "the keystore opens with the new passphrase; backups from before still open with the old one"
    return said if file is None else f"{said}; put the new one into {file} before the next start"


def _read_private(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise ConfigError(
            f"the passphrase file {path} cannot be read ({error.strerror})",
            hint="check the path, and that it belongs to the user who runs this",
        ) from error
    try:
        # Checked on the open file: what is checked is what is read.
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError(f"the passphrase file {path} is not a regular file", hint="name a file of mode 0600")
        if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigError(f"others may read the passphrase file {path}", hint=f"run: chmod 600 {path}")
        data = os.read(descriptor, _MAX_BYTES + 1)
    finally:
        os.close(descriptor)
    try:
        text = data.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise ConfigError(f"the passphrase file {path} is not UTF-8", hint="save it as UTF-8") from error
    if len(data) > _MAX_BYTES or "\n" in text:
        raise ConfigError(
            f"the passphrase file {path} holds more than one line",
            hint="write the passphrase, and nothing else, into its first line",
        )
    return text
