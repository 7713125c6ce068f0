"""Replays one round: chain rules, plan, parent, verdicts, verdict list, model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from audit.chain_walk import OpeningFacts
from audit.envelopes import RoundEnvelopes
from audit.findings import Difference, Missing, Outcome, Piece, RoundFinding, Topic, outcome_of
from audit.models import ModelShelf
from audit.names import Names
from audit.pieces import NotFetched, Pieces
from audit.plan_rules import plan_faults, plan_notes, read_context, state_faults
from audit.public_checks import possible_codes
from audit.recompute import RoundToRecompute, recompute, word_of
from audit.verdict_list import MAX_LIST_BYTES, verdict_list_faults
from protocol.errors import VerificationError
from protocol.history import History, Registration, RoundView
from protocol.ledger_events import RoundAborted, RoundFailed, RoundFinalized
from protocol.plan import MAX_PLAN_BYTES
from protocol.ports import ChainIdentity
from protocol.recipient_keys import RecipientPrivateKey
from protocol.verdicts import VerdictCode
from protocol.verification import RoundContext


@dataclass(frozen=True, slots=True)
class Desk:
    """What every round's replay shares."""

    identity: ChainIdentity
    history: History
    pieces: Pieces
    shelf: ModelShelf
    keys: Sequence[RecipientPrivateKey]
    names: Names
    take_up: Callable[[], None]
    """Told of each update that is taken up."""


@dataclass(slots=True)
class _Notebook:
    """Collects what one round's replay finds."""

    differences: list[Difference] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    opened: bool = False
    model_same: bool = False

    def take(self, found: Path | Difference | Missing | None) -> Path | None:
        """Files a difference or a missing piece; hands a path on."""
        if isinstance(found, Difference):
            self.differences.append(found)
        elif isinstance(found, Missing):
            self.missing.append(found)
        return found if isinstance(found, Path) else None


def replay_round(desk: Desk, view: RoundView, facts: OpeningFacts, rule_faults: Sequence[Difference]) -> RoundFinding:
    """Recomputes a round as far as its pieces and the auditor's keys allow.

    Args:
        desk: What all rounds share.
        view: What the chain says of the round.
        facts: The chain's state at the round's opening.
        rule_faults: What the walk over the event logs found.

    Raises:
        BlockStoreUnavailableError: No endpoint answers.
        StoreError: The work folder is full.
    """
    book = _Notebook(list(rule_faults))
    context = _read_plan(desk, view, facts, book)
    match view.outcome:
        case RoundFinalized() | RoundFailed() as outcome:
            otherwise = Outcome.SAME
            if context is not None:
                _replay_verdicts(desk, context, outcome, facts, book)
            _check_verdict_list(desk, view, outcome, book)
            if isinstance(outcome, RoundFinalized):
                book.differences.extend(state_faults(outcome.state_digest))
                book.take(desk.shelf.check_published(outcome.model_digest, outcome.model_cid, Piece.GLOBAL_MODEL))
        case RoundAborted():
            otherwise = Outcome.ABORTED
        case _:
            otherwise = Outcome.LIVE
    differences, missing = tuple(book.differences), tuple(book.missing)
    return RoundFinding(
        round_id=view.round_id,
        outcome=outcome_of(differences, missing, otherwise),
        differences=differences,
        missing=missing,
        notes=tuple(book.notes),
        opened=book.opened,
        model_digest=view.outcome.model_digest if isinstance(view.outcome, RoundFinalized) else None,
        model_recomputed=book.model_same,
        updates=len(view.registrations),
    )


def _read_plan(desk: Desk, view: RoundView, facts: OpeningFacts, book: _Notebook) -> RoundContext | None:
    got = desk.pieces.get(view.opened.plan_cid, max_bytes=MAX_PLAN_BYTES)
    if isinstance(got, NotFetched):
        book.missing.append(got.as_missing(Piece.PLAN))
        return None
    context = read_context(got.path.read_bytes(), desk.identity, desk.history, view)
    desk.pieces.let_go(view.opened.plan_cid)
    if isinstance(context, Difference):
        book.differences.append(context)
        return None
    book.differences.extend(plan_faults(context, facts, desk.names))
    book.notes.extend(plan_notes(context, facts, desk.names))
    return context


