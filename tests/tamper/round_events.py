"""Mutations of event logs about rounds: what an endpoint, or whoever can rewrite a private chain, would show."""

from __future__ import annotations

import dataclasses

from protocol import ledger_events as ev
from protocol.identifiers import CID, Digest, digest_of, lineage_id_of, site_id_of
from tests.protocol.values import account_of
from tests.tamper.catalogue import CHAIN, REPLAY, chapter
from tests.tamper.recording import LAST, SECOND, Recording

mutation = chapter("Event logs of rounds", REPLAY)
RULE, ROUND = "different (chain-rule)", f"tests round {LAST}"
OTHER = digest_of("test-other")


@mutation(CHAIN, "different (parent)", "parent is not the lineage's head", where=ROUND)
def another_parent(it: Recording) -> None:
    """A round's parent is another model"""
    it.change(it.place(ev.RoundOpened, round=LAST), parent_digest=OTHER)


@mutation(CHAIN, "different (plan)", "not those of the plan's digest", where=ROUND)
def another_plan_digest(it: Recording) -> None:
    """A round names another plan's digest"""
    it.change(it.place(ev.RoundOpened, round=LAST), plan_digest=OTHER)


@mutation(CHAIN, "different (plan)", "not those of the plan's digest", where=ROUND)
def another_plan_cid(it: Recording) -> None:
    """A round names the CID of another round's plan"""
    it.change(it.place(ev.RoundOpened, round=LAST), plan_cid=it.event(ev.RoundOpened, round=2).plan_cid)


@mutation(CHAIN, "different (plan)", "recipients are not those", where=ROUND)
def another_recipients_digest(it: Recording) -> None:
    """A round names other recipients"""
    it.change(it.place(ev.RoundOpened, round=LAST), recipients_digest=OTHER)


@mutation(CHAIN, RULE, "opened by an aggregator outside of the set", where=ROUND)
def another_opener(it: Recording) -> None:
    """A round is opened by a stranger"""
    it.change(it.place(ev.RoundOpened, round=LAST), aggregator_id=digest_of("test-stranger"))


@mutation(CHAIN, RULE, "deadline and attest-by are not in order", where=ROUND)
def a_deadline_before_the_opening(it: Recording) -> None:
    """A round's deadline is before its opening"""
    it.change(it.place(ev.RoundOpened, round=LAST), deadline=1)


@mutation(CHAIN, RULE, "was registered after close", where="tests round 1")
def an_earlier_deadline(it: Recording) -> None:
    """A round's deadline is moved before its last registration"""
    last = it.events[it.place(ev.UpdateRegistered, round=1, nth=-1)].position.timestamp
    it.change(it.place(ev.RoundOpened, round=1), deadline=last)


@mutation(CHAIN, "different (chain-rule)", "a result from before its close", where="tests round 1")
def a_later_deadline(it: Recording) -> None:
    """A round's deadline is moved behind its result"""
    it.change(it.place(ev.RoundOpened, round=1), deadline=it.event(ev.RoundOpened, round=1).attest_by - 1)


@mutation(CHAIN, RULE, "more than 90 days", where=ROUND)
def no_attest_by(it: Recording) -> None:
    """A round may be held up for ever"""
    it.change(it.place(ev.RoundOpened, round=LAST), attest_by=2**64 - 1)


@mutation(CHAIN, "different (plan)", "minAccepted", where=ROUND)
def a_lower_quorum(it: Recording) -> None:
    """A round needs another number of accepted updates than its plan says"""
    it.change(it.place(ev.RoundOpened, round=LAST), min_accepted=4)


@mutation(CHAIN, RULE, "needs 2 of them", where=ROUND)
def a_quorum_of_two(it: Recording) -> None:
    """A round needs two updates only, so that a model gives one of them away"""
    it.change(it.place(ev.RoundOpened, round=LAST), min_accepted=2)


@mutation(CHAIN, RULE, "names another aggregator set", where=ROUND)
def another_set(it: Recording) -> None:
    """A round names an aggregator set that is not in force"""
    it.change(it.place(ev.RoundOpened, round=LAST), aggregator_set_version=2)


@mutation(CHAIN, RULE, "selects a site that was not admitted", where=ROUND)
def a_selected_stranger(it: Recording) -> None:
    """A round selects a site that was never admitted"""
    it.change(it.place(ev.RoundOpened, round=LAST), selected=(0b10111111,))


