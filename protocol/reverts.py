"""What the contract refuses: one exception for each Solidity error, ``RoundNotOpen`` → ``RoundNotOpenError``.

Attributes equal the Solidity arguments, in order; a test holds the two together. The module is one table, so it is
longer than others.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from enum import IntEnum
from typing import ClassVar

from protocol.errors import FederationError, TransactionRevertedError
from protocol.identifiers import AccountAddress, AggregatorId, Digest, LineageId, SiteId
from protocol.standing import RoundState, SiteStatus

_TIMES = frozenset({"deadline", "attest_by", "valid_until", "timestamp"})


@dataclass(eq=False)
class ContractError(TransactionRevertedError):
    """The contract refused with an error of its own."""

    what_happened: ClassVar[str] = ""
    what_to_do: ClassVar[str] = ""

    def __post_init__(self) -> None:
        shown = {field.name: _shown(field.name, getattr(self, field.name)) for field in fields(self)}
        FederationError.__init__(self, self.what_happened.format(**shown), hint=self.what_to_do)


def _shown(name: str, value: object) -> object:
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, AccountAddress):
        return str(value)
    if isinstance(value, bytes):
        return f"0x{value.hex()[:8]}…"
    if isinstance(value, int) and name in _TIMES:
        # Past the year 9999 a time has no calendar form.
        return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%dT%H:%M:%SZ}" if value < 253_402_300_800 else str(value)
    return value


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
    what_to_do: ClassVar[str] = "check the site's id (fedrx audit sites)"


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
class ConsentAlreadyExpiredError(ContractError):
    """The root would be expired when published."""

    site_id: SiteId
    valid_until: int
    timestamp: int

    what_happened: ClassVar[str] = "the consent root's expiry {valid_until} is not after the block's time {timestamp}"
    what_to_do: ClassVar[str] = "leave expired receipts out of the root"


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


@dataclass(eq=False)
class SuiteIsSealedError(ContractError):
    """The suite is closed for new lineages and rounds."""

    successor_chain_id: int
    successor: AccountAddress

    what_happened: ClassVar[str] = (
        "this deployment is sealed; its successor is {successor} on chain {successor_chain_id}"
    )
    what_to_do: ClassVar[str] = "use the successor's deployment file"


@dataclass(eq=False)
class LineageAlreadyExistsError(ContractError):
    """The lineage was created before."""

    lineage_id: LineageId

    what_happened: ClassVar[str] = "lineage {lineage_id} was created before"
    what_to_do: ClassVar[str] = "choose another lineage id"


@dataclass(eq=False)
class LineageNotFoundError(ContractError):
    """No such lineage was created."""

    lineage_id: LineageId

    what_happened: ClassVar[str] = "lineage {lineage_id} was never created"
    what_to_do: ClassVar[str] = "ask the governor to create it"


@dataclass(eq=False)
class RoundOutOfOrderError(ContractError):
    """The round is not the lineage's next."""

    lineage_id: LineageId
    round: int
    next_round: int

    what_happened: ClassVar[str] = "round {round} of lineage {lineage_id} is not its next, {next_round}"
    what_to_do: ClassVar[str] = "read the lineage again"


@dataclass(eq=False)
class RoundStillLiveError(ContractError):
    """The lineage's last round has not ended."""

    lineage_id: LineageId
    round: int
    state: RoundState

    what_happened: ClassVar[str] = "round {round} of lineage {lineage_id} is still {state}"
    what_to_do: ClassVar[str] = "attest it, or abort it after its attest-by time"


@dataclass(eq=False)
class ParentNotHeadError(ContractError):
    """The parent is not the lineage's head."""

    lineage_id: LineageId
    parent_digest: Digest
    head_digest: Digest

    what_happened: ClassVar[str] = "{parent_digest} is not the head of lineage {lineage_id}, {head_digest}"
    what_to_do: ClassVar[str] = "open the round on the head"


@dataclass(eq=False)
class DeadlineInPastError(ContractError):
    """The deadline has passed."""

    deadline: int
    timestamp: int

    what_happened: ClassVar[str] = "the deadline {deadline} is not after the block's time {timestamp}"
    what_to_do: ClassVar[str] = "choose a later deadline"


@dataclass(eq=False)
class AttestByNotAfterDeadlineError(ContractError):
    """The aggregators would have no time to attest."""

    attest_by: int
    deadline: int

    what_happened: ClassVar[str] = "attest-by {attest_by} is not after the deadline {deadline}"
    what_to_do: ClassVar[str] = "choose a later attest-by time"


