"""Recomputes one round with the auditor's key: every verdict, then the model, then what the chain says of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from audit.envelopes import RoundEnvelopes
from audit.findings import Difference, Missing, Topic
from audit.models import ModelShelf
from audit.names import Names
from protocol.aggregation import NO_SERVER_STATE, aggregate
from protocol.cid import cid_of_bytes
from protocol.errors import MalformedError
from protocol.identifiers import CID, Digest
from protocol.judgement import Judgement, judge_round
from protocol.ledger_events import RoundFailed, RoundFinalized
from protocol.recipient_keys import RecipientPrivateKey
from protocol.result import RoundResult, Verdict, differences, encode_verdicts, failed_result
from protocol.verdicts import RECIPIENT_CODES, VerdictCode, explain
from protocol.verification import RoundContext, VerifiedUpdate

_DECIDED_TOGETHER = frozenset({VerdictCode.ACCEPTED, VerdictCode.DUPLICATE_EXACT, VerdictCode.DUPLICATE_NEAR})
"""Which of these an update gets depends on the other updates; every other code depends on the update alone."""
_NEEDS_A_KEY = frozenset({"model_digest", "model_cid"})
"""Verdicts are compared one by one, and what follows from the codes on chain is compared with them without a key."""


@dataclass(slots=True)
class Recomputed:
    """What recomputing a round found."""

    differences: list[Difference] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    model_same: bool = False
    """Whether the model that the rules give is the one on chain, byte for byte."""


@dataclass(frozen=True, slots=True)
class RoundToRecompute:
    """All that a round's recomputation takes besides its envelopes."""

    context: RoundContext
    outcome: RoundFinalized | RoundFailed
    key: RecipientPrivateKey
    parent: Path | None
    """The parent model's file; None when it is missing, and then the verdicts alone are recomputed."""
    names: Names


def recompute(task: RoundToRecompute, envelopes: RoundEnvelopes, shelf: ModelShelf) -> Recomputed:
    """Judges all updates anew and sums the accepted ones.

    Memory is bounded by chunks, not by the model or the number of sites: envelopes and models stay in files.

    Raises:
        BlockStoreUnavailableError: No endpoint answers.
        StoreError: The work folder is full.
    """
    found = Recomputed()
    judgement = judge_round(task.context, task.key, envelopes.fetched)
    for verdict, registration in zip(judgement.verdicts, task.context.view.registrations, strict=True):
        if verdict.code in RECIPIENT_CODES and envelopes.said(verdict.index) not in RECIPIENT_CODES:
            envelopes.file_unopened(registration)
    unknown = envelopes.missing
    found.missing.extend(unknown[index] for index in sorted(unknown))
    found.notes.extend(envelopes.notes)
    wrong = _wrong_verdicts(judgement, envelopes, task.names)
    found.differences.extend(wrong)
    if not unknown:
        _compare_result(task, judgement, shelf, found)
    _sum_what_chain_accepted(task, judgement, shelf, found, undecided=bool(unknown) or bool(wrong))
    return found


def _wrong_verdicts(judgement: Judgement, envelopes: RoundEnvelopes, names: Names) -> list[Difference]:
    wrong = []
    details = dict(judgement.details)
    for verdict in judgement.verdicts:
        said = envelopes.said(verdict.index)
        if verdict.index in envelopes.missing or said is verdict.code:
            continue
        if envelopes.missing and {said, verdict.code} <= _DECIDED_TOGETHER:
            # A missing update may be the earlier of two duplicates: this verdict cannot be told.
            continue
        wrong.append(_wrong_verdict(verdict, said, details.get(verdict.index, ""), names))
    return wrong


def _wrong_verdict(verdict: Verdict, said: VerdictCode | None, detail: str, names: Names) -> Difference:
    on_chain = "an unknown code" if said is None else word_of(said)
    because = f" ({detail or explain(verdict.code).why})" if verdict.code is not VerdictCode.ACCEPTED else ""
    who = f"update {verdict.index} of {names.label(verdict.site_id)}"
    sentence = f"{who}: {on_chain} on chain, but the rules give {word_of(verdict.code)}{because}"
    return Difference(Topic.VERDICT, sentence, verdict.index)


def word_of(code: VerdictCode) -> str:
    """A code's number and name, such as ``90 norm too large``."""
    return f"{code.value} {code.name.lower().replace('_', ' ')}"


def _compare_result(task: RoundToRecompute, judgement: Judgement, shelf: ModelShelf, found: Recomputed) -> None:
    """Compares the whole result with the chain's, as an aggregator would have voted for it."""
    round_id = task.context.view.round_id
    verdicts_cid = cid_of_bytes(encode_verdicts(round_id, judgement.verdicts))
    result = failed_result(round_id, judgement.verdicts, verdicts_cid)
    if judgement.enough:
        summed = _sum(task, judgement.accepted, shelf, "rules")
        if summed is None:
            return
        if isinstance(summed, Difference):
            found.differences.append(summed)
            return
        result = RoundResult(round_id, *summed, NO_SERVER_STATE, judgement.verdicts, verdicts_cid)
    if judgement.enough != isinstance(task.outcome, RoundFinalized):
        rules = "give a model" if judgement.enough else "give none: too few updates pass"
        chain = "a model" if isinstance(task.outcome, RoundFinalized) else "a failed round"
        found.differences.append(Difference(Topic.OUTCOME, f"{chain} is on chain, but the rules {rules}"))
        return
    names = differences(result, task.outcome)
    found.model_same = judgement.enough and not _NEEDS_A_KEY & set(names)
    for name in names:
        if name in _NEEDS_A_KEY:
            found.differences.append(Difference(Topic.MODEL, _unlike(name, result, task.outcome)))


def _unlike(name: str, result: RoundResult, outcome: RoundFinalized | RoundFailed) -> str:
    ours, theirs = getattr(result.to_call(), name), getattr(outcome, name)
    return f"{name.replace('_', ' ')}: {theirs} on chain, but the rules give {ours}"


def _sum_what_chain_accepted(
    task: RoundToRecompute, judgement: Judgement, shelf: ModelShelf, found: Recomputed, *, undecided: bool
) -> None:
    """With wrong verdicts or missing pieces: is the model at least the sum of the updates that the chain accepted?"""
    outcome = task.outcome
    if not undecided or not isinstance(outcome, RoundFinalized):
        return
    own = {update.index: update for update in judgement.accepted}
    theirs = [index for index in range(len(task.context.view.registrations)) if outcome.accepted >> index & 1]
    if not theirs or not set(theirs) <= set(own):
        return
    summed = _sum(task, [own[index] for index in theirs], shelf, "chain")
    if summed is None:
        return
    if summed == (outcome.model_digest, outcome.model_cid):
        found.notes.append("the model is the sum of the updates that were accepted on chain")
    elif not any(difference.topic is Topic.MODEL for difference in found.differences):
        sentence = "the model is not the sum of the updates that were accepted on chain"
        found.differences.append(Difference(Topic.MODEL, sentence))


def _sum(
    task: RoundToRecompute, updates: Sequence[VerifiedUpdate], shelf: ModelShelf, stem: str
) -> tuple[Digest, CID] | Difference | None:
    """Digest and CID of the model that updates give, or why they give none; None without a parent."""
    if task.parent is None:
        return None
    number = task.context.view.opened.round
    try:
        with task.parent.open("rb") as parent:
            return shelf.write(f"{number}-{stem}", aggregate(parent, updates, task.context.plan))
    except MalformedError as error:
        return Difference(Topic.MODEL, f"no model follows from the accepted updates: {error}")
