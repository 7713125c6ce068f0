"""Refusals about a site's consents (contracts/Consents.sol)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from protocol.identifiers import SiteId
from protocol.reverts.contract_error import ContractError


@dataclass(eq=False)
class ConsentAlreadyExpiredError(ContractError):
    """The root would be expired when published."""

    site_id: SiteId
    valid_until: int
    timestamp: int

    what_happened: ClassVar[str] = "the consent root's expiry {valid_until} is not after the block's time {timestamp}"
    what_to_do: ClassVar[str] = "leave expired receipts out of the root"


@dataclass(eq=False)
class ConsentRootEmptyError(ContractError):
    """The root stands over no receipt."""

    site_id: SiteId

    what_happened: ClassVar[str] = "site {site_id} published a consent root over no receipt"
    what_to_do: ClassVar[str] = "record a consent first, or withdraw the roots so far"


@dataclass(eq=False)
class NothingToWithdrawError(ContractError):
    """Every version so far is already void."""

    site_id: SiteId
    min_version: int

    what_happened: ClassVar[str] = "every consent version of site {site_id} below {min_version} is void already"
    what_to_do: ClassVar[str] = "nothing to do"


@dataclass(eq=False)
class ConsentNotInForceError(ContractError):
    """The version was never published, is withdrawn, or has expired."""

    site_id: SiteId
    version: int
    min_version: int
    valid_until: int

    what_happened: ClassVar[str] = (
        "consent version {version} of site {site_id} is not in force (lowest {min_version}, valid until {valid_until})"
    )
    what_to_do: ClassVar[str] = "publish a consent root and train under it"
