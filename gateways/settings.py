"""One TOML file a process: read once, unknown keys rejected, errors as one line."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, ClassVar, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo

from gateways.kubo_endpoint import parse_endpoint
from gateways.ledger.finality import Finality
from gateways.rpc_url import origin_of
from protocol.errors import ConfigError
from protocol.slugs import SLUG


class Settings(BaseModel):
    """Base of all settings: frozen, strict about names, numbers finite, silent about refused values."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)
    made_by: ClassVar[str] = ""
    """The command that writes a process's file."""


def _beside_file(path: Path, info: ValidationInfo) -> Path:
    if not str(path).isprintable():
        raise ValueError("is no path: it holds a character that does not print")
    folder = (info.context or {}).get("folder")
    return path if folder is None or path.is_absolute() else folder / path


FilePath = Annotated[Path, AfterValidator(_beside_file)]
"""A path; relative to the settings file."""


Slug = Annotated[str, Field(pattern=SLUG)]
"""The public name of a site, an aggregator or a lineage."""


def _rpc_url(url: str) -> str:
    try:
        origin_of(url)
    except ConfigError as error:
        raise ValueError(f"is refused: {error.what} ({error.hint})") from error
    return url


def _kubo_url(url: str) -> str:
    try:
        parse_endpoint(url)
    except ConfigError as error:
        raise ValueError(f"is refused: {error.what} ({error.hint})") from error
    return url


RPCURL = Annotated[str, AfterValidator(_rpc_url)]
"""JSON-RPC over http(s)."""
KuboURL = Annotated[str, AfterValidator(_kubo_url)]
"""RPC of a running Kubo: an origin or a multiaddress, without anything that could be a key."""


DEFAULT_MAX_FEE_GWEI = 500.0


class ChainSettings(Settings):
    """How to reach the chain."""

    rpc_url: RPCURL
    compare_rpc_url: RPCURL | None = None
    """A second endpoint, of another operator, whose blocks must agree; without it the first one is believed."""
    finality: Finality = "latest"
    timeout_seconds: float = Field(default=120.0, gt=0)
    """How long a transaction may take into a block."""
    max_fee_gwei: float = Field(default=DEFAULT_MAX_FEE_GWEI, gt=0)
    """The most that is signed for one unit of gas; nothing is sent while the endpoint asks for more."""

    def shown(self) -> dict[str, object]:
        """The settings for a screen or a log: of a URL only the origin, for the rest may hold a key."""
        values: dict[str, object] = self.model_dump(mode="json") | {"rpc_url": origin_of(self.rpc_url)}
        if self.compare_rpc_url is not None:
            values["compare_rpc_url"] = origin_of(self.compare_rpc_url)
        return values


class IPFSSettings(Settings):
    """How to reach IPFS: a running Kubo by its RPC URL, else one that the process starts."""

    url: KuboURL | None = None
    """RPC URL of a running Kubo; unset: ``ipfs`` on PATH, else the embedded core."""
    swarm_key_file: FilePath | None = None
    """Key file of the private swarm; needed when the process starts Kubo itself."""
    rpc_port: int | None = Field(default=None, ge=1, le=65535)
    """On 127.0.0.1; a free one when unset."""
    swarm_port: int | None = Field(default=None, ge=1, le=65535)
    """On 127.0.0.1; a free one when unset, so peers cannot be told a lasting address."""
    peers: tuple[str, ...] = ()
    """Multiaddresses of peers to stay connected to."""


SettingsT = TypeVar("SettingsT", bound=Settings)


def load_settings(path: Path, kind: type[SettingsT]) -> SettingsT:
    """The settings of a TOML file; relative paths in it are relative to the file's folder.

    Raises:
        ConfigError: No such file, no text, or as ``parse_settings``.
    """
    try:
        # Some editors begin UTF-8 with a byte order mark, which TOML does not know.
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise ConfigError(
            f"there is no settings file {path}", hint=f"name yours with -c FILE, or make one with {kind.made_by}"
        ) from error
    except OSError as error:
        raise ConfigError(
            f"the settings file {path} cannot be read ({error.strerror})", hint="check the path and its permissions"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"the settings file {path} is not UTF-8 text", hint="save it as UTF-8") from error
    return parse_settings(text, path, kind)


def parse_settings(text: str, path: Path, kind: type[SettingsT]) -> SettingsT:
    """The settings of a TOML text that stands in a file, or is about to.

    Args:
        text: TOML.
        path: The file; relative paths are relative to its folder.
        kind: The process's settings.

    Raises:
        ConfigError: No TOML, an unknown key, or a value out of bounds; names the key.
    """
    try:
        return kind.model_validate(tomllib.loads(text), context={"folder": path.parent})
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is no TOML: {error}", hint="see docs/settings.md for how it is written") from error
    except ValidationError as error:
        raise ConfigError(f"{path}: {_first_fault(error)}", hint="see docs/settings.md for every key") from error


def _first_fault(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    what = "is not a setting" if first["type"] == "extra_forbidden" else first["msg"]
    # A validator of ours has chosen its words; the library's begin like a sentence of its own.
    what = what.removeprefix("Value error, ") if first["type"] == "value_error" else what[:1].lower() + what[1:]
    return f"{where} {what}".strip()
