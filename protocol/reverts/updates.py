"""Refusals about registering and revoking an update (docs/spec/round.md, section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from protocol.identifiers import Digest, LineageId, SiteId
from protocol.reverts.contract_error import ContractError
from protocol.standing import RoundState


@dataclass(eq=False)
class RoundNotOpenError(ContractError):
    """The round takes no registrations or revocations."""

    lineage_id: LineageId
    round: int
    state: RoundState

    what_happened: ClassVar[str] = "round {round} of lineage {lineage_id} is {state}, not open"
    what_to_do: ClassVar[str] = "wait for the lineage's next round"


@dataclass(eq=False)
class SiteNotSelectedError(ContractError):
    """The site was not selected for the round."""

    lineage_id: LineageId
    round: int
    site_id: SiteId

    what_happened: ClassVar[str] = "site {site_id} was not selected for round {round} of lineage {lineage_id}"
    what_to_do: ClassVar[str] = "wait for a round that selects it"


@dataclass(eq=False)
class UpdateAlreadyRegisteredError(ContractError):
    """The site has registered in this round."""

    lineage_id: LineageId
    round: int
    site_id: SiteId

    what_happened: ClassVar[str] = "site {site_id} has registered in round {round} of lineage {lineage_id}"
    what_to_do: ClassVar[str] = "nothing to do: one update a round"


@dataclass(eq=False)
class EnvelopeAlreadyRegisteredError(ContractError):
    """The site has registered this envelope before."""

    site_id: SiteId
    envelope_digest: Digest

    what_happened: ClassVar[str] = "site {site_id} has registered envelope {envelope_digest} before"
    what_to_do: ClassVar[str] = "seal the update again"


@dataclass(eq=False)
class WeightOutOfRangeError(ContractError):
    """The weight is not within 1 and its ceiling."""

    weight: int
    max_weight: int

    what_happened: ClassVar[str] = "a weight of {weight} is not within 1 and {max_weight}"
    what_to_do: ClassVar[str] = "follow the plan's weight rule"


@dataclass(eq=False)
class UpdateNotRegisteredError(ContractError):
    """The site has registered nothing in this round."""

    lineage_id: LineageId
    round: int
    site_id: SiteId

    what_happened: ClassVar[str] = "site {site_id} has registered nothing in round {round} of lineage {lineage_id}"
    what_to_do: ClassVar[str] = "nothing to revoke"


@dataclass(eq=False)
class UpdateAlreadyRevokedError(ContractError):
    """The site has taken its update back before."""

    lineage_id: LineageId
    round: int
    site_id: SiteId

    what_happened: ClassVar[str] = (
        "site {site_id} has taken its update of round {round} of lineage {lineage_id} back already"
    )
    what_to_do: ClassVar[str] = "nothing to do"
