"""What the chain is told: one frozen value for each state-changing function of the contract.

Names and field order equal the Solidity functions' (``RegisterUpdate`` → ``registerUpdate``); a test holds the two
together. The caller is always ``msg.sender``: no call names its own site or aggregator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from protocol.identifiers import CID, AccountAddress, AggregatorId, Digest, LineageId, SiteId


@dataclass(frozen=True, slots=True)
class TransferOwnership:
    """Governor: offers the governance to another account; nothing changes until that account accepts."""

    new_owner: AccountAddress


@dataclass(frozen=True, slots=True)
class AcceptOwnership:
    """The account that was offered the governance: takes it."""


@dataclass(frozen=True, slots=True)
class AdmitSite:
    """Governor: admits a site."""

    site_id: SiteId
    account: AccountAddress
    key_digest: Digest


@dataclass(frozen=True, slots=True)
class RotateSiteAccount:
    """Governor or the site itself: replaces the site's account."""

    site_id: SiteId
    account: AccountAddress
    key_digest: Digest


@dataclass(frozen=True, slots=True)
class SuspendSite:
    """Governor: suspends a site."""

    site_id: SiteId


@dataclass(frozen=True, slots=True)
class ReinstateSite:
    """Governor: reinstates a suspended site."""

    site_id: SiteId


@dataclass(frozen=True, slots=True)
class LeaveNetwork:
    """Site: leaves for good."""


@dataclass(frozen=True, slots=True)
class AdmitAggregator:
    """Governor: admits an aggregator, or replaces its account."""

    aggregator_id: AggregatorId
    account: AccountAddress
    key_digest: Digest


@dataclass(frozen=True, slots=True)
class SetAggregators:
    """Governor: chooses who opens and attests rounds, and how many votes finalise."""

    aggregator_ids: tuple[AggregatorId, ...]
    threshold: int


@dataclass(frozen=True, slots=True)
class PublishAuditorKey:
    """Governor: names the auditor's account and HPKE key of the next epoch."""

    auditor: AccountAddress
    key_digest: Digest
    key_cid: CID


@dataclass(frozen=True, slots=True)
class DeclareAuditorKeyUse:
    """Auditor: declares the use of the epoch's private key."""

    epoch: int
    lineage_id: LineageId
    first_round: int
    last_round: int


@dataclass(frozen=True, slots=True)
class AnnounceRoundKey:
    """Aggregator: announces its fresh HPKE key for a coming round."""

    lineage_id: LineageId
    round: int
    key_digest: Digest
    key_cid: CID


@dataclass(frozen=True, slots=True)
class SealSuite:
    """Governor: closes this deployment for new rounds and names its successor."""

    successor_chain_id: int
    successor: AccountAddress


@dataclass(frozen=True, slots=True)
class PublishConsentRoot:
    """Site: publishes the next version of its consent root, and says who gave the receipts below it."""

    root: Digest
    valid_until: int
    patients: int
    guardians: int
    waivers: int


@dataclass(frozen=True, slots=True)
class WithdrawConsents:
    """Site: voids every consent version so far, at once."""


@dataclass(frozen=True, slots=True)
class CreateLineage:
    """Governor: names a lineage's genesis model."""

    lineage_id: LineageId
    genesis_round: int
    model_digest: Digest
    model_cid: CID
    backbone_digest: Digest
    plan_schema: Digest


@dataclass(frozen=True, slots=True)
class OpenRound:
    """Aggregator: opens the lineage's next round."""

    lineage_id: LineageId
    round: int
    parent_digest: Digest
    plan_digest: Digest
    plan_cid: CID
    recipients_digest: Digest
    deadline: int
    attest_by: int
    min_accepted: int
    selected: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RegisterUpdate:
    """Site: registers its sealed update."""

    lineage_id: LineageId
    round: int
    envelope_digest: Digest
    envelope_cid: CID
    parameters_commitment: Digest
    weight: int
    dataset_root: Digest
    consent_version: int


@dataclass(frozen=True, slots=True)
class RevokeUpdate:
    """Site: takes its own update back before close."""

    lineage_id: LineageId
    round: int


@dataclass(frozen=True, slots=True)
class AttestResult:
    """Aggregator: votes for a result. ``model_digest`` zero says that too few updates were accepted."""

    lineage_id: LineageId
    round: int
    model_digest: Digest
    model_cid: CID
    state_digest: Digest
    verdicts_root: Digest
    verdicts_cid: CID
    accepted: int
    codes: bytes


@dataclass(frozen=True, slots=True)
class AbortRound:
    """Anyone, from ``attest_by`` on: closes a round that nobody attested."""

    lineage_id: LineageId
    round: int


LedgerCall: TypeAlias = (
    TransferOwnership
    | AcceptOwnership
    | AdmitSite
    | RotateSiteAccount
    | SuspendSite
    | ReinstateSite
    | LeaveNetwork
    | AdmitAggregator
    | SetAggregators
    | PublishAuditorKey
    | DeclareAuditorKeyUse
    | AnnounceRoundKey
    | SealSuite
    | PublishConsentRoot
    | WithdrawConsents
    | CreateLineage
    | OpenRound
    | RegisterUpdate
    | RevokeUpdate
    | AttestResult
    | AbortRound
)