@mutation(CHAIN, RULE, "not active or not selected", where=ROUND)
def a_site_unselected(it: Recording) -> None:
    """A site that registered was not selected"""
    it.change(it.place(ev.RoundOpened, round=LAST), selected=(0b11110,))


@mutation(CHAIN, RULE, "does not follow 1", where="tests round 3")
def a_skipped_round(it: Recording) -> None:
    """A whole round is left out of the logs"""
    it.events = [e for e in it.events if not (isinstance(e.event, ev.RoundEvent) and _is(e.event, 2))]


@mutation(CHAIN, RULE, "does not follow 3", where="tests round 2")
def a_replayed_round(it: Recording) -> None:
    """A round is opened a second time under its old number"""
    it.insert(it.place(ev.LineageCreated, lineage=SECOND), it.event(ev.RoundOpened, round=2))


@mutation(CHAIN, RULE, "while the one before had no outcome", where=ROUND)
def two_live_rounds(it: Recording) -> None:
    """A round is opened while the one before still runs"""
    del it.events[it.place(ev.RoundFinalized, round=2)]


@mutation(CHAIN, RULE, "after the suite was sealed", where=ROUND)
def a_round_after_the_seal(it: Recording) -> None:
    """The suite was sealed before a round opened"""
    it.insert(it.place(ev.RoundOpened, round=LAST), ev.SuiteSealed(1, account_of("successor")))


@mutation(CHAIN, "refused", "logs are missing", where="network")
def another_lineages_round(it: Recording) -> None:
    """A round is said to be another lineage's"""
    it.change(it.place(ev.RoundOpened, round=LAST), lineage_id=lineage_id_of("elsewhere"))


# ------------------------------------------------------------------------------------------------- registrations


@mutation(CHAIN, "different (verdict-list)", "root on chain is not that of the verdict codes", where=ROUND)
def another_envelope_digest(it: Recording) -> None:
    """A registration names another envelope digest"""
    it.change(it.place(ev.UpdateRegistered, round=LAST), envelope_digest=OTHER)


@mutation(CHAIN, "different (verdict)", "update 0 of site-0", where=ROUND)
def another_envelope(it: Recording) -> None:
    """A registration names the envelope of another site"""
    other = it.event(ev.UpdateRegistered, round=LAST, index=1)
    place = it.place(ev.UpdateRegistered, round=LAST, index=0)
    it.change(place, envelope_digest=other.envelope_digest, envelope_cid=other.envelope_cid)


@mutation(CHAIN, "missing", "the envelope of update 0", where=ROUND)
def another_envelope_cid(it: Recording) -> None:
    """A registration names a CID that nobody has"""
    it.change(it.place(ev.UpdateRegistered, round=LAST), envelope_cid=CID(bytes(OTHER)))


@mutation(CHAIN, "different (verdict)", "40 context mismatch", where=ROUND)
def another_commitment(it: Recording) -> None:
    """A registration commits to other parameters"""
    it.change(it.place(ev.UpdateRegistered, round=LAST), parameters_commitment=OTHER)


@mutation(CHAIN, "different (verdict)", "61 manifest mismatch", where=ROUND, public=False)
def another_weight(it: Recording) -> None:
    """A registration names another weight, so that its site counts more"""
    it.change(it.place(ev.UpdateRegistered, round=LAST), weight=9)


@mutation(CHAIN, "different (verdict)", "0 accepted on chain", where=ROUND)
def a_weight_beyond_the_cap(it: Recording) -> None:
    """A registration names a weight beyond the plan's cap"""
    it.change(it.place(ev.UpdateRegistered, round=LAST), weight=65)


@mutation(CHAIN, "different (verdict)", "61 manifest mismatch", where=ROUND, public=False)
def another_dataset(it: Recording) -> None:
    """A registration names another dataset root"""
    it.change(it.place(ev.UpdateRegistered, round=LAST), dataset_root=OTHER)


@mutation(CHAIN, RULE, "without consent in force", where=ROUND)
def a_withdrawn_consent_version(it: Recording) -> None:
    """An update of a site stands under a consent root that the site had withdrawn"""
    it.change(it.place(ev.UpdateRegistered, round=LAST, index=1), consent_version=1)


