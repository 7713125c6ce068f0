"""The text that a patient is shown before consent: one page, versioned, named in the receipt by its digest."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from protocol.errors import ConfigError
from protocol.identifiers import Digest, digest_of

MAX_NOTICE_BYTES = 64 * 1024
_VERSION = re.compile(r"Version: ([0-9A-Za-z.-]{1,32})")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice as it was shown."""

    language: str
    """BCP 47 tag."""
    version: str
    text: str

    @property
    def digest(self) -> Digest:
        """Digest of the text's UTF-8 bytes."""
        return digest_of("consent-notice", self.text.encode("utf-8"))


def shipped_languages() -> tuple[str, ...]:
    """Language tags of the notices that come with the package, sorted."""
    files = (resources.files("node.consent") / "notices").iterdir()
    return tuple(sorted(file.name.removesuffix(".txt") for file in files if file.name.endswith(".txt")))


def shipped_notice(language: str) -> Notice:
    """The notice that comes with the package; the one in ``bn`` serves for ``bn-BD`` too and says that it is ``bn``.

    Raises:
        ConfigError: There is none in this language.
    """
    check_language(language)
    shipped = shipped_languages()
    known = next((tag for tag in (language, language.split("-", 1)[0]) if tag in shipped), None)
    if known is None:
        raise ConfigError(
            f"no notice in {language!r} comes with this software, only {', '.join(shipped)}",
            hint="translate the English one and give its file",
        )
    file = resources.files("node.consent") / "notices" / f"{known}.txt"
    return _notice_of(file.read_bytes(), known, f"the notice in {known}")


def load_notice(path: Path, language: str) -> Notice:
    """A site's own notice: UTF-8 text whose first line is ``Version: …``.

    Raises:
        ConfigError: It cannot be read, is over 64 KiB, has no version, or ``language`` is no language tag.
    """
    check_language(language)
    try:
        if path.stat().st_size > MAX_NOTICE_BYTES:
            raise ConfigError(f"the notice {path} is over {MAX_NOTICE_BYTES} bytes", hint="one page is enough")
        return _notice_of(path.read_bytes(), language, f"the notice {path}")
    except OSError as error:
        raise ConfigError(f"the notice {path} cannot be read ({error.strerror})", hint="check the path") from error


def _notice_of(data: bytes, language: str, what: str) -> Notice:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{what} is not UTF-8", hint="save it as UTF-8") from error
    version = _VERSION.fullmatch(text.split("\n", 1)[0].rstrip("\r"))
    if version is None:
        raise ConfigError(f"{what} has no version", hint="its first line is, for example, Version: 1")
    return Notice(language, version[1], text)


def check_language(language: str) -> None:
    """Refuses what is no language tag.

    Raises:
        ConfigError: It is none.
    """
    if not _LANGUAGE.fullmatch(language):
        raise ConfigError(f"{language!r} is no language tag", hint="write it as en or bn-BD")