@dataclass(eq=False)
class SelectionTooLongError(ContractError):
    """The selection has too many words."""

    words: int
    max_words: int

    what_happened: ClassVar[str] = "a selection of {words} words is longer than {max_words}"
    what_to_do: ClassVar[str] = "leave trailing zero words out"


@dataclass(eq=False)
class SelectionNamesUnknownSiteError(ContractError):
    """The selection names an ordinal that no site has."""

    site_count: int

    what_happened: ClassVar[str] = "the selection names a site beyond the {site_count} admitted ones"
    what_to_do: ClassVar[str] = "select admitted sites only"


@dataclass(eq=False)
class SelectionOutOfRangeError(ContractError):
    """Not 3 ≤ minAccepted ≤ selected ≤ 256."""

    selected_count: int
    min_accepted: int

    what_happened: ClassVar[str] = "{selected_count} selected sites and a minimum of {min_accepted} accepted do not fit"
    what_to_do: ClassVar[str] = "keep 3 ≤ minimum ≤ selected ≤ 256"


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


@dataclass(eq=False)
class RoundNotClosedError(ContractError):
    """The round takes no votes."""

    lineage_id: LineageId
    round: int
    state: RoundState

    what_happened: ClassVar[str] = "round {round} of lineage {lineage_id} is {state}, not closed"
    what_to_do: ClassVar[str] = "attest between its close and its end"


@dataclass(eq=False)
class AlreadyAttestedError(ContractError):
    """The aggregator has voted in this round."""

    lineage_id: LineageId
    round: int
    aggregator_id: AggregatorId

    what_happened: ClassVar[str] = "aggregator {aggregator_id} has voted in round {round} of lineage {lineage_id}"
    what_to_do: ClassVar[str] = "nothing to do: one vote a round"


@dataclass(eq=False)
class CodesLengthMismatchError(ContractError):
    """There is not one verdict code for each registered update."""

    codes: int
    submitted: int

    what_happened: ClassVar[str] = "{codes} verdict codes for {submitted} registered updates"
    what_to_do: ClassVar[str] = "give one code a registration"


@dataclass(eq=False)
class AcceptedContradictsCodesError(ContractError):
    """The accepted bitmap is not that of the codes."""

    accepted: int
    accepted_by_codes: int

    what_happened: ClassVar[str] = "the accepted bitmap is {accepted:#x}, the codes say {accepted_by_codes:#x}"
    what_to_do: ClassVar[str] = "set a bit exactly where the code is 0"


@dataclass(eq=False)
class AcceptedButRevokedError(ContractError):
    """The result accepts updates that their sites took back."""

    indices: int

    what_happened: ClassVar[str] = "the result accepts revoked updates, bitmap {indices:#x}"
    what_to_do: ClassVar[str] = "give them the code REVOKED"


@dataclass(eq=False)
class TooFewAcceptedError(ContractError):
    """The result names a model although too few updates were accepted."""

    accepted: int
    min_accepted: int

    what_happened: ClassVar[str] = "{accepted} accepted updates are fewer than {min_accepted}"
    what_to_do: ClassVar[str] = "attest the round as failed, without a model"


@dataclass(eq=False)
class QuorumWithoutModelError(ContractError):
    """The result names no model although enough updates were accepted."""

    accepted: int
    min_accepted: int

    what_happened: ClassVar[str] = "{accepted} accepted updates are enough for a model, at least {min_accepted}"
    what_to_do: ClassVar[str] = "attest the model"


@dataclass(eq=False)
class FailedResultNamesModelError(ContractError):
    """A result without a model carries a CID or state digest."""

    what_happened: ClassVar[str] = "a result without a model has a model CID or a state digest"
    what_to_do: ClassVar[str] = "leave both zero"


@dataclass(eq=False)
class RoundNotLiveError(ContractError):
    """The round is not live."""

    lineage_id: LineageId
    round: int
    state: RoundState

    what_happened: ClassVar[str] = "round {round} of lineage {lineage_id} is {state}"
    what_to_do: ClassVar[str] = "nothing to abort"


@dataclass(eq=False)
class AttestationStillDueError(ContractError):
    """The aggregators still have time."""

    lineage_id: LineageId
    round: int
    attest_by: int
    timestamp: int

    what_happened: ClassVar[str] = (
        "round {round} of lineage {lineage_id} can be aborted from {attest_by} on, the block's time is {timestamp}"
    )
    what_to_do: ClassVar[str] = "wait until then"


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
