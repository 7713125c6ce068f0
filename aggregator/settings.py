"""An aggregator's settings: one TOML file (docs/settings.md). Relative paths are relative to the file."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from gateways.settings import ChainSettings as ChainEndpoint
from gateways.settings import FilePath, IPFSSettings, Settings, Slug
from protocol.identifiers import AggregatorId, LineageId, aggregator_id_of, lineage_id_of
from protocol.plan import MAX_SITES, MAX_TOTAL_WEIGHT, Weighting
from protocol.round import MAX_ROUND_SECONDS

_DECIMAL = r"^(0|[1-9][0-9]{0,8})(\.[0-9]{1,10})?$"
MIN_ACCEPTED_FLOOR = 3
"""With fewer the model gives a site's update away; the contract holds the same floor."""


def _positive(text: str) -> str:
    if not any(digit in "123456789" for digit in text):
        raise ValueError("must be above 0")
    return text


Decimal = Annotated[str, Field(pattern=_DECIMAL), AfterValidator(_positive)]
"""A positive decimal below 10^9 with at most 10 places, as text: plans hold no floats."""


class ChainSettings(ChainEndpoint):
    """How to reach the chain, and how patient to be with it."""

    resend_after_seconds: float = Field(default=60.0, ge=0)
    """After a crash or a time-out: how long a transaction of unknown fate is looked for before it is sent again."""


class TrainingTable(Settings):
    """How every site trains."""

    epochs: int = Field(default=1, ge=1, le=10_000)
    batch_size: int = Field(default=32, ge=1, le=65_536)
    learning_rate: Decimal = "0.002"
    clip_norm: Decimal = "5"
    seed: int = Field(default=1, ge=0, lt=2**53)


class LineageSettings(Settings):
    """What this aggregator writes into the plans of one lineage's rounds."""

    slug: Slug
    scope: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
    """Which part of the backbone is shared, by the name that nodes know."""
    weighting: Weighting = "equal"
    max_weight: int = Field(default=4, ge=1, lt=MAX_TOTAL_WEIGHT // MAX_SITES)
    """Cap on one site's weight: its share of a model is at most this over itself and the others' weights."""
    examples_per_weight: int = Field(default=50, ge=1)
    """With ``num_examples``: a site's weight grows by one for each so many examples."""
    scale_bits: int = Field(default=24, ge=0, le=30)
    """Deltas travel as integers in units of 2^-scale_bits."""
    max_abs: int = Field(default=2**30, ge=1, lt=2**31)
    """Greatest magnitude of one such integer: 2^30 is 64.0 at 24 bits."""
    max_norm: Decimal = "20"
    """Greatest Euclidean norm of a delta, in the parameters' own unit."""
    near_duplicate_cosine: Decimal = "0.95"
    """Of two deltas whose cosine reaches this the later one is refused."""
    min_sites: int = Field(default=MIN_ACCEPTED_FLOOR, ge=MIN_ACCEPTED_FLOOR, le=MAX_SITES)
    """A round opens when so many sites are active with a consent root in force."""
    min_accepted: int = Field(default=MIN_ACCEPTED_FLOOR, ge=MIN_ACCEPTED_FLOOR, le=MAX_SITES)
    """With fewer accepted updates no model is published."""
    round_seconds: int = Field(default=86_400, ge=1)
    """A round closes when all selected sites registered, or so long after opening with those that did."""
    attest_seconds: int = Field(default=3_600, ge=1)
    """From the deadline: how long the aggregators have to fetch, judge and attest before anyone may abort."""
    attest_margin_seconds: int = Field(default=120, ge=0)
    """So long before the end of that time an envelope that was not delivered is given up."""
    pause_seconds: int = Field(default=0, ge=0)
    """Least time between a round's outcome and the next opening."""
    fetch_timeout_seconds: int = Field(default=60, ge=1)
    """Longest single try to fetch an envelope; tries repeat."""
    max_rounds: int = Field(default=0, ge=0)
    """Stop rule: no round after this one; 0 means no end."""
    training: TrainingTable = TrainingTable()

    @property
    def lineage_id(self) -> LineageId:
        """The lineage's id on chain."""
        return lineage_id_of(self.slug)

    @model_validator(mode="after")
    def _bounds_fit(self) -> LineageSettings:
        if self.attest_margin_seconds >= self.attest_seconds:
            raise ValueError("attest_margin_seconds leaves no time to fetch: it must be below attest_seconds")
        if self.round_seconds + self.attest_seconds > MAX_ROUND_SECONDS:
            raise ValueError(f"round_seconds and attest_seconds together exceed {MAX_ROUND_SECONDS}, that is 90 days")
        if self.min_accepted > self.min_sites:
            raise ValueError("min_accepted is above min_sites: such a round could never succeed")
        if not 0 < float(self.near_duplicate_cosine) <= 1:
            raise ValueError("near_duplicate_cosine is not within 0..1")
        return self


class AggregatorSettings(Settings):
    """Everything an aggregator is told; secrets are in the keystore."""

    made_by = "fedrx aggregator init"

    aggregator: Slug
    """This aggregator's public slug; its id on chain follows from it."""
    data_folder: FilePath
    deployment: FilePath
    """The consortium's deployment file."""
    passphrase_file: FilePath | None = None
    """A file of mode 0600 that holds the keystore's passphrase; asked for at the terminal when unset."""
    poll_seconds: float = Field(default=2.0, gt=0)
    """How long to wait when there is nothing to do."""
    max_backoff_seconds: float = Field(default=60.0, gt=0)
    """Longest wait while the chain or IPFS does not answer."""
    opener_grace_seconds: int = Field(default=60, ge=0)
    """How long the aggregator whose turn it is has to itself before another opens the round."""
    appeal_window_seconds: int = Field(default=604_800, ge=0)
    """After a round's outcome its key and the fetched copies stay for so long, then the key is destroyed."""
    require_auditor_key: bool = True
    """Without an auditor's key no round opens."""
    fetch_workers: int = Field(default=8, ge=1, le=64)
    """Contents fetched at the same time."""
    max_model_bytes: int = Field(default=512 << 20, ge=1)
    """A longer model or envelope is not fetched, whatever a plan says."""
    chain: ChainSettings
    ipfs: IPFSSettings = IPFSSettings()
    lineages: tuple[LineageSettings, ...] = Field(min_length=1)

    @property
    def aggregator_id(self) -> AggregatorId:
        """This aggregator's id on chain."""
        return aggregator_id_of(self.aggregator)

    @model_validator(mode="after")
    def _slugs_differ(self) -> AggregatorSettings:
        slugs = [lineage.slug for lineage in self.lineages]
        if len(set(slugs)) != len(slugs):
            raise ValueError("a lineage's slug occurs twice")
        if self.ipfs.url is None and self.ipfs.swarm_key_file is None:
            raise ValueError("ipfs needs url, or swarm_key_file for the Kubo that the daemon starts")
        return self

    def masked(self) -> dict[str, object]:
        """The settings for the log: URLs are cut to scheme, host and port."""
        return self.model_dump(mode="json") | {"chain": self.chain.shown()}
