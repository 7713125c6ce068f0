"""The pinned verdict list, its root and its CID against the codes on chain, which everyone can compare."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from audit.findings import Difference, Topic
from protocol.cid import cid_of_bytes
from protocol.errors import MalformedError
from protocol.history import RoundView
from protocol.ledger_events import RoundFailed, RoundFinalized
from protocol.result import Verdict, encode_verdicts, make_verdicts, parse_verdicts, verdicts_root
from protocol.verdicts import VerdictCode

MAX_LIST_BYTES = 1 << 20


def verdict_list_faults(
    view: RoundView, outcome: RoundFinalized | RoundFailed, pinned: bytes | None
) -> Iterator[Difference]:
    """How list, root and CID differ from the codes on chain.

    Args:
        view: The round.
        outcome: Its result on chain.
        pinned: The list as delivered; None when it was not.
    """
    try:
        codes = {index: VerdictCode(code) for index, code in enumerate(outcome.codes)}
    except ValueError:
        yield Difference(Topic.VERDICT, "a verdict code on chain is not known")
        return
    verdicts = make_verdicts(view.registrations, codes)
    if verdicts_root(verdicts) != outcome.verdicts_root:
        yield Difference(Topic.VERDICT_LIST, "the verdicts' root on chain is not that of the verdict codes on chain")
    expected = encode_verdicts(view.round_id, verdicts)
    if cid_of_bytes(expected) != outcome.verdicts_cid:
        yield Difference(Topic.VERDICT_LIST, _how_it_differs(view, verdicts, pinned))


def _how_it_differs(view: RoundView, verdicts: Sequence[Verdict], pinned: bytes | None) -> str:
    if pinned is None:
        return "the verdict list's CID on chain is not that of the verdict codes on chain"
    try:
        round_id, listed = parse_verdicts(pinned)
    except MalformedError as error:
        return f"the pinned verdict list is none: {error}"
    if round_id != view.round_id:
        return "the pinned verdict list is that of another round"
    if len(listed) != len(verdicts):
        return f"the pinned verdict list holds {len(listed)} verdicts for {len(verdicts)} updates"
    unlike = ", ".join(str(mine.index) for theirs, mine in zip(listed, verdicts, strict=True) if theirs != mine)
    return f"the pinned verdict list says otherwise than the codes on chain of updates {unlike}"
