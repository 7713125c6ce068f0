"""A replay's findings in words and as JSON."""

from __future__ import annotations

from collections.abc import Iterator

from audit.findings import Difference, Missing, Outcome, ReplayFinding, RoundFinding
from audit.names import Names
from audit.sentences import count
from protocol.canonical_json import JSONValue


def replay_lines(finding: ReplayFinding, names: Names) -> Iterator[str]:
    """The findings as lines of text; the last one sums up."""
    yield from _details(finding.differences, (), ())
    for lineage in finding.lineages:
        label = names.label(lineage.lineage_id)
        if lineage.differences or lineage.missing:
            yield f"{label}: the lineage itself"
            yield from _details(lineage.differences, lineage.missing, lineage.notes)
        for found in lineage.rounds:
            yield f"{label} round {found.round_id.number}: {_headline(found)}"
            yield from _details(found.differences, found.missing, found.notes)
    yield summary(finding)


def replay_json(finding: ReplayFinding, names: Names) -> Iterator[dict[str, JSONValue]]:
    """The findings as one object a round, then one that sums up."""
    for lineage in finding.lineages:
        for found in lineage.rounds:
            yield {
                "lineage": names.label(lineage.lineage_id),
                "lineage_id": str(lineage.lineage_id),
                "round": found.round_id.number,
                "outcome": found.outcome.value,
                "updates": found.updates,
                "opened": found.opened,
                "model_digest": None if found.model_digest is None else str(found.model_digest),
                "model_recomputed": found.model_recomputed,
                "differences": [_difference(difference) for difference in found.differences],
                "missing": [_missing(lost) for lost in found.missing],
                "notes": list(found.notes),
            }
    outside = [*finding.differences, *(d for lineage in finding.lineages for d in lineage.differences)]
    yield {
        "summary": summary(finding),
        "same": finding.same,
        "rounds": len(finding.rounds),
        "global_models": _models(finding),
        "global_models_recomputed": _recomputed(finding),
        "differences_outside_rounds": [_difference(difference) for difference in outside],
        "missing_outside_rounds": [_missing(lost) for lineage in finding.lineages for lost in lineage.missing],
    }


def summary(finding: ReplayFinding) -> str:
    """One line: how many global models were recomputed, and what stands in the way of the rest."""
    models, recomputed = _models(finding), _recomputed(finding)
    opened = any(found.opened for found in finding.rounds)
    if not models:
        head = "there is no global model to recompute"
    elif opened:
        head = f"{recomputed} of {models} global models recomputed, same bytes"
    else:
        head = f"{_agreeing(finding)} of {models} global models agree without a key: nothing was opened or recomputed"
    trouble = troubles(finding)
    return f"{head}; {trouble}" if trouble else head


def troubles(finding: ReplayFinding) -> str:
    """How much differs or is missing; empty when nothing does."""
    found = [(len(finding.all_differences), "difference"), (len(finding.all_missing), "missing piece")]
    return " and ".join(count(number, word) for number, word in found if number)


def _headline(found: RoundFinding) -> str:
    if found.outcome is Outcome.SAME:
        return _same_headline(found)
    return {
        Outcome.ABORTED: "aborted on chain, nothing to recompute",
        Outcome.LIVE: f"no result yet, {count(found.updates, 'update')} registered",
        Outcome.DIFFERENT: "DIFFERENT",
        Outcome.MISSING: "MISSING pieces, nothing known to differ",
    }[found.outcome]


def _same_headline(found: RoundFinding) -> str:
    updates = count(found.updates, "update")
    if not found.opened:
        return f"same as far as is public, {updates}, nothing opened"
    if found.model_digest is None:
        return f"same, failed on chain and by the rules, {updates}"
    return f"same, {updates}, model {str(found.model_digest)[:10]}… recomputed"


def _details(
    differences: tuple[Difference, ...], missing: tuple[Missing, ...], notes: tuple[str, ...]
) -> Iterator[str]:
    for difference in differences:
        yield f"  different ({difference.topic.value}): {difference.sentence}"
    for lost in missing:
        yield f"  missing: {lost.sentence}"
    for note in notes:
        yield f"  note: {note}"


def _models(finding: ReplayFinding) -> int:
    return sum(found.model_digest is not None for found in finding.rounds)


def _agreeing(finding: ReplayFinding) -> int:
    return sum(found.model_digest is not None and found.outcome is Outcome.SAME for found in finding.rounds)


def _recomputed(finding: ReplayFinding) -> int:
    return sum(found.model_recomputed for found in finding.rounds)


def _difference(difference: Difference) -> dict[str, JSONValue]:
    return {"topic": difference.topic.value, "index": difference.index, "sentence": difference.sentence}


def _missing(lost: Missing) -> dict[str, JSONValue]:
    return {
        "piece": lost.piece.value,
        "cid": str(lost.cid),
        "why": lost.why.value,
        "index": lost.index,
        "sentence": lost.sentence,
    }
