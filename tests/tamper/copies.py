"""Mutations that no rule can see: a field that nothing else repeats, or an event that nothing else needs."""

from __future__ import annotations

from protocol import ledger_events as ev
from protocol.identifiers import CID, digest_of, lineage_id_of, site_id_of
from tests.protocol.values import account_of
from tests.tamper.catalogue import CHAIN, DIFF, chapter
from tests.tamper.recording import LAST, SECOND, Recording

mutation = chapter("What only another copy of the chain tells", DIFF)
PART = "the endpoints part"
OTHER = digest_of("test-other")


@mutation(CHAIN, PART, "site site-6 left")
def a_departure_left_out(it: Recording) -> None:
    """A site's departure is left out"""
    del it.events[it.place(ev.SiteLeft)]


@mutation(CHAIN, PART, "rounds 1 to 1")
def a_declared_use_left_out(it: Recording) -> None:
    """The auditor's declared use of its key is left out"""
    del it.events[it.place(ev.AuditorKeyUsed)]


@mutation(CHAIN, PART, "rounds 1 to 1")
def a_declared_use_of_fewer_rounds(it: Recording) -> None:
    """The auditor's declared use is said to be of another lineage"""
    it.change(it.place(ev.AuditorKeyUsed), lineage_id=lineage_id_of(SECOND))


@mutation(CHAIN, PART, "aborted")
def an_abort_left_out(it: Recording) -> None:
    """The newest abort is left out, so that a round seems to run"""
    del it.events[it.place(ev.RoundAborted, lineage=SECOND)]


@mutation(CHAIN, PART, "aborted")
def another_aborter(it: Recording) -> None:
    """An abort is said to be another's"""
    it.change(it.place(ev.RoundAborted, lineage=SECOND), by=account_of("anyone"))


@mutation(CHAIN, PART, "deployment")
def the_seal_left_out(it: Recording) -> None:
    """The seal of the suite is left out"""
    it.events.pop()


@mutation(CHAIN, PART, "deployment")
def another_successor(it: Recording) -> None:
    """The suite's successor is another contract"""
    it.change(it.place(ev.SuiteSealed), successor=account_of("other-successor"))


@mutation(CHAIN, PART, "governor")
def another_governor(it: Recording) -> None:
    """The newest governor is another"""
    it.change(it.place(ev.GovernorChanged, nth=1), governor=account_of("stranger"))


@mutation(CHAIN, PART, "site-0 was admitted")
def another_account(it: Recording) -> None:
    """A site's account is another"""
    it.change(it.place(ev.SiteAdmitted), account=account_of("stranger"))


@mutation(CHAIN, PART, "site-0 was admitted")
def another_key_document(it: Recording) -> None:
    """A site's key document is another"""
    it.change(it.place(ev.SiteAdmitted), key_digest=OTHER)


@mutation(CHAIN, PART, "aggregator-0 was admitted")
def another_aggregators_account(it: Recording) -> None:
    """An aggregator's account is another"""
    it.change(it.place(ev.AggregatorAdmitted), account=account_of("stranger"))


@mutation(CHAIN, PART, "auditor")
def another_auditors_account(it: Recording) -> None:
    """The auditor's account is another"""
    it.change(it.place(ev.AuditorKeyPublished), auditor=account_of("stranger"))


@mutation(CHAIN, PART, "announced its key")
def another_key_cid(it: Recording) -> None:
    """A round key's CID is another"""
    it.change(it.place(ev.RoundKeyAnnounced, round=LAST), key_cid=CID(bytes(OTHER)))


@mutation(CHAIN, PART, "site-0 published consent root")
def another_expiry(it: Recording) -> None:
    """A consent root expires later than the site said"""
    place = it.place(ev.ConsentRootPublished, site_id=site_id_of("site-0"))
    it.change(place, valid_until=it.events[place].event.valid_until + 1)


@mutation(CHAIN, PART, "site-0 published consent root")
def more_patients(it: Recording) -> None:
    """A consent root stands over more patients than the site said"""
    it.change(it.place(ev.ConsentRootPublished, site_id=site_id_of("site-0")), patients=1000)


@mutation(CHAIN, PART, "site-6 published consent root")
def another_unused_root(it: Recording) -> None:
    """A consent root that no update names is another"""
    it.change(it.place(ev.ConsentRootPublished, site_id=site_id_of("site-6")), root=OTHER)


@mutation(CHAIN, PART, "opened round 3")
def another_deadline(it: Recording) -> None:
    """A round's deadline is a second later"""
    place = it.place(ev.RoundOpened, round=LAST)
    it.change(place, deadline=it.events[place].event.deadline + 1)


@mutation(CHAIN, PART, "opened round 3")
def another_attest_by(it: Recording) -> None:
    """A round may be aborted a second later"""
    place = it.place(ev.RoundOpened, round=LAST)
    it.change(place, attest_by=it.events[place].event.attest_by + 1)


@mutation(CHAIN, PART, "registered")
def another_revoked_update(it: Recording) -> None:
    """An update that was taken back had another dataset"""
    it.change(it.place(ev.UpdateRegistered, round=1, index=5), dataset_root=OTHER)


@mutation(CHAIN, PART, "registered")
def another_update_of_an_aborted_round(it: Recording) -> None:
    """An update of an aborted round had another envelope"""
    it.change(it.place(ev.UpdateRegistered, lineage=SECOND, round=2), envelope_digest=OTHER)


@mutation(CHAIN, PART, "lineage second")
def a_whole_lineage_left_out(it: Recording) -> None:
    """A whole lineage is left out"""
    it.events = [e for e in it.events if getattr(e.event, "lineage_id", None) != lineage_id_of(SECOND)]


@mutation(CHAIN, PART, "announced its key")
def the_newest_round_left_out(it: Recording) -> None:
    """A lineage's newest round is left out, keys and all"""
    it.events = [e for e in it.events if not _of_round(e.event, LAST)]


@mutation(CHAIN, PART, "site-6 published consent root")
def an_unused_root_left_out(it: Recording) -> None:
    """A consent root that no update names is left out"""
    del it.events[it.place(ev.ConsentRootPublished, site_id=site_id_of("site-6"))]


@mutation(CHAIN, PART, "suspended")
def an_old_event_invented(it: Recording) -> None:
    """A suspension and its end are invented"""
    place = it.place(ev.RoundKeyAnnounced, round=LAST)
    site_id = site_id_of("site-0")
    it.insert(place, ev.SiteSuspended(site_id))
    it.insert(place + 1, ev.SiteReinstated(site_id))


def _of_round(event: ev.LedgerEvent, number: int) -> bool:
    return getattr(event, "round", None) == number and getattr(event, "lineage_id", None) == lineage_id_of("tests")
