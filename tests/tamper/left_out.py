"""Mutations of what an RPC endpoint tells: an event is left out, every block is told as it is."""

from __future__ import annotations

from protocol import ledger_events as ev
from protocol.identifiers import site_id_of
from tests.tamper.catalogue import CHAIN, COMPARED, RULES, chapter
from tests.tamper.recording import LAST, SECOND, Recording

seen = chapter("An event that an endpoint leaves out: the contract's rules give it away", RULES)
unseen = chapter("An event that an endpoint leaves out: no rule gives it away", COMPARED)
BROKEN, LEFT_OUT = "broken rule", "left out"


@seen(CHAIN, BROKEN, "a registration is out of its place")
def a_registration_in_the_middle(it: Recording) -> None:
    """A registration in the middle of a round is not told"""
    del it.events[it.place(ev.UpdateRegistered, round=LAST, nth=2)]


@seen(CHAIN, BROKEN, "6 verdict codes for 5 updates")
def the_last_registration(it: Recording) -> None:
    """The last registration of a round is not told"""
    del it.events[it.place(ev.UpdateRegistered, round=LAST, nth=-1)]


@seen(CHAIN, BROKEN, "its result is not there")
def a_result(it: Recording) -> None:
    """A result with its verdicts is not told"""
    del it.events[it.place(ev.RoundFinalized, round=LAST)]


@seen(CHAIN, BROKEN, "1 of the 2 votes needed")
def a_vote(it: Recording) -> None:
    """A vote is not told"""
    del it.events[it.place(ev.ResultAttested, round=LAST)]


@seen(CHAIN, BROKEN, "UpdateRegistered names something unknown")
def an_opening(it: Recording) -> None:
    """The opening of a round is not told"""
    del it.events[it.place(ev.RoundOpened, round=LAST)]


@seen(CHAIN, BROKEN, "the round's number does not follow 1")
def a_whole_round(it: Recording) -> None:
    """A whole round is not told"""
    it.events = [e for e in it.events if not isinstance(e.event, ev.RoundEvent) or e.event.round != 2]


@seen(CHAIN, BROKEN, "a consent root has the version 2, not 1")
def a_consent_root(it: Recording) -> None:
    """A consent root is not told, and the next one of its site is"""
    del it.events[it.place(ev.ConsentRootPublished, site_id=site_id_of("site-1"))]


@seen(CHAIN, BROKEN, "admitted with ordinal 3, not 2")
def an_admission(it: Recording) -> None:
    """A site's admission is not told"""
    del it.events[it.place(ev.SiteAdmitted, site_id=site_id_of("site-2"))]


@seen(CHAIN, BROKEN, "a site was reinstated that was not suspended")
def a_suspension(it: Recording) -> None:
    """A suspension is not told, and its end is"""
    del it.events[it.place(ev.SiteSuspended)]


@seen(CHAIN, BROKEN, "do not begin with the contract's first governor")
def the_beginning(it: Recording) -> None:
    """The contract's first event is not told"""
    del it.events[0]


@unseen(CHAIN, LEFT_OUT, "consent-withdrawn in block")
def a_withdrawal(it: Recording) -> None:
    """A withdrawal of consent is not told"""
    del it.events[it.place(ev.ConsentWithdrawn)]


@unseen(CHAIN, LEFT_OUT, "round-key-announced in block")
def an_announcement(it: Recording) -> None:
    """An aggregator's announcement of its key is not told"""
    del it.events[it.place(ev.RoundKeyAnnounced, round=LAST)]


@unseen(CHAIN, LEFT_OUT, "update-revoked in block")
def a_revocation(it: Recording) -> None:
    """A revocation is not told"""
    del it.events[it.place(ev.UpdateRevoked)]


@unseen(CHAIN, LEFT_OUT, "update-registered in block")
def a_registration_of_an_aborted_round(it: Recording) -> None:
    """A registration in a round that was aborted is not told"""
    del it.events[it.place(ev.UpdateRegistered, lineage=SECOND, round=2)]


@unseen(CHAIN, LEFT_OUT, "round-aborted in block")
def an_abort(it: Recording) -> None:
    """The newest abort is not told"""
    del it.events[it.place(ev.RoundAborted, lineage=SECOND)]


@unseen(CHAIN, LEFT_OUT, "site-left in block")
def a_departure(it: Recording) -> None:
    """A site's departure is not told"""
    del it.events[it.place(ev.SiteLeft)]


@unseen(CHAIN, LEFT_OUT, "auditor-key-used in block")
def a_declared_use(it: Recording) -> None:
    """The auditor's declared use of its key is not told"""
    del it.events[it.place(ev.AuditorKeyUsed)]


@unseen(CHAIN, LEFT_OUT, "suite-sealed in block")
def the_seal(it: Recording) -> None:
    """The seal of the suite is not told"""
    del it.events[it.place(ev.SuiteSealed)]
