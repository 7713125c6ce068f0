"""Mutations of what all aggregators say about the updates of a round."""

from __future__ import annotations

import dataclasses
import json

from protocol import ledger_events as ev
from protocol.identifiers import CID, digest_of, lineage_id_of
from protocol.result import encode_verdicts, make_verdicts, parse_verdicts
from protocol.verdicts import VerdictCode
from tests.tamper.catalogue import AGGREGATORS, REPLAY, chapter
from tests.tamper.recording import LAST, SECOND, Recording

mutation = chapter("Verdicts that the aggregators publish", REPLAY)
WRONG, LIST, ROUND = "different (verdict)", "different (verdict-list)", f"tests round {LAST}"


@mutation(AGGREGATORS, WRONG, "90 norm too large on chain, but the rules give 0 accepted", where=ROUND, public=False)
def an_honest_update_refused(it: Recording) -> None:
    """An honest update is refused for its norm, and the sum follows"""
    it.publish_verdicts({2: VerdictCode.NORM_TOO_LARGE, 4: it.code(4)})


@mutation(AGGREGATORS, WRONG, "110 consent not in force on chain", where=ROUND)
def an_honest_consent_denied(it: Recording) -> None:
    """An honest update is refused for its consent, which was in force"""
    it.publish_verdicts({2: VerdictCode.CONSENT_NOT_IN_FORCE, 4: it.code(4)})


@mutation(AGGREGATORS, WRONG, "1 revoked on chain", where=ROUND)
def an_invented_revocation(it: Recording) -> None:
    """An honest update is said to be taken back"""
    it.publish_verdicts({2: VerdictCode.REVOKED, 4: it.code(4)})


@mutation(AGGREGATORS, WRONG, "30 envelope malformed on chain", where=ROUND)
def an_honest_envelope_denied(it: Recording) -> None:
    """An honest envelope is called malformed"""
    it.publish_verdicts({2: VerdictCode.ENVELOPE_MALFORMED, 4: it.code(4)})


@mutation(AGGREGATORS, WRONG, "11 too large on chain", where=ROUND)
def an_honest_size_denied(it: Recording) -> None:
    """An honest envelope is called too large"""
    it.publish_verdicts({2: VerdictCode.TOO_LARGE, 4: it.code(4)})


@mutation(AGGREGATORS, WRONG, "100 duplicate exact on chain", where=ROUND)
def the_original_called_the_copy(it: Recording) -> None:
    """The original is refused as the copy, and the copy is accepted"""
    it.publish_verdicts({0: VerdictCode.DUPLICATE_EXACT})


@mutation(AGGREGATORS, WRONG, "update 0 of site-0: 100 duplicate exact on chain", where=ROUND)
def the_first_called_a_copy(it: Recording) -> None:
    """The first update of a round is called a copy"""
    it.publish_verdicts({0: VerdictCode.DUPLICATE_EXACT, 4: it.code(4)})


@mutation(AGGREGATORS, WRONG, "0 accepted on chain, but the rules give 100 duplicate exact", where=ROUND, public=False)
def a_copy_accepted(it: Recording) -> None:
    """A copied update is accepted"""
    it.publish_verdicts({})


@mutation(AGGREGATORS, WRONG, "101 duplicate near on chain", where=ROUND, public=False)
def a_copy_called_near(it: Recording) -> None:
    """One refusal stands instead of another"""
    it.publish_verdicts({4: VerdictCode.DUPLICATE_NEAR})


@mutation(AGGREGATORS, WRONG, "120 refused by strategy on chain", where=ROUND)
def left_out_by_the_strategy(it: Recording) -> None:
    """An honest update is left out by a strategy that leaves nothing out"""
    it.publish_verdicts({2: VerdictCode.REFUSED_BY_STRATEGY, 4: it.code(4)})


@mutation(AGGREGATORS, WRONG, "update 2", where=ROUND, public=False)
def two_verdicts_swapped(it: Recording) -> None:
    """Two verdicts change their sites"""
    it.publish_verdicts({2: it.code(4)})


@mutation(AGGREGATORS, WRONG, "a verdict code on chain is not known", where=ROUND)
def an_unknown_code(it: Recording) -> None:
    """A verdict has a code that there is not"""
    it.attest(codes=bytes([0, 0, 77, 0, 100, 0]), accepted=0b101011)


@mutation(AGGREGATORS, WRONG, "5 verdict codes for 6 updates", where=ROUND)
def a_verdict_missing(it: Recording) -> None:
    """The last update gets no verdict"""
    it.attest(codes=it.event(ev.RoundFinalized, round=LAST).codes[:-1])


