"""One TOML file a process: read once, unknown keys rejected, errors as one line."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo

from protocol.errors import ConfigError


class Settings(BaseModel):
    """Base of all settings: frozen, strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _beside_file(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder")
    return path if folder is None or path.is_absolute() else folder / path


FilePath = Annotated[Path, AfterValidator(_beside_file)]
"""A path; relative to the settings file."""


class ChainSettings(Settings):
    """How to reach the chain."""

    rpc_url: str
    """JSON-RPC over http(s)."""
    compare_rpc_url: str | None = None
    """A second endpoint, of another operator, whose blocks must agree; without it the first one is believed."""
    finality: Literal["latest", "finalized"] = "latest"
    """``latest`` for Hardhat and QBFT, ``finalized`` for chains whose newest blocks can change."""
    timeout_seconds: float = Field(default=120.0, gt=0)
    """How long a transaction may take into a block."""


class IPFSSettings(Settings):
    """How to reach IPFS: a running Kubo by its RPC URL, else one that the process starts."""

    url: str | None = None
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
        ConfigError: No such file, no TOML, an unknown key, or a value out of bounds; names the key.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"there is no settings file {path}", hint="make one with the init command") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the settings file {path} cannot be read ({error})") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is no TOML: {error}") from error
    try:
        return kind.model_validate(values, context={"folder": path.parent})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        what = "is not a setting" if first["type"] == "extra_forbidden" else first["msg"].lower()
        raise ConfigError(f"{path}: {where} {what}", hint="see docs/settings.md for every key") from error
