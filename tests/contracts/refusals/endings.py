"""Votes, results and aborts."""

from __future__ import annotations

from dataclasses import replace

from protocol import reverts
from protocol.identifiers import aggregator_id_of
from protocol.ledger_calls import AbortRound
from protocol.standing import RoundState
from tests.contracts.refusals.cases import CaseTable
from tests.contracts.refusals.parties import CHAIR
from tests.contracts.refusals.scene import DONE, LIVE, NOWHERE, READY, VOTED
from tests.contracts.setting import attest_call, cid, digest, failed_call

TABLE = CaseTable()
refuse, missing = TABLE.refuse, TABLE.missing

GOOD = attest_call(codes=b"\0\1\0\0", lineage_id=READY)
BAD = failed_call(codes=b"\0\1\x5a\0", lineage_id=READY)
for lineage_id, number, state in (
    (NOWHERE, 1, RoundState.NONE),
    (LIVE, 1, RoundState.OPEN),
    (DONE, 1, RoundState.FINALIZED),
):
    refuse(
        f"no vote in a round that is {state.name}",
        "aggregator-0",
        replace(GOOD, lineage_id=lineage_id, round=number),
        reverts.RoundNotClosedError(lineage_id, number, state),
    )
for who in ("unchosen", "second"):
    refuse("only the round's own set votes", who, GOOD, reverts.AggregatorNotInSetError(aggregator_id_of(who), 1))
refuse(
    "one vote each",
    "aggregator-0",
    attest_call(codes=bytes(4), lineage_id=VOTED),
    reverts.AlreadyAttestedError(VOTED, 1, CHAIR),
)
for codes in (b"", b"\0\1\0", b"\0\1\0\0\0"):
    refuse(
        f"{len(codes)} codes",
        "aggregator-0",
        attest_call(codes=codes, lineage_id=READY),
        reverts.CodesLengthMismatchError(len(codes), 4),
    )
for accepted in (0, 0b0001, 0b1111, 0b11101, 1 << 255 | 0b1101):
    refuse(
        "the bitmap contradicts the codes",
        "aggregator-0",
        replace(GOOD, accepted=accepted),
        reverts.AcceptedContradictsCodesError(accepted, 0b1101),
    )
refuse(
    "a revoked update is accepted",
    "aggregator-0",
    attest_call(codes=bytes(4), lineage_id=READY),
    reverts.AcceptedButRevokedError(0b10),
)
refuse(
    "a model from too few",
    "aggregator-0",
    attest_call(codes=b"\0\1\x5a\0", lineage_id=READY),
    reverts.TooFewAcceptedError(2, 3),
)
refuse(
    "enough, but no model",
    "aggregator-0",
    failed_call(codes=b"\0\1\0\0", lineage_id=READY),
    reverts.QuorumWithoutModelError(3, 3),
)
for result in (GOOD, BAD):
    missing("aggregator-0", result, "verdicts_root", "verdicts_cid")
missing("aggregator-0", GOOD, "model_cid")
for changes in ({"model_cid": cid("model")}, {"state_digest": digest("state")}):
    refuse(
        "a failed result names a model", "aggregator-0", replace(BAD, **changes), reverts.FailedResultNamesModelError()
    )
for lineage_id, state in ((NOWHERE, RoundState.NONE), (DONE, RoundState.FINALIZED)):
    refuse(
        f"a round that is {state.name} is not aborted",
        "stranger",
        AbortRound(lineage_id, 1),
        reverts.RoundNotLiveError(lineage_id, 1, state),
    )
