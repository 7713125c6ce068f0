"""A node's settings: one TOML file (docs/settings.md). Relative paths are relative to the file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateways.settings import ChainSettings, FilePath, IPFSSettings, Settings


class ReadingSettings(Settings):
    """How pages are read."""

    engine: Literal["rapidocr", "easyocr"] = "rapidocr"
    lexicon: FilePath | None = None
    """CSV of medicines; the shipped lexicon when unset."""
    abstain_below: float = Field(default=0.5, ge=0, le=1)
    """A reading with less confidence names no medicine."""
    keep_originals: bool = False
    """Whether imported files stay (encrypted) after their words were reviewed."""


class TrainingLimits(Settings):
    """What a round's plan may ask of this site; a plan beyond it is not followed."""

    max_epochs: int = Field(default=20, ge=1)
    held_out_percent: int = Field(default=20, ge=0, le=90)
    """Share of reviewed words that never trains and scores each new global model."""
    min_examples: int = Field(default=1, ge=1)
    threads: int | None = None
    """Torch threads; None lets the device profile decide."""


class ConsentSettings(Settings):
    """How consent is recorded."""

    validity_days: int = Field(default=365, ge=1)
    language: str = "en"


class NodeSettings(Settings):
    """Everything a node is told; secrets are in the keystore."""

    site: str = Field(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9-]*$")
    data_folder: FilePath
    deployment: FilePath
    passphrase_file: FilePath | None = None
    """A file of mode 0600 that holds the keystore's passphrase; asked for at the terminal when unset."""
    lineages: tuple[str, ...] = Field(min_length=1)
    participation: Literal["auto", "ask"] = "auto"
    poll_seconds: float = Field(default=5.0, gt=0)
    deadline_margin_seconds: int = Field(default=10, ge=0)
    """The node registers nothing in a round's last seconds."""
    fetch_timeout_seconds: float = Field(default=120.0, gt=0)
    max_model_bytes: int = Field(default=512 << 20, gt=0)
    chain: ChainSettings
    ipfs: IPFSSettings = IPFSSettings()
    reading: ReadingSettings = ReadingSettings()
    training: TrainingLimits = TrainingLimits()
    consent: ConsentSettings = ConsentSettings()