@mutation(AGGREGATORS, WRONG, "7 verdict codes for 6 updates", where=ROUND)
def a_verdict_too_many(it: Recording) -> None:
    """There is a verdict without an update"""
    it.attest(codes=it.event(ev.RoundFinalized, round=LAST).codes + b"\x0a")


@mutation(AGGREGATORS, "different (accepted)", "bitmap of accepted updates", where=ROUND)
def another_bitmap(it: Recording) -> None:
    """The bitmap of accepted updates is not that of the codes"""
    it.attest(accepted=0b111111)


@mutation(AGGREGATORS, LIST, "root on chain is not that of the verdict codes", where=ROUND)
def another_root(it: Recording) -> None:
    """The verdicts' Merkle root is that of another round"""
    it.attest(verdicts_root=it.event(ev.RoundFinalized, round=2).verdicts_root)


@mutation(AGGREGATORS, LIST, "is that of another round", where=ROUND)
def another_rounds_list(it: Recording) -> None:
    """The pinned verdict list is that of another round"""
    it.attest(verdicts_cid=it.event(ev.RoundFinalized, round=2).verdicts_cid)


@mutation(AGGREGATORS, LIST, "says otherwise than the codes on chain of updates 1", where=ROUND)
def another_list(it: Recording) -> None:
    """The pinned verdict list refuses an update that the codes accept"""
    registrations = it.closing.view.registrations
    verdicts = make_verdicts(registrations, {1: VerdictCode.NORM_TOO_LARGE, 4: it.code(4)})
    it.attest(verdicts_cid=it.put(encode_verdicts(it.closing.round_id, verdicts)))


@mutation(AGGREGATORS, LIST, "holds 5 verdicts for 6 updates", where=ROUND)
def a_shorter_list(it: Recording) -> None:
    """The pinned verdict list leaves the last update out"""
    round_id, verdicts = parse_verdicts(it.contents[it.event(ev.RoundFinalized, round=LAST).verdicts_cid])
    it.attest(verdicts_cid=it.put(encode_verdicts(round_id, verdicts[:-1])))


@mutation(AGGREGATORS, LIST, "of updates 2, 3", where=ROUND)
def a_list_of_swapped_sites(it: Recording) -> None:
    """The pinned verdict list names two sites in each other's place"""
    round_id, verdicts = parse_verdicts(it.contents[it.event(ev.RoundFinalized, round=LAST).verdicts_cid])
    swapped = list(verdicts)
    swapped[2] = dataclasses.replace(verdicts[2], site_id=verdicts[3].site_id)
    swapped[3] = dataclasses.replace(verdicts[3], site_id=verdicts[2].site_id)
    it.attest(verdicts_cid=it.put(encode_verdicts(round_id, tuple(swapped))))


@mutation(AGGREGATORS, LIST, "the pinned verdict list is none", where=ROUND)
def a_list_in_another_spelling(it: Recording) -> None:
    """The pinned verdict list is written with spaces"""
    listed = json.loads(it.contents[it.event(ev.RoundFinalized, round=LAST).verdicts_cid])
    it.attest(verdicts_cid=it.put(json.dumps(listed).encode()))


@mutation(AGGREGATORS, "missing", "the verdict list", where=ROUND)
def a_list_that_nobody_has(it: Recording) -> None:
    """The pinned verdict list is one that nobody has"""
    it.attest(verdicts_cid=CID(bytes(digest_of("test-nothing"))))


@mutation(AGGREGATORS, "different (outcome)", "but the rules give a model", where=ROUND, public=False)
def a_round_failed_on_purpose(it: Recording) -> None:
    """A round is made to fail by refusals of honest updates"""
    codes = dict.fromkeys(range(4), VerdictCode.NORM_TOO_LARGE) | {4: it.code(4)}
    it.publish_failure(codes)


@mutation(AGGREGATORS, "different (outcome)", "or none with enough", where="second round 1")
def too_few_made_enough(it: Recording) -> None:
    """A round of two updates publishes a model"""
    place = it.place(ev.RoundFailed, lineage=SECOND)
    failed = it.events[place].event
    head = it.event(ev.LineageCreated, lineage=SECOND)
    said = (failed.verdicts_root, failed.verdicts_cid, failed.accepted, failed.codes)
    model = (head.model_digest, head.model_cid, it.event(ev.RoundFinalized, round=1).state_digest)
    made = ev.RoundFinalized(lineage_id_of(SECOND), 1, *model, *said)
    it.events[place] = ev.LocatedEvent(it.events[place].position, made)
    it.attest(1, lineage=SECOND)


@mutation(AGGREGATORS, WRONG, "90 norm too large on chain", where="second round 1", public=False)
def a_failed_rounds_verdict(it: Recording) -> None:
    """An update of a failed round is refused for a reason that it did not have"""
    it.publish_failure({0: VerdictCode.NORM_TOO_LARGE}, 1, SECOND)
