"""Refusals about votes, results and aborts (contracts/Endings.sol and Results.sol; docs/spec/round.md, section 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from protocol.identifiers import AggregatorId, LineageId
from protocol.reverts.contract_error import ContractError
from protocol.standing import RoundState


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
