"""Mutations of what IPFS delivers: the CIDs on chain stay."""

from __future__ import annotations

from protocol import ledger_events as ev
from tests.tamper.catalogue import IPFS, REPLAY, chapter
from tests.tamper.recording import LAST, SECOND, Recording

mutation = chapter("What IPFS delivers", REPLAY)
ROUND = f"tests round {LAST}"
OTHER_BYTES = "delivered with other bytes than its CID names"


@mutation(IPFS, "missing", OTHER_BYTES, where=ROUND)
def a_damaged_plan(it: Recording) -> None:
    """One bit of a plan is flipped"""
    it.damage(it.event(ev.RoundOpened, round=LAST).plan_cid)


@mutation(IPFS, "missing", "update 0 (", where=ROUND)
def a_damaged_envelope(it: Recording) -> None:
    """One bit of an envelope is flipped"""
    it.damage(it.event(ev.UpdateRegistered, round=LAST).envelope_cid)


@mutation(IPFS, "missing", "the envelope of update 0", where=ROUND)
def anothers_envelope(it: Recording) -> None:
    """Another site's envelope is delivered"""
    first, second = (it.event(ev.UpdateRegistered, round=LAST, index=index).envelope_cid for index in (0, 1))
    it.contents[first] = it.contents[second]


@mutation(IPFS, "missing", "the envelope of update 0", where=ROUND)
def half_an_envelope(it: Recording) -> None:
    """Half of an envelope is delivered"""
    cid = it.event(ev.UpdateRegistered, round=LAST).envelope_cid
    it.contents[cid] = it.contents[cid][: len(it.contents[cid]) // 2]


@mutation(IPFS, "missing", "was not delivered in time", where=ROUND)
def no_envelope(it: Recording) -> None:
    """An envelope is not delivered"""
    del it.contents[it.event(ev.UpdateRegistered, round=LAST).envelope_cid]


@mutation(IPFS, "missing", "the global model", where=ROUND)
def a_damaged_model(it: Recording) -> None:
    """One bit of a model is flipped"""
    it.damage(it.event(ev.RoundFinalized, round=LAST).model_cid)


@mutation(IPFS, "missing", "the global model", where=ROUND)
def an_older_model(it: Recording) -> None:
    """An older model is delivered for the newest"""
    it.contents[it.event(ev.RoundFinalized, round=LAST).model_cid] = it.model(2)


@mutation(IPFS, "missing", "the parent model", where="tests round 1")
def no_parent(it: Recording) -> None:
    """A parent model is not delivered"""
    del it.contents[it.event(ev.LineageCreated).model_cid]


@mutation(IPFS, "missing", "the genesis model", where=SECOND)
def a_damaged_genesis(it: Recording) -> None:
    """One bit of a genesis model is flipped"""
    it.damage(it.event(ev.LineageCreated, lineage=SECOND).model_cid)


@mutation(IPFS, "missing", "the verdict list", where=ROUND)
def a_damaged_verdict_list(it: Recording) -> None:
    """One bit of a verdict list is flipped"""
    it.damage(it.event(ev.RoundFinalized, round=LAST).verdicts_cid)


@mutation(IPFS, "missing", "the verdict list", where=ROUND)
def no_verdict_list(it: Recording) -> None:
    """A verdict list is not delivered"""
    del it.contents[it.event(ev.RoundFinalized, round=LAST).verdicts_cid]
