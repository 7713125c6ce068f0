"""Finds the two rounds or models that a comparison is about, and fetches their plans."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from audit.chain_walk import Walk
from audit.difference import Side
from audit.findings import Piece
from audit.given import parse_digest
from audit.lineage import find_model, lineage_named
from audit.names import Names
from audit.pieces import FetchLimits, NotFetched, Pieces
from protocol.errors import AuditError, ConfigError
from protocol.history import RoundView
from protocol.identifiers import Digest, LineageId
from protocol.plan import MAX_PLAN_BYTES, RoundPlan, parse_plan, plan_digest
from protocol.ports import BlockStore, ChainIdentity

Told = Sequence[tuple[ChainIdentity, Walk]]
"""Deployments, newest first, as their event logs tell them."""


def find_side(told: Told, word: str, lineage_id: LineageId | None, names: Names) -> Side:
    """The round of a number, or the round that made the model of a 0x digest; 0 is genesis.

    Args:
        told: The deployments that are searched, newest first.
        word: As it was typed.
        lineage_id: Whose rounds are meant; None where there is only one lineage.
        names: Labels.

    Raises:
        ConfigError: Neither a number nor a digest, or no deployment knows it.
    """
    found = _models(told, parse_digest(word)) if word.startswith("0x") else _rounds(told, word, lineage_id)
    side = next(found, None)
    if side is None:
        what = "model" if word.startswith("0x") else "round"
        where = "" if lineage_id is None else f" of {names.label(lineage_id)}"
        raise ConfigError(f"the chain knows no {what} {word}{where}", hint="fedrx audit trail shows which there are")
    return side


def _models(told: Told, digest: Digest) -> Iterator[Side]:
    for identity, walk in told:
        for model in find_model(walk.history, digest)[:1]:
            yield _side(identity, walk, model.lineage_id, model.view)


def _rounds(told: Told, word: str, lineage_id: LineageId | None) -> Iterator[Side]:
    if not word.isdecimal():
        raise ConfigError(f"{word!r} is neither a round's number nor a model's digest", hint="a digest begins with 0x")
    for identity, walk in told:
        named = lineage_named(walk.history, lineage_id)
        lineage = walk.history.lineages.get(named)
        if lineage is None:
            continue
        if int(word) in lineage.rounds:
            yield _side(identity, walk, named, lineage.rounds[int(word)])
        elif int(word) == 0 == lineage.created.genesis_round:
            yield _side(identity, walk, named, None)


def _side(identity: ChainIdentity, walk: Walk, lineage_id: LineageId, view: RoundView | None) -> Side:
    key = None if view is None else walk.openings[view.round_id].auditor_key
    return Side(identity, walk.history, lineage_id, view, key, None)


def with_plans(sides: Sequence[Side], stores: Sequence[BlockStore], limits: FetchLimits) -> tuple[Side, ...]:
    """The sides with the plans of their rounds.

    Raises:
        AuditError: A plan was not delivered, or is not the one whose digest is on chain.
        MalformedError: It is no plan.
        BlockStoreUnavailableError: No endpoint answers at all.
    """
    with (
        tempfile.TemporaryDirectory(prefix="fedrx-diff-") as folder,
        Pieces(stores, Path(folder), limits) as pieces,
    ):
        return tuple(replace(side, plan=_plan(side, pieces)) for side in sides)


def _plan(side: Side, pieces: Pieces) -> RoundPlan | None:
    if side.view is None:
        return None
    opened = side.view.opened
    got = pieces.get(opened.plan_cid, max_bytes=MAX_PLAN_BYTES)
    if isinstance(got, NotFetched):
        raise AuditError(got.as_missing(Piece.PLAN).sentence, hint="ask more endpoints, or compare without --ipfs")
    data = got.path.read_bytes()
    if plan_digest(data) != opened.plan_digest:
        raise AuditError(
            f"the bytes at the plan's CID of round {opened.round} are not those of its digest on chain",
            hint="run fedrx audit replay",
        )
    return parse_plan(data)