def _replay_verdicts(
    desk: Desk, context: RoundContext, outcome: RoundFinalized | RoundFailed, facts: OpeningFacts, book: _Notebook
) -> None:
    key = key_for(context, desk.keys)
    if key is None and desk.keys:
        book.notes.append("none of the auditor's keys is among this round's recipients")
    # The first to be needed is the first to be asked for: judging begins while later updates are on their way.
    desk.shelf.begin(context.view.opened.parent_digest, facts.head_cid)
    with RoundEnvelopes(desk.pieces, context, outcome, key, desk.take_up) as envelopes:
        _begin_result(desk, outcome)
        parent = book.take(desk.shelf.find(context.view.opened.parent_digest, facts.head_cid, Piece.PARENT_MODEL))
        if key is None:
            _check_publicly(context, envelopes, desk.names, book)
            return
        found = recompute(RoundToRecompute(context, outcome, key, parent, desk.names), envelopes, desk.shelf)
    book.opened, book.model_same = True, found.model_same
    book.differences.extend(found.differences)
    book.missing.extend(found.missing)
    book.notes.extend(found.notes)


def _begin_result(desk: Desk, outcome: RoundFinalized | RoundFailed) -> None:
    """Starts to fetch what is compared after the updates."""
    desk.pieces.begin(outcome.verdicts_cid, max_bytes=MAX_LIST_BYTES)
    if isinstance(outcome, RoundFinalized):
        desk.pieces.begin(outcome.model_cid)


def key_for(context: RoundContext, keys: Sequence[RecipientPrivateKey]) -> RecipientPrivateKey | None:
    """The key that a round's updates were sealed for, if it is among these."""
    recipients = {recipient.public_key for recipient in context.plan.recipients}
    return next((key for key in keys if key.public_key() in recipients), None)


def _check_publicly(context: RoundContext, envelopes: RoundEnvelopes, names: Names, book: _Notebook) -> None:
    """Without a key: every verdict is one that is possible in view of the public bytes and the chain."""
    for registration in context.view.registrations:
        index, who = registration.event.index, names.label(registration.event.site_id)
        said = envelopes.said(index)
        possible = _possible(registration, context, envelopes)
        if said is None or said not in possible:
            code = "an unknown code" if said is None else word_of(said)
            sentence = f"update {index} of {who}: {code} on chain cannot be, by its public bytes and the chain"
            book.differences.append(Difference(Topic.VERDICT, sentence, index))
    book.missing.extend(envelopes.missing[index] for index in sorted(envelopes.missing))
    book.notes.extend(envelopes.notes)


def _possible(registration: Registration, context: RoundContext, envelopes: RoundEnvelopes) -> frozenset[VerdictCode]:
    if registration.event.index in context.view.revoked:
        return frozenset({VerdictCode.REVOKED})
    try:
        stream = envelopes.fetched(registration)
    except VerificationError as refusal:
        if registration.event.index in envelopes.missing:
            return possible_codes(registration, context, None)
        return frozenset({refusal.code})
    return possible_codes(registration, context, stream)


def _check_verdict_list(desk: Desk, view: RoundView, outcome: RoundFinalized | RoundFailed, book: _Notebook) -> None:
    got = desk.pieces.get(outcome.verdicts_cid, max_bytes=MAX_LIST_BYTES)
    if isinstance(got, NotFetched):
        book.missing.append(got.as_missing(Piece.VERDICT_LIST))
    pinned = None if isinstance(got, NotFetched) else got.path.read_bytes()
    book.differences.extend(verdict_list_faults(view, outcome, pinned))
    desk.pieces.let_go(outcome.verdicts_cid)
