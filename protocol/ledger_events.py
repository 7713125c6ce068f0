"""What the chain says: one frozen value for each event of contracts/interfaces.

Names and field order equal the Solidity events'; a test holds the two together. The gateway decodes by these types:
``Digest``-like fields are bytes32, ``AccountAddress`` is address, ``int`` any uint.
The module is one table, so it is longer than others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from protocol.identifiers import (
    CID,
    AccountAddress,
    AggregatorId,
    BlockHash,
    Digest,
    LineageId,
    RoundId,
    SiteId,
    TxHash,
)


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Where an event is. Order is chain order."""

    block_number: int
    log_index: int
    block_hash: BlockHash
    tx_hash: TxHash
    timestamp: int
    """Seconds since 1970 of the event's block."""


@dataclass(frozen=True, slots=True)
class GovernorChanged:
    """The governor changed; the first is emitted at deployment, from the zero account."""

    previous_governor: AccountAddress
    governor: AccountAddress


@dataclass(frozen=True, slots=True)
class SiteAdmitted:
    """The governor admitted a site."""

    site_id: SiteId
    account: AccountAddress
    ordinal: int
    """The site's bit in selection bitmaps; dense from 0, never reused."""
    key_digest: Digest
    """Digest of the site's key document (docs/spec/joining.md)."""


@dataclass(frozen=True, slots=True)
class SiteAccountRotated:
    """A site's account was replaced; the old one can never act or be used again."""

    site_id: SiteId
    previous_account: AccountAddress
    account: AccountAddress
    key_digest: Digest


@dataclass(frozen=True, slots=True)
class SiteSuspended:
    """The governor suspended a site: it cannot register updates or consent roots; it can withdraw."""

    site_id: SiteId


@dataclass(frozen=True, slots=True)
class SiteReinstated:
    """The governor reinstated a suspended site."""

    site_id: SiteId


@dataclass(frozen=True, slots=True)
class SiteLeft:
    """A site left for good."""

    site_id: SiteId


@dataclass(frozen=True, slots=True)
class AggregatorAdmitted:
    """The governor admitted an aggregator, or replaced its account."""

    aggregator_id: AggregatorId
    account: AccountAddress
    key_digest: Digest


@dataclass(frozen=True, slots=True)
class AggregatorSetChanged:
    """The governor chose who opens and attests rounds, and how many votes finalise."""

    version: int
    threshold: int
    aggregator_ids: tuple[AggregatorId, ...]


@dataclass(frozen=True, slots=True)
class AuditorKeyPublished:
    """The governor named the auditor's account and HPKE key of an epoch."""

    epoch: int
    auditor: AccountAddress
    key_digest: Digest
    key_cid: CID


@dataclass(frozen=True, slots=True)
class AuditorKeyUsed:
    """The auditor declared that the epoch's private key was used on some rounds."""

    epoch: int
    lineage_id: LineageId
    first_round: int
    last_round: int


@dataclass(frozen=True, slots=True)
class RoundKeyAnnounced:
    """An aggregator announced its fresh HPKE key for a coming round."""

    aggregator_id: AggregatorId
    lineage_id: LineageId
    round: int
    key_digest: Digest
    key_cid: CID


@dataclass(frozen=True, slots=True)
class SuiteSealed:
    """The governor closed this deployment for new rounds and named its successor."""

    successor_chain_id: int
    successor: AccountAddress


@dataclass(frozen=True, slots=True)
class ConsentRootPublished:
    """A site published the Merkle root of its consent receipts in force."""

    site_id: SiteId
    version: int
    root: Digest
    valid_until: int
    """Seconds since 1970: the earliest expiry in the root."""
    patients: int
    """Receipts below the root that the patients gave themselves. This and the next two are the site's word."""
    guardians: int
    """Receipts that guardians gave."""
    waivers: int
    """Receipts that stand for a documented ethics waiver."""


