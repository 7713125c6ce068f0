"""Refusals about lineages and the opening of a round (docs/spec/round.md, section 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from protocol.identifiers import AccountAddress, Digest, LineageId
from protocol.reverts.contract_error import ContractError
from protocol.standing import RoundState


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
class AttestByTooLateError(ContractError):
    """The round could stay live for longer than 90 days."""

    attest_by: int
    latest: int

    what_happened: ClassVar[str] = "attest-by {attest_by} is after {latest}, 90 days from now"
    what_to_do: ClassVar[str] = "choose a shorter round"


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
