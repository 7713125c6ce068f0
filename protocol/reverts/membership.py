"""Refusals about members, keys and the governor (contracts/Membership.sol)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from protocol.identifiers import AccountAddress, AggregatorId, Digest, SiteId
from protocol.reverts.contract_error import ContractError
from protocol.standing import SiteStatus


@dataclass(eq=False)
class MissingValueError(ContractError):
    """A value that may not be zero is zero."""

    field: str

    what_happened: ClassVar[str] = "{field} may not be zero"
    what_to_do: ClassVar[str] = "give the call a value for it"


@dataclass(eq=False)
class SiteAlreadyAdmittedError(ContractError):
    """The site was admitted before."""

    site_id: SiteId

    what_happened: ClassVar[str] = "site {site_id} was admitted before"
    what_to_do: ClassVar[str] = "rotate its account instead of admitting it again"


@dataclass(eq=False)
class AccountAlreadyUsedError(ContractError):
    """The account acts or acted for an identity."""

    account: AccountAddress
    used_by: Digest

    what_happened: ClassVar[str] = "account {account} acts or acted for {used_by}"
    what_to_do: ClassVar[str] = "make a fresh account: none is used twice"


@dataclass(eq=False)
class TooManySitesError(ContractError):
    """No ordinal is left for another site."""

    max_sites: int

    what_happened: ClassVar[str] = "this deployment holds at most {max_sites} sites"
    what_to_do: ClassVar[str] = "deploy a successor"


@dataclass(eq=False)
class SiteNotFoundError(ContractError):
    """No such site was admitted."""

    site_id: SiteId

    what_happened: ClassVar[str] = "site {site_id} was never admitted"
    what_to_do: ClassVar[str] = "check the site's id (fedrx audit trail)"


@dataclass(eq=False)
class SiteNotActiveError(ContractError):
    """The site's standing forbids the call."""

    site_id: SiteId
    status: SiteStatus

    what_happened: ClassVar[str] = "site {site_id} is {status}"
    what_to_do: ClassVar[str] = "ask the governor to admit or reinstate it"


@dataclass(eq=False)
class SiteNotSuspendedError(ContractError):
    """Only a suspended site can be reinstated."""

    site_id: SiteId
    status: SiteStatus

    what_happened: ClassVar[str] = "site {site_id} is {status}, not suspended"
    what_to_do: ClassVar[str] = "nothing to reinstate"


@dataclass(eq=False)
class SiteHasLeftError(ContractError):
    """The site has left for good."""

    site_id: SiteId

    what_happened: ClassVar[str] = "site {site_id} has left for good"
    what_to_do: ClassVar[str] = "join again under a new site id"


@dataclass(eq=False)
class NotASiteError(ContractError):
    """The caller is not the current account of any site."""

    account: AccountAddress

    what_happened: ClassVar[str] = "account {account} acts for no site now"
    what_to_do: ClassVar[str] = "check which account the node signs with, or ask the governor to admit it"


@dataclass(eq=False)
class NotSiteOrGovernorError(ContractError):
    """The caller is neither the site's current account nor the governor."""

    site_id: SiteId
    account: AccountAddress

    what_happened: ClassVar[str] = "account {account} is neither site {site_id}'s nor the governor's"
    what_to_do: ClassVar[str] = "sign with the site's current account"


@dataclass(eq=False)
class AggregatorNotFoundError(ContractError):
    """No such aggregator was admitted."""

    aggregator_id: AggregatorId

    what_happened: ClassVar[str] = "aggregator {aggregator_id} was never admitted"
    what_to_do: ClassVar[str] = "admit it before it joins a set"


@dataclass(eq=False)
class NotAnAggregatorError(ContractError):
    """The caller is not the current account of any aggregator."""

    account: AccountAddress

    what_happened: ClassVar[str] = "account {account} acts for no aggregator now"
    what_to_do: ClassVar[str] = "check which account the aggregator signs with, or ask the governor to admit it"


@dataclass(eq=False)
class AggregatorNotInSetError(ContractError):
    """The aggregator is not in that version of the set."""

    aggregator_id: AggregatorId
    version: int

    what_happened: ClassVar[str] = "aggregator {aggregator_id} is not in version {version} of the aggregator set"
    what_to_do: ClassVar[str] = "ask the governor to choose it for coming rounds"


@dataclass(eq=False)
class AggregatorRepeatedError(ContractError):
    """The set names an aggregator twice."""

    aggregator_id: AggregatorId

    what_happened: ClassVar[str] = "the set names aggregator {aggregator_id} twice"
    what_to_do: ClassVar[str] = "name it once"


@dataclass(eq=False)
class TooManyAggregatorsError(ContractError):
    """The set is too large."""

    given: int
    max_aggregators: int

    what_happened: ClassVar[str] = "a set of {given} aggregators is larger than {max_aggregators}"
    what_to_do: ClassVar[str] = "choose fewer"


@dataclass(eq=False)
class ThresholdOutOfRangeError(ContractError):
    """The threshold is not within 1 and the size of the set."""

    threshold: int
    aggregators: int

    what_happened: ClassVar[str] = "a threshold of {threshold} does not fit {aggregators} aggregators"
    what_to_do: ClassVar[str] = "choose 1 to the size of the set"


@dataclass(eq=False)
class NotTheAuditorError(ContractError):
    """The caller is not the auditor of that epoch."""

    epoch: int
    account: AccountAddress

    what_happened: ClassVar[str] = "account {account} is not the auditor of epoch {epoch}"
    what_to_do: ClassVar[str] = "sign with that epoch's auditor account"


@dataclass(eq=False)
class RoundRangeReversedError(ContractError):
    """The first round comes after the last."""

    first_round: int
    last_round: int

    what_happened: ClassVar[str] = "round {first_round} comes after round {last_round}"
    what_to_do: ClassVar[str] = "name the first round first"


@dataclass(eq=False)
class GovernorCannotRenounceError(ContractError):
    """A suite without a governor could admit nobody."""

    what_happened: ClassVar[str] = "the governor cannot renounce"
    what_to_do: ClassVar[str] = "transfer the governance instead"


@dataclass(eq=False)
class OwnableUnauthorizedAccountError(ContractError):
    """The caller is not the governor, or not the one that governance was handed to."""

    account: AccountAddress

    what_happened: ClassVar[str] = "account {account} is not the governor"
    what_to_do: ClassVar[str] = "sign with the governor's account"


@dataclass(eq=False)
class OwnableInvalidOwnerError(ContractError):
    """The account cannot govern."""

    owner: AccountAddress

    what_happened: ClassVar[str] = "account {owner} cannot govern"
    what_to_do: ClassVar[str] = "name an account that is not zero"
