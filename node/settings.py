"""A node's settings: one TOML file (docs/settings.md). Relative paths are relative to the file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from gateways.settings import ChainSettings, FilePath, IPFSSettings, Settings, Slug

QUARANTINE_DAYS = 30


class StageSettings(Settings):
    """Which stages of preparing a page run (``prescriptions.preprocess``); ``fedrx node inspect`` shows each."""

    orientation: bool = True
    """Turn a photograph upright as its EXIF data say."""
    page: bool = True
    """Cut the page out of the table that it lies on and undo the perspective, where the outline is sure."""
    light: bool = True
    """Even the light."""
    denoise: bool = True
    """Smooth the paper."""
    deskew: bool = True
    """Turn the lines level."""
    contrast: bool = True
    """Spread the levels."""
    binarise: bool = False
    """Ink black, paper white."""
    words: bool = True
    """Part what an engine read as one word where the ink shows two."""


class ReadingSettings(Settings):
    """How pages are read."""

    engine: Literal["rapidocr", "easyocr", "tesseract"] = "rapidocr"
    stages: StageSettings = StageSettings()
    lexicon: FilePath | None = None
    """CSV of medicines; the shipped lexicon when unset."""
    day_first: bool = True
    """Whether 05/04/2025 on a page is the fifth of April."""
    abstain_below: float | None = Field(default=None, ge=0, le=1)
    """A reading with less confidence names no medicine; unset, the model's backbone says (``learning.published``)."""
    keep_originals: bool = False
    """Whether imported files stay (encrypted) after their words were reviewed."""


class IntakeSettings(Settings):
    """What a file may cost, and where files come from by themselves."""

    watch_folder: FilePath | None = None
    """The daemon imports what lies still in it (docs/settings.md); nothing is watched when unset."""
    settle_seconds: float = Field(default=5.0, ge=0)
    """A file is taken when it has not changed for so long."""
    max_bytes: int = Field(default=50 << 20, gt=0)
    """Of a file."""
    max_pixels: int = Field(default=60_000_000, gt=0)
    """Of a picture as its header states it."""
    max_pages: int = Field(default=16, ge=1)
    """Of a PDF, a TIFF or a DICOM object."""
    max_side: int = Field(default=3000, ge=100, le=10_000)
    """Pixels; larger pages are scaled down after decoding."""
    max_memory_bytes: int = Field(default=2 << 30, ge=128 << 20)
    """Address space of the decoder's process."""
    timeout_seconds: float = Field(default=30.0, gt=0)
    """For decoding a file."""
    quarantine_days: int = Field(default=QUARANTINE_DAYS, ge=0, le=3650)
    """Sealed copies of files that could not be imported are deleted after so long; with 0 only the reason is kept."""


class TrainingLimits(Settings):
    """What a round's plan may ask of this site; a plan beyond it is not followed."""

    max_epochs: int = Field(default=20, ge=1)
    held_out_percent: int = Field(default=20, ge=0, le=90)
    """Share of reviewed words that never trains and scores each new global model."""
    min_examples: int = Field(default=8, ge=1)
    """With fewer words the site sits a round out: an update over very few words tells too much about each."""
    shares_cores: bool = True
    """Whether other busy processes run on this machine: then one thread, else as many as there are cores."""
    threads: int | None = Field(default=None, ge=1)
    """Torch threads; None leaves it to ``shares_cores``."""
    use_accelerator: bool = False
    """Whether training runs on the machine's accelerator, if it has one."""


class ConsentSettings(Settings):
    """How consent is recorded."""

    validity_days: int = Field(default=365, ge=1)
    language: str = "en"
    purpose: Literal["DUO:0000006", "DUO:0000042"] = "DUO:0000006"
    """What the network trains for: a word trains only under a receipt that allows it."""
    second_factor: Literal["required", "optional"] = "optional"
    """Whether a consent needs a one-time code beside the witness."""


class PageSettings(Settings):
    """Where the site page is served."""

    bind: str = "127.0.0.1:8443"
    """Any address but loopback needs TLS."""
    certificate: FilePath | None = None
    """PEM, with the chain that leads to it; the one that ``--make-certificate`` made when unset."""
    key: FilePath | None = None
    """PEM, without a passphrase."""


def _each_once(slugs: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(slugs)) != len(slugs):
        raise ValueError("names a lineage twice")
    return slugs


class NodeSettings(Settings):
    """Everything a node is told; secrets are in the keystore."""

    made_by = "fedrx node join"

    site: Slug
    data_folder: FilePath
    deployment: FilePath
    passphrase_file: FilePath | None = None
    """A file of mode 0600 that holds the keystore's passphrase; asked for at the terminal when unset."""
    lineages: Annotated[tuple[Slug, ...], Field(min_length=1), AfterValidator(_each_once)]
    participation: Literal["auto", "ask"] = "auto"
    poll_seconds: float = Field(default=5.0, gt=0)
    max_backoff_seconds: float = Field(default=60.0, gt=0)
    """Longest wait while the chain or IPFS does not answer."""
    resend_after_seconds: float = Field(default=60.0, ge=0)
    """After a crash or a time-out: how long a transaction of unknown fate is looked for before it is sent again."""
    deadline_margin_seconds: int = Field(default=10, ge=0)
    """The node registers nothing in a round's last seconds."""
    fetch_timeout_seconds: float = Field(default=120.0, gt=0)
    max_model_bytes: int = Field(default=512 << 20, gt=0)
    keep_rounds: int = Field(default=8, ge=1)
    """Sealed envelopes, plans and model files of older rounds are deleted here; what is pinned on IPFS stays."""
    chain: ChainSettings
    ipfs: IPFSSettings = IPFSSettings()
    reading: ReadingSettings = ReadingSettings()
    intake: IntakeSettings = IntakeSettings()
    training: TrainingLimits = TrainingLimits()
    consent: ConsentSettings = ConsentSettings()
    page: PageSettings = PageSettings()


def shown(settings: NodeSettings) -> dict[str, object]:
    """The settings for a screen or a log: URLs are cut to scheme, host and port."""
    return settings.model_dump(mode="json") | {"chain": settings.chain.shown()}
