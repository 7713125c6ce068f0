"""Where a patient's samples went: rounds, and the models that came of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from node.store.sample_uses import roots_of_patient
from protocol.ledger_events import RoundAborted, RoundFailed, RoundFinalized
from protocol.verdicts import VerdictCode, explain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from node.store.local_store import LocalStore
    from protocol.history import History, LineageView, Registration, RoundView
    from protocol.identifiers import Digest, LineageId, SiteId


@dataclass(frozen=True, slots=True)
class Trace:
    """One update of the site that a patient's samples were in."""

    lineage_id: LineageId
    round: int
    samples: int
    """How many samples of the patient."""
    outcome: str
    """What became of the update, for a person."""
    model_digest: Digest | None
    """The global model that it is a part of."""
    later_models: int
    """Global models of the lineage that were trained on from that one."""


def traces_of(store: LocalStore, patient: str, history: History, site_id: SiteId) -> tuple[Trace, ...]:
    """Every registered update that a patient's samples were in, oldest round first.

    Args:
        store: The site's local store.
        patient: The site's own identifier, checked.
        history: In step with the chain.
        site_id: The site.
    """
    with store.read() as transaction:
        row = transaction.find_patient(patient)
        roots = {} if row is None else roots_of_patient(transaction, row.id)
    return tuple(trace for lineage in history.lineages.values() for trace in _of_lineage(lineage, roots, site_id))


def _of_lineage(lineage: LineageView, roots: Mapping[Digest, int], site_id: SiteId) -> Iterator[Trace]:
    finalized = [number for number, view in lineage.rounds.items() if isinstance(view.outcome, RoundFinalized)]
    for number, view in sorted(lineage.rounds.items()):
        mine = view.registration_of(site_id)
        if mine is None or mine.event.dataset_root not in roots:
            continue
        model = _model(view, mine)
        yield Trace(
            lineage_id=lineage.created.lineage_id,
            round=number,
            samples=roots[mine.event.dataset_root],
            outcome=_outcome(view, mine),
            model_digest=model,
            later_models=0 if model is None else sum(later > number for later in finalized),
        )


def _model(view: RoundView, mine: Registration) -> Digest | None:
    outcome = view.outcome
    if isinstance(outcome, RoundFinalized) and outcome.accepted >> mine.event.index & 1:
        return outcome.model_digest
    return None


def _outcome(view: RoundView, mine: Registration) -> str:
    index = mine.event.index
    match view.outcome:
        case RoundFinalized(codes=codes) if codes[index] == VerdictCode.ACCEPTED:
            return "part of the global model"
        case RoundFinalized(codes=codes) | RoundFailed(codes=codes) if codes[index] != VerdictCode.ACCEPTED:
            return f"left out: {explain(VerdictCode(codes[index])).why}"
        case RoundFailed():
            return "no model: too few updates were accepted"
        case RoundAborted():
            return "no model: the round was aborted"
        case _:
            return "taken back" if index in view.revoked else "the round has no result yet"
