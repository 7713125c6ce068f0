"""What proven events show together, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from audit.names import Names
from audit.proofs.checking import ProvenEvent
from audit.sentences import moment, sentence_of, why_of
from protocol import ledger_events as ev
from protocol.verdicts import VerdictCode


def shown(proven: Sequence[ProvenEvent], names: Names) -> Iterator[str]:
    """Each event with its digests whole, then each verdict that follows from a registration and its round's outcome."""
    for one in proven:
        yield f"{moment(one.timestamp)}  block {one.block_number}  {sentence_of(one.event, names)}"
        yield from _digests(one.event)
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


def _digests(event: ev.LedgerEvent) -> Iterator[str]:
    """A sentence shortens digests, and whoever trains a model can make one that begins like another's."""
    for name in event.__dataclass_fields__:
        value = getattr(event, name)
        # Plain bytes are verdict codes.
        if isinstance(value, bytes) and type(value) is not bytes and any(bytes(value)):
            yield f"    {name.replace('_', ' ')} {value!s}"


def _verdict(event: ev.UpdateRegistered, code: int, names: Names) -> str:
    which = f"the update of site {names.label(event.site_id)} in round {event.round}"
    if code == VerdictCode.ACCEPTED:
        return f"so {which} was accepted"
    return f"so {which} was refused: {why_of(code)} (verdict {code})"