@mutation(CHAIN, RULE, "without consent in force", where=ROUND)
def a_consent_version_to_come(it: Recording) -> None:
    """An update stands under a consent root that was never published"""
    it.change(it.place(ev.UpdateRegistered, round=LAST), consent_version=2)


@mutation(CHAIN, RULE, "names the commitment scheme 2", where=ROUND)
def another_scheme(it: Recording) -> None:
    """A registration names an unknown commitment scheme"""
    it.change(it.place(ev.UpdateRegistered, round=LAST), commitment_scheme=2)


@mutation(CHAIN, "different (verdict-list)", "root on chain is not that of the verdict codes", where=ROUND)
def swapped_sites(it: Recording) -> None:
    """Two registrations change their sites"""
    places = [it.place(ev.UpdateRegistered, round=LAST, index=index) for index in (2, 3)]
    sites = [it.events[place].event.site_id for place in places]
    for place, site_id in zip(places, reversed(sites), strict=True):
        it.change(place, site_id=site_id)


@mutation(CHAIN, RULE, "not active or not selected", where=ROUND)
def a_strangers_update(it: Recording) -> None:
    """A registration is said to be a stranger's"""
    it.change(it.place(ev.UpdateRegistered, round=LAST), site_id=site_id_of("stranger"))


@mutation(CHAIN, RULE, "is the site's second of the round", where=ROUND)
def a_second_update(it: Recording) -> None:
    """Two registrations are one site's"""
    it.change(it.place(ev.UpdateRegistered, round=LAST, index=1), site_id=site_id_of("site-0"))


@mutation(CHAIN, RULE, "that the site had registered before", where=ROUND)
def an_envelope_of_an_earlier_round(it: Recording) -> None:
    """A site registers its envelope of an earlier round again"""
    old = it.event(ev.UpdateRegistered, round=2, site_id=site_id_of("site-0"))
    place = it.place(ev.UpdateRegistered, round=LAST, site_id=site_id_of("site-0"))
    it.change(place, envelope_digest=old.envelope_digest, envelope_cid=old.envelope_cid)


@mutation(CHAIN, "refused", "a registration is out of its place", where="network")
def a_registration_left_out(it: Recording) -> None:
    """A registration in the middle of a round is left out"""
    del it.events[it.place(ev.UpdateRegistered, round=LAST, index=2)]


@mutation(CHAIN, "different (verdict)", "6 verdict codes for 5 updates", where=ROUND)
def the_last_registration_left_out(it: Recording) -> None:
    """The last registration of a round is left out"""
    del it.events[it.place(ev.UpdateRegistered, round=LAST, index=5)]


@mutation(CHAIN, RULE, "was registered after close", where=ROUND)
def a_late_update(it: Recording) -> None:
    """An update is registered after the round's close"""
    late = dataclasses.replace(it.event(ev.UpdateRegistered, round=LAST), index=6, site_id=site_id_of("site-6"))
    it.insert(it.place(ev.ResultAttested, round=LAST), late)


@mutation(CHAIN, RULE, "was revoked, but not by its site", where="tests round 1")
def another_sites_revocation(it: Recording) -> None:
    """A site takes back an update that is another's"""
    it.change(it.place(ev.UpdateRevoked, round=1), index=0)


@mutation(CHAIN, "different (accepted)", "was accepted although its site had revoked it", where="tests round 1")
def an_accepted_update_revoked(it: Recording) -> None:
    """An update that is in the model had been taken back"""
    lineage_id = lineage_id_of("tests")
    it.insert(it.place(ev.ResultAttested, round=1), ev.UpdateRevoked(lineage_id, 1, site_id_of("site-0"), 0))


@mutation(CHAIN, "different (verdict)", "1 revoked on chain", where="tests round 1")
def a_revocation_left_out(it: Recording) -> None:
    """A revocation is left out, as if the aggregators had invented it"""
    del it.events[it.place(ev.UpdateRevoked, round=1)]


# ---------------------------------------------------------------------------------------------- votes and outcomes


@mutation(CHAIN, "different (vote)", "voted for another result", where=ROUND)
def another_vote(it: Recording) -> None:
    """A vote is for another result"""
    it.change(it.place(ev.ResultAttested, round=LAST), result_digest=OTHER)


