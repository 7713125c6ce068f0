"""Mutations of plans: the opener pins something else, or something that the chain contradicts."""

from __future__ import annotations

import dataclasses
from typing import Any

from protocol import ledger_events as ev
from protocol.cid import cid_of_bytes
from protocol.identifiers import CID, Digest, digest_of, lineage_id_of
from protocol.plan import Recipient, encode_plan, plan_digest
from protocol.recipient_keys import RecipientPrivateKey
from tests.tamper.catalogue import AGGREGATOR, REPLAY, chapter
from tests.tamper.recording import LAST, Recording

mutation = chapter("Plans", REPLAY)
PLAN, PARENT, ROUND = "different (plan)", "different (parent)", f"tests round {LAST}"


def _open_with(it: Recording, **changes: Any) -> None:
    """The last round again, by a plan that the opener made otherwise; everybody follows it."""
    network = it.opening
    network.open_round(selected=network.sites[:6], **changes)
    for site in network.sites[:5]:
        network.register(site)
    network.conclude()
    it.play(network)


def _pin(it: Recording, encoded: bytes, **fields: Any) -> None:
    """Another file at the place of the last round's plan, after the round."""
    it.change(it.place(ev.RoundOpened, round=LAST), plan_cid=it.put(encoded), **fields)


@mutation(AGGREGATOR, PLAN, "not those of the plan's digest", where=ROUND)
def another_plan(it: Recording) -> None:
    """Another plan is pinned than the one whose digest is on chain"""
    assert it.closing.plan is not None
    _pin(it, encode_plan(dataclasses.replace(it.closing.plan, max_abs=7)))


@mutation(AGGREGATOR, PLAN, "made for another round", where=ROUND)
def another_rounds_plan(it: Recording) -> None:
    """The plan is that of another round"""
    plan = it.contents[it.event(ev.RoundOpened, round=2).plan_cid]
    _pin(it, plan, plan_digest=plan_digest(plan))


@mutation(AGGREGATOR, PLAN, "made for another round", where=ROUND)
def another_lineages_plan(it: Recording) -> None:
    """The plan is that of another lineage"""
    assert it.closing.plan is not None
    plan = encode_plan(dataclasses.replace(it.closing.plan, lineage_id=lineage_id_of("second")))
    _pin(it, plan, plan_digest=plan_digest(plan))


@mutation(AGGREGATOR, PLAN, "the plan cannot be the round's", where=ROUND)
def no_plan(it: Recording) -> None:
    """What is pinned is no plan"""
    _pin(it, b'{"version":1}', plan_digest=plan_digest(b'{"version":1}'))


@mutation(AGGREGATOR, PLAN, "the plan cannot be the round's", where=ROUND)
def a_plan_in_another_spelling(it: Recording) -> None:
    """The plan is written with a space, and its digest with it"""
    assert it.closing.plan is not None
    plan = encode_plan(it.closing.plan).replace(b",", b", ", 1)
    _pin(it, plan, plan_digest=plan_digest(plan))


@mutation(AGGREGATOR, "missing", "the plan (", where=ROUND)
def a_plan_that_nobody_has(it: Recording) -> None:
    """The plan is one that nobody has"""
    it.change(it.place(ev.RoundOpened, round=LAST), plan_cid=CID(bytes(digest_of("test-nothing"))))


@mutation(AGGREGATOR, PARENT, "another CID for the parent", where=ROUND)
def another_parent_cid(it: Recording) -> None:
    """The plan names another CID for the parent"""
    _open_with(it, parent_cid=cid_of_bytes(b"elsewhere"))


@mutation(AGGREGATOR, PARENT, "parent is not the lineage's head", where=ROUND)
def an_old_parent(it: Recording) -> None:
    """The round is built on an older model, and all follow"""
    it.opening.model = it.model(1)
    _open_with(it)


@mutation(AGGREGATOR, PLAN, "another backbone than the lineage", where=ROUND)
def another_backbone(it: Recording) -> None:
    """The plan names another backbone"""
    _open_with(it, backbone_digest=digest_of("test-other"))


@mutation(AGGREGATOR, PLAN, "stop rule ends the lineage at round 2", where=ROUND)
def beyond_the_stop_rule(it: Recording) -> None:
    """The round is beyond the plan's own stop rule"""
    _open_with(it, max_rounds=2)


def _recipients(it: Recording, *named: Recipient) -> None:
    it.opening.recipients = lambda: named  # type: ignore[method-assign]
    _open_with(it)


@mutation(AGGREGATOR, PLAN, "was not announced on chain", where=ROUND)
def a_reader_smuggled_in(it: Recording) -> None:
    """The plan lets somebody else read the updates"""
    spy = Recipient("aggregator", Digest(digest_of("test-spy")), RecipientPrivateKey.generate().public_key())
    _recipients(it, *it.opening.recipients(), spy)


@mutation(AGGREGATOR, PLAN, "was not announced on chain", where=ROUND)
def a_key_under_anothers_name(it: Recording) -> None:
    """The plan names one aggregator's key as another's"""
    first, second, auditor = it.opening.recipients()
    _recipients(
        it,
        dataclasses.replace(first, public_key=second.public_key),
        dataclasses.replace(second, public_key=first.public_key),
        auditor,
    )


@mutation(AGGREGATOR, PLAN, "auditor key is not the one in force", where=ROUND)
def another_auditor(it: Recording) -> None:
    """The plan names another auditor's key"""
    *aggregators, auditor = it.opening.recipients()
    stranger = RecipientPrivateKey.generate().public_key()
    _recipients(it, *aggregators, dataclasses.replace(auditor, public_key=stranger))


@mutation(AGGREGATOR, PLAN, "auditor key is not the one in force", where=ROUND)
def an_old_auditor_key(it: Recording) -> None:
    """The plan names an auditor's key that was replaced"""
    network = it.opening
    key = RecipientPrivateKey.generate().public_key()
    network.emit(ev.AuditorKeyPublished(2, network.sites[0].account, digest_of("test-key-2"), network.put(key)))
    _open_with(it)