@dataclass(frozen=True, slots=True)
class ConsentWithdrawn:
    """A site raised the lowest consent version that its updates may name."""

    site_id: SiteId
    min_version: int


@dataclass(frozen=True, slots=True)
class LineageCreated:
    """The governor named a lineage's genesis model."""

    lineage_id: LineageId
    genesis_round: int
    """0, or the predecessor deployment's last round."""
    model_digest: Digest
    model_cid: CID
    backbone_digest: Digest
    plan_schema: Digest
    commitment_scheme: int


@dataclass(frozen=True, slots=True)
class RoundOpened:
    """An aggregator opened a round."""

    lineage_id: LineageId
    round: int
    aggregator_id: AggregatorId
    parent_digest: Digest
    plan_digest: Digest
    plan_cid: CID
    recipients_digest: Digest
    deadline: int
    """Seconds since 1970: the last moment at which a site can register is before this."""
    attest_by: int
    """Seconds since 1970: from here on anyone may abort."""
    min_accepted: int
    aggregator_set_version: int
    selected: tuple[int, ...]
    """Bitmap words of 256 bits over site ordinals, least significant word first."""


@dataclass(frozen=True, slots=True)
class UpdateRegistered:
    """A site registered its sealed update."""

    lineage_id: LineageId
    round: int
    site_id: SiteId
    index: int
    """Order of registration in the round, from 0."""
    envelope_digest: Digest
    envelope_cid: CID
    parameters_commitment: Digest
    weight: int
    dataset_root: Digest
    consent_version: int
    commitment_scheme: int


@dataclass(frozen=True, slots=True)
class UpdateRevoked:
    """A site took its own update back before close."""

    lineage_id: LineageId
    round: int
    site_id: SiteId
    index: int


@dataclass(frozen=True, slots=True)
class ResultAttested:
    """An aggregator voted for one result of a round."""

    lineage_id: LineageId
    round: int
    aggregator_id: AggregatorId
    result_digest: Digest
    """keccak-256 over all fields of the result (docs/spec/round.md)."""


@dataclass(frozen=True, slots=True)
class RoundFinalized:
    """A result reached the threshold and is the lineage's new head."""

    lineage_id: LineageId
    round: int
    model_digest: Digest
    model_cid: CID
    state_digest: Digest
    verdicts_root: Digest
    verdicts_cid: CID
    accepted: int
    """Bitmap over registration indices."""
    codes: bytes
    """One verdict code a registration."""


@dataclass(frozen=True, slots=True)
class RoundFailed:
    """The aggregators attested that too few updates were accepted; the head stays."""

    lineage_id: LineageId
    round: int
    verdicts_root: Digest
    verdicts_cid: CID
    accepted: int
    codes: bytes


@dataclass(frozen=True, slots=True)
class RoundAborted:
    """Nobody attested in time and somebody said so; the head stays."""

    lineage_id: LineageId
    round: int
    by: AccountAddress


LedgerEvent: TypeAlias = (
    GovernorChanged
    | SiteAdmitted
    | SiteAccountRotated
    | SiteSuspended
    | SiteReinstated
    | SiteLeft
    | AggregatorAdmitted
    | AggregatorSetChanged
    | AuditorKeyPublished
    | AuditorKeyUsed
    | RoundKeyAnnounced
    | SuiteSealed
    | ConsentRootPublished
    | ConsentWithdrawn
    | LineageCreated
    | RoundOpened
    | UpdateRegistered
    | UpdateRevoked
    | ResultAttested
    | RoundFinalized
    | RoundFailed
    | RoundAborted
)


@dataclass(frozen=True, slots=True)
class LocatedEvent:
    """An event and where it is."""

    position: Position
    event: LedgerEvent


RoundEvent: TypeAlias = (
    RoundOpened | UpdateRegistered | UpdateRevoked | ResultAttested | RoundFinalized | RoundFailed | RoundAborted
)


def round_id_of(event: RoundEvent) -> RoundId:
    """The round that an event belongs to."""
    return RoundId(event.lineage_id, event.round)
