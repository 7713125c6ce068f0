"""What the drawings of a lineage show: a model's parents, one round, or all that an update went into."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

from audit.explorer.graph import GraphRound, GraphUpdate
from audit.explorer.marks import Judged, judged
from audit.explorer.paths import model_path, round_path, tx_path
from audit.lineage import Generation, find_model
from audit.names import Names
from protocol import ledger_events as ev
from protocol.history import History, RoundView
from protocol.identifiers import Digest

_NO_MODEL = {ev.RoundFailed: "failed", ev.RoundAborted: "aborted", type(None): "no result yet"}


def of_models(models: Sequence[Generation], names: Names) -> list[GraphRound]:
    """Models with everything that was registered for them.

    Args:
        models: Newest first.
        names: Of sites.
    """
    return [_genesis(model.digest) if model.view is None else _round(model.view, judged(model.view), names)
            for model in models]  # fmt: skip


def of_round(history: History, view: RoundView, names: Names) -> list[GraphRound]:
    """One round and the model that it started from."""
    parents = find_model(history, view.opened.parent_digest)
    below = []
    if parents:
        number = parents[0].round
        below = [
            GraphRound(
                "Genesis" if number is None else f"Round {number}",
                short(parents[0].digest),
                model_path(parents[0].digest),
                made=True,
            )
        ]
    return [_round(view, judged(view), names), *below]


def of_updates(updates: Sequence[tuple[RoundView, Judged]], names: Names) -> list[GraphRound]:
    """Rounds with one update each.

    Args:
        updates: Newest first.
        names: Of sites.
    """
    lower = [view for view, _ in updates[1:]]
    return [
        replace(_round(view, [each], names), below=_below(view, lower[place]) if place < len(lower) else "parent")
        for place, (view, each) in enumerate(updates)
    ]


def short(digest: bytes) -> str:
    """A digest's beginning, to tell two of them apart on a screen."""
    return f"0x{digest.hex()[:10]}…"


def _below(view: RoundView, lower: RoundView) -> Literal["parent", "earlier", "other"]:
    if view.opened.lineage_id != lower.opened.lineage_id:
        return "other"
    made = lower.outcome.model_digest if isinstance(lower.outcome, ev.RoundFinalized) else None
    return "parent" if made == view.opened.parent_digest else "earlier"


def _genesis(digest: Digest) -> GraphRound:
    return GraphRound("Genesis", short(digest), model_path(digest), made=True)


def _round(view: RoundView, updates: Iterable[Judged], names: Names) -> GraphRound:
    opened, outcome = view.opened, view.outcome
    made = isinstance(outcome, ev.RoundFinalized)
    return GraphRound(
        title=f"Round {opened.round}",
        detail=short(outcome.model_digest) if isinstance(outcome, ev.RoundFinalized) else _NO_MODEL[type(outcome)],
        href=model_path(outcome.model_digest)
        if isinstance(outcome, ev.RoundFinalized)
        else round_path(opened.lineage_id, opened.round),
        made=made,
        updates=tuple(_update(each, names) for each in updates),
    )


def _update(each: Judged, names: Names) -> GraphUpdate:
    site = names.label(each.event.site_id)
    return GraphUpdate(
        mark=each.mark,
        label=f"{site}, weight {each.event.weight}",
        says=f"{site}, weight {each.event.weight}: {each.says}",
        href=tx_path(each.one.registration.position.tx_hash),
    )
