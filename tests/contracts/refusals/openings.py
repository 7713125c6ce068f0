"""Lineages, round keys and the opening of a round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from protocol import reverts
from protocol.identifiers import CID, Digest
from protocol.ledger_calls import AnnounceRoundKey, LedgerCall, SealSuite
from protocol.standing import RoundState
from tests.contracts.refusals.cases import CaseTable
from tests.contracts.refusals.parties import FRESH, KEY, UNCHOSEN
from tests.contracts.refusals.scene import DONE, IDLE, LIVE, NOWHERE, READY, Scene
from tests.contracts.setting import GENESIS, attest_call, cid, digest, lineage_call

TABLE = CaseTable()
refuse, missing, only_governor = TABLE.refuse, TABLE.missing, TABLE.only_governor

ANNOUNCE = AnnounceRoundKey(IDLE, 1, KEY, cid("round key"))
for who in ("stranger", "site-0", "governor"):
    for build in (
        lambda s: ANNOUNCE,
        lambda s: s.network.open_call(lineage_id=IDLE),
        lambda s: attest_call(codes=bytes(4), lineage_id=READY),
    ):
        refuse(f"{who} is no aggregator", who, build, lambda s, who=who: reverts.NotAnAggregatorError(s.account(who)))
refuse(
    "an aggregator outside the set announces no key", "unchosen", ANNOUNCE, reverts.AggregatorNotInSetError(UNCHOSEN, 2)
)
refuse(
    "no key for an unknown lineage",
    "aggregator-0",
    replace(ANNOUNCE, lineage_id=NOWHERE),
    reverts.LineageNotFoundError(NOWHERE),
)
for number in (0, 1):
    refuse(
        "no key for a round that was opened",
        "aggregator-0",
        replace(ANNOUNCE, lineage_id=LIVE, round=number),
        reverts.RoundOutOfOrderError(LIVE, number, 2),
    )
missing("aggregator-0", ANNOUNCE, "key_digest", "key_cid")

LINE = lineage_call(NOWHERE)
only_governor(LINE)
missing("governor", LINE, "lineage_id", "model_digest", "model_cid", "backbone_digest", "plan_schema")
refuse("the lineage exists", "governor", lineage_call(LIVE), reverts.LineageAlreadyExistsError(LIVE))

only_governor(SealSuite(1, FRESH))
missing("governor", SealSuite(1, FRESH), "successor_chain_id", "successor")


def opening(**changes: Any) -> Callable[[Scene], LedgerCall]:
    return lambda scene: scene.network.open_call(
        **{"lineage_id": IDLE, "deadline": scene.deadline, "attest_by": scene.deadline + 1, "selected": (0b1111,)}
        | changes
    )


refuse(
    "an aggregator outside the set opens no round", "unchosen", opening(), reverts.AggregatorNotInSetError(UNCHOSEN, 2)
)
refuse(
    "no round of an unknown lineage", "aggregator-0", opening(lineage_id=NOWHERE), reverts.LineageNotFoundError(NOWHERE)
)
for number in (0, 2):
    refuse(
        f"round {number} is not the next",
        "aggregator-0",
        opening(round_number=number),
        reverts.RoundOutOfOrderError(IDLE, number, 1),
    )
refuse(
    "an open round is live",
    "aggregator-0",
    opening(lineage_id=LIVE, round_number=2),
    reverts.RoundStillLiveError(LIVE, 1, RoundState.OPEN),
)
refuse(
    "a closed round is live",
    "aggregator-0",
    opening(lineage_id=READY, round_number=2),
    reverts.RoundStillLiveError(READY, 1, RoundState.CLOSED),
)
refuse(
    "the parent is not the head",
    "aggregator-0",
    opening(lineage_id=DONE, round_number=2),
    reverts.ParentNotHeadError(DONE, GENESIS, digest("model 1")),
)
for zero_field, zero in (
    ("plan_digest", Digest.zero()),
    ("plan_cid", CID.zero()),
    ("recipients_digest", Digest.zero()),
):
    words = zero_field.split("_")
    refuse(
        f"{zero_field} is zero",
        "aggregator-0",
        opening(**{zero_field: zero}),
        reverts.MissingValueError(words[0] + words[1].capitalize()),
    )
refuse(
    "no time to attest",
    "aggregator-0",
    lambda s: opening(attest_by=s.deadline)(s),
    lambda s: reverts.AttestByNotAfterDeadlineError(s.deadline, s.deadline),
)
refuse("the selection is too long", "aggregator-0", opening(selected=(0,) * 65), reverts.SelectionTooLongError(65, 64))
for selected in ((1 << 8,), (0b111, 1), (0b111, 0, 1 << 255), (1 << 255,)):
    refuse(
        "the selection names nobody's ordinal",
        "aggregator-0",
        opening(selected=selected),
        reverts.SelectionNamesUnknownSiteError(8),
    )
for selected, minimum in (((), 3), ((0b11,), 3), ((0b1111,), 2), ((0b1111,), 0), ((0b1111,), 5)):
    refuse(
        f"{minimum} of {selected}",
        "aggregator-0",
        opening(selected=selected, min_accepted=minimum),
        reverts.SelectionOutOfRangeError(sum(word.bit_count() for word in selected), minimum),
    )