@mutation(CHAIN, RULE, "is not in the round's set", where=ROUND)
def a_strangers_vote(it: Recording) -> None:
    """A vote is a stranger's"""
    it.change(it.place(ev.ResultAttested, round=LAST), aggregator_id=digest_of("test-stranger"))


@mutation(CHAIN, RULE, "voted twice", where=ROUND)
def one_aggregators_votes(it: Recording) -> None:
    """Both votes are one aggregator's"""
    first = it.event(ev.ResultAttested, round=LAST)
    it.change(it.place(ev.ResultAttested, round=LAST, nth=1), aggregator_id=first.aggregator_id)


@mutation(CHAIN, "different (vote)", "1 of the 2 votes needed", where=ROUND)
def a_vote_left_out(it: Recording) -> None:
    """A vote is left out"""
    del it.events[it.place(ev.ResultAttested, round=LAST)]


@mutation(CHAIN, RULE, "voted before close", where=ROUND)
def an_early_vote(it: Recording) -> None:
    """An aggregator votes before the round is closed"""
    vote = it.events.pop(it.place(ev.ResultAttested, round=LAST)).event
    it.insert(it.place(ev.UpdateRegistered, round=LAST, index=2), vote)


@mutation(CHAIN, "different (vote)", "not stand in the transaction of the vote", where=ROUND)
def an_outcome_elsewhere(it: Recording) -> None:
    """A result stands in another transaction than the deciding vote"""
    outcome = it.events.pop(it.place(ev.RoundFinalized, round=LAST)).event
    it.insert(it.place(ev.LineageCreated, lineage=SECOND), outcome)


@mutation(CHAIN, "different (vote)", "its result is not there", where=ROUND)
def a_result_held_back(it: Recording) -> None:
    """The newest result is held back, so that the round seems to run"""
    del it.events[it.place(ev.RoundFinalized, round=LAST)]


@mutation(CHAIN, "different (vote)", "its result is not there", where=ROUND)
def a_result_turned_into_an_abort(it: Recording) -> None:
    """A finished round is said to be aborted"""
    place = it.place(ev.RoundFinalized, round=LAST)
    aborted = ev.RoundAborted(lineage_id_of("tests"), LAST, account_of("anyone"))
    it.events[place] = ev.LocatedEvent(it.events[place].position, aborted)


@mutation(CHAIN, RULE, "the round has a second outcome", where=ROUND)
def a_second_outcome(it: Recording) -> None:
    """A round has two results"""
    it.insert(it.place(ev.LineageCreated, lineage=SECOND), it.event(ev.RoundFinalized, round=LAST))


@mutation(CHAIN, RULE, "aborted before its time", where="second round 2")
def an_early_abort(it: Recording) -> None:
    """A round is aborted before anybody may"""
    it.change(it.place(ev.RoundOpened, lineage=SECOND, round=2), attest_by=2_000_000)


@mutation(CHAIN, "different (outcome)", "or none with enough", where=ROUND)
def a_failure_instead_of_a_model(it: Recording) -> None:
    """A model is turned into a failed round"""
    place, done = it.place(ev.RoundFinalized, round=LAST), it.event(ev.RoundFinalized, round=LAST)
    said = (done.lineage_id, done.round, done.verdicts_root, done.verdicts_cid, done.accepted, done.codes)
    it.events[place] = ev.LocatedEvent(it.events[place].position, ev.RoundFailed(*said))


@mutation(CHAIN, "different (vote)", "voted for another result", where=ROUND)
def another_models_digest(it: Recording) -> None:
    """The result names another model, and the votes do not"""
    it.change(it.place(ev.RoundFinalized, round=LAST), model_digest=it.event(ev.RoundFinalized, round=2).model_digest)


@mutation(CHAIN, "different (chain-rule)", "has no model cid", where=ROUND)
def a_result_without_a_cid(it: Recording) -> None:
    """The result names no CID for its model"""
    it.attest(model_cid=CID.zero())


@mutation(CHAIN, "different (outcome)", "finalised without a model", where=ROUND)
def a_result_without_a_model(it: Recording) -> None:
    """The result names no model"""
    it.attest(model_digest=Digest.zero())


def _is(event: ev.RoundEvent, number: int) -> bool:
    return (event.lineage_id, event.round) == (lineage_id_of("tests"), number)
