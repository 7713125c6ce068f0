"""What proven events show together, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from audit.names import Names
from audit.proofs.checking import ProvenEvent
from audit.sentences import moment, sentence_of, why_of
from protocol import ledger_events as ev
from protocol.verdicts import VerdictCode


def shown(proven: Sequence[ProvenEvent], names: Names) -> Iterator[str]:
    """Each event, then each verdict that follows from a registration and the outcome of its round."""
    for one in proven:
        yield f"{moment(one.timestamp)}  block {one.block_number}  {sentence_of(one.event, names)}"
    outcomes = {
        (one.event.lineage_id, one.event.round): one.event.codes
        for one in proven
        if isinstance(one.event, ev.RoundFinalized | ev.RoundFailed)
    }
    for one in proven:
        if isinstance(one.event, ev.UpdateRegistered):
            codes = outcomes.get((one.event.lineage_id, one.event.round))
            if codes is not None and one.event.index < len(codes):
                yield _verdict(one.event, codes[one.event.index], names)


def _verdict(event: ev.UpdateRegistered, code: int, names: Names) -> str:
    which = f"the update of site {names.label(event.site_id)} in round {event.round}"
    if code == VerdictCode.ACCEPTED:
        return f"so {which} was accepted"
    return f"so {which} was refused: {why_of(code)} (verdict {code})"
