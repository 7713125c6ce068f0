"""Mutations of event logs about members, keys, consents and lineages."""

from __future__ import annotations

from protocol import ledger_events as ev
from protocol.identifiers import CID, AccountAddress, Digest, aggregator_id_of, digest_of, lineage_id_of, site_id_of
from tests.protocol.values import account_of
from tests.tamper.catalogue import CHAIN, GOVERNOR, REPLAY, chapter
from tests.tamper.recording import LAST, SECOND, Recording

mutation = chapter("Event logs of members, keys and consents", REPLAY)
RULE, NETWORK = "different (chain-rule)", "network"
FIRST_SITE, MOVED, LEFT = site_id_of("site-0"), site_id_of("site-6"), site_id_of("site-6")


@mutation(GOVERNOR, RULE, "admitted with ordinal 5", where=NETWORK)
def another_ordinal(it: Recording) -> None:
    """A site gets another site's place in the selections"""
    it.change(it.place(ev.SiteAdmitted, site_id=FIRST_SITE), ordinal=5)


@mutation(GOVERNOR, RULE, "a site was admitted twice", where=NETWORK)
def a_site_admitted_twice(it: Recording) -> None:
    """A site is admitted a second time"""
    it.append(ev.SiteAdmitted(FIRST_SITE, account_of("new"), 7, digest_of("test-key")))


@mutation(GOVERNOR, RULE, "account that another site uses", where=NETWORK)
def a_site_with_anothers_account(it: Recording) -> None:
    """A sham site is admitted with another site's account"""
    it.append(ev.SiteAdmitted(site_id_of("sham"), account_of("site-0"), 7, digest_of("test-key")))


@mutation(GOVERNOR, RULE, "that was used before", where=NETWORK)
def an_old_account_again(it: Recording) -> None:
    """A sham site is admitted with the account that a site had before"""
    it.append(ev.SiteAdmitted(site_id_of("sham"), account_of("site-6"), 7, digest_of("test-key")))


@mutation(GOVERNOR, RULE, "an aggregator was admitted with an account", where=NETWORK)
def an_aggregator_with_a_sites_account(it: Recording) -> None:
    """An aggregator acts with a site's account"""
    it.append(ev.AggregatorAdmitted(aggregator_id_of("new"), account_of("site-0"), digest_of("test-key")))


@mutation(CHAIN, RULE, "from one that was not the site's", where=NETWORK)
def a_rotation_of_anothers_account(it: Recording) -> None:
    """A site's account is rotated away from another site's"""
    it.change(it.place(ev.SiteAccountRotated), previous_account=account_of("site-0"))


@mutation(CHAIN, RULE, "to one that a site uses already", where=NETWORK)
def a_rotation_to_anothers_account(it: Recording) -> None:
    """A site's account is rotated to another site's"""
    it.change(it.place(ev.SiteAccountRotated), account=account_of("site-0"))


@mutation(CHAIN, RULE, "a site that had left was rotated", where=NETWORK)
def a_rotation_after_leaving(it: Recording) -> None:
    """A site that had left gets a new account"""
    it.append(ev.SiteAccountRotated(LEFT, account_of("moved"), account_of("again"), digest_of("test-key")))


@mutation(CHAIN, RULE, "reinstated that was not suspended", where=NETWORK)
def a_suspension_left_out(it: Recording) -> None:
    """A suspension is left out"""
    del it.events[it.place(ev.SiteSuspended)]


@mutation(CHAIN, RULE, "comes from a site that is not active", where=f"tests round {LAST}")
def a_reinstatement_left_out(it: Recording) -> None:
    """A reinstatement is left out, so that a site seems suspended"""
    del it.events[it.place(ev.SiteReinstated)]


@mutation(CHAIN, RULE, "comes from a site that is not active", where="tests round 2")
def an_update_of_a_site_that_left(it: Recording) -> None:
    """A site had left before it registered"""
    it.insert(it.place(ev.RoundOpened, round=2), ev.SiteLeft(FIRST_SITE))


@mutation(CHAIN, RULE, "or left again", where=NETWORK)
def a_second_leave(it: Recording) -> None:
    """A site that had left is suspended"""
    it.append(ev.SiteSuspended(LEFT))


@mutation(CHAIN, RULE, "not active or not selected", where="tests round 1")
def an_admission_left_out(it: Recording) -> None:
    """A site's admission and consents are left out"""
    mine = (ev.SiteAdmitted, ev.ConsentRootPublished)
    it.events = [e for e in it.events if not (isinstance(e.event, mine) and e.event.site_id == FIRST_SITE)]


@mutation(CHAIN, RULE, "aggregator that was not admitted", where=NETWORK)
def an_aggregator_left_out(it: Recording) -> None:
    """An aggregator's admission is left out"""
    del it.events[it.place(ev.AggregatorAdmitted)]


@mutation(CHAIN, "different (vote)", "needed are for this result", where=f"tests round {LAST}")
def a_threshold_of_three(it: Recording) -> None:
    """The aggregator set's threshold is raised, so that results seem to have too few votes"""
    it.change(it.place(ev.AggregatorSetChanged), threshold=3)


@mutation(CHAIN, "different (vote)", "and 1 had decided it", where=f"tests round {LAST}")
def a_threshold_of_one(it: Recording) -> None:
    """The aggregator set's threshold is lowered, so that one liar seems to be enough"""
    it.change(it.place(ev.AggregatorSetChanged), threshold=1)


@mutation(CHAIN, RULE, "version 2 does not follow", where=NETWORK)
def another_set_version(it: Recording) -> None:
    """The aggregator set has another version"""
    it.change(it.place(ev.AggregatorSetChanged), version=2)


@mutation(GOVERNOR, RULE, "names a member twice", where=NETWORK)
def a_member_twice(it: Recording) -> None:
    """One aggregator is two of the set's members"""
    first = it.event(ev.AggregatorSetChanged).aggregator_ids[0]
    it.change(it.place(ev.AggregatorSetChanged), aggregator_ids=(first, first))


@mutation(GOVERNOR, RULE, "another aggregator set than the one in force", where=f"tests round {LAST}")
def another_set_in_force(it: Recording) -> None:
    """Another aggregator set was in force when the round was opened"""
    ids = it.event(ev.AggregatorSetChanged).aggregator_ids
    it.insert(it.place(ev.RoundOpened, round=LAST), ev.AggregatorSetChanged(2, 1, ids[:1]))


@mutation(CHAIN, "different (plan)", "auditor key is not the one in force", where="tests round 1")
def another_auditor_key(it: Recording) -> None:
    """The chain names another auditor's key than the one that the plans name"""
    it.change(it.place(ev.AuditorKeyPublished), key_digest=digest_of("test-other"))


@mutation(GOVERNOR, RULE, "epoch 1 does not follow 2", where=NETWORK)
def an_epoch_again(it: Recording) -> None:
    """An auditor's key is published for an epoch that had one"""
    it.append(it.event(ev.AuditorKeyPublished))


@mutation(CHAIN, RULE, "epoch 9 was declared", where=NETWORK)
def a_use_of_no_key(it: Recording) -> None:
    """The use of an auditor's key that there is not is declared"""
    it.change(it.place(ev.AuditorKeyUsed), epoch=9)


@mutation(CHAIN, RULE, "declared for rounds 2 to 1", where=NETWORK)
def a_reversed_use(it: Recording) -> None:
    """A declared use begins behind its end, so that it covers no round"""
    it.change(it.place(ev.AuditorKeyUsed), first_round=2)


@mutation(CHAIN, "different (plan)", "was not announced on chain", where=f"tests round {LAST}")
def another_round_key(it: Recording) -> None:
    """The chain names another round key of an aggregator"""
    it.change(it.place(ev.RoundKeyAnnounced, round=LAST), key_digest=digest_of("test-other"))


@mutation(CHAIN, RULE, "announced for round 2 after its opening", where="tests")
def a_late_key(it: Recording) -> None:
    """A round key is announced after the round was opened"""
    it.change(it.place(ev.RoundKeyAnnounced, round=LAST), round=2)


@mutation(CHAIN, RULE, "by an aggregator outside of the set", where="tests")
def a_strangers_key(it: Recording) -> None:
    """A stranger announces a round key"""
    it.change(it.place(ev.RoundKeyAnnounced, round=LAST), aggregator_id=aggregator_id_of("stranger"))


@mutation(CHAIN, RULE, "a lineage that there is not", where=NETWORK)
def a_key_for_nothing(it: Recording) -> None:
    """A round key is announced for a lineage that there is not"""
    it.change(it.place(ev.RoundKeyAnnounced, round=LAST), lineage_id=lineage_id_of("elsewhere"))


@mutation(CHAIN, "different (verdict)", "names another consent root", where=f"tests round {LAST}", public=False)
def another_consent_root(it: Recording) -> None:
    """The chain names another consent root than the one that an update was made under"""
    it.change(it.place(ev.ConsentRootPublished, site_id=FIRST_SITE), root=digest_of("test-other"))


@mutation(CHAIN, RULE, "has the version 2, not 1", where=NETWORK)
def another_consent_version(it: Recording) -> None:
    """A consent root has another version"""
    it.change(it.place(ev.ConsentRootPublished, site_id=FIRST_SITE), version=2)


@mutation(CHAIN, RULE, "over no receipt", where=NETWORK)
def a_consent_of_nobody(it: Recording) -> None:
    """A consent root stands over no receipt at all"""
    it.change(it.place(ev.ConsentRootPublished, site_id=FIRST_SITE), patients=0)


@mutation(CHAIN, RULE, "had expired when it was published", where=NETWORK)
def an_expired_consent(it: Recording) -> None:
    """A consent root had expired when it was published"""
    it.change(it.place(ev.ConsentRootPublished, site_id=FIRST_SITE), valid_until=5)


@mutation(CHAIN, RULE, "without consent in force", where="tests round 2")
def a_consent_that_expires_between(it: Recording) -> None:
    """A consent root expires before the registration that names it"""
    registered = it.events[it.place(ev.UpdateRegistered, round=2)].position.timestamp
    it.change(it.place(ev.ConsentRootPublished, site_id=FIRST_SITE), valid_until=registered - 1)


@mutation(CHAIN, "different (verdict)", "111 consent withdrawn on chain", where="tests round 2")
def a_withdrawal_left_out(it: Recording) -> None:
    """A withdrawal is left out, as if the aggregators had invented it"""
    del it.events[it.place(ev.ConsentWithdrawn)]


@mutation(CHAIN, "different (verdict)", "0 accepted on chain", where="tests round 2")
def another_sites_withdrawal(it: Recording) -> None:
    """A withdrawal is said to be another site's, whose update was accepted"""
    it.change(it.place(ev.ConsentWithdrawn), site_id=FIRST_SITE)


@mutation(CHAIN, RULE, "to 1, not to 2", where=NETWORK)
def a_withdrawal_of_less(it: Recording) -> None:
    """A withdrawal takes back less than the site's roots"""
    it.change(it.place(ev.ConsentWithdrawn), min_version=1)


@mutation(CHAIN, RULE, "follows another with no consent root", where=NETWORK)
def a_withdrawal_again(it: Recording) -> None:
    """A withdrawal stands twice"""
    it.insert(it.place(ev.ConsentWithdrawn) + 1, it.event(ev.ConsentWithdrawn))


@mutation(CHAIN, RULE, "that was not admitted withdrew", where=NETWORK)
def a_strangers_withdrawal(it: Recording) -> None:
    """A stranger withdraws consents"""
    it.append(ev.ConsentWithdrawn(site_id_of("stranger"), 1))


@mutation(CHAIN, RULE, "from an account that was not the governor", where=NETWORK)
def a_governor_from_nowhere(it: Recording) -> None:
    """The governor is changed by a stranger"""
    it.change(it.place(ev.GovernorChanged, nth=1), previous_governor=account_of("stranger"))


@mutation(CHAIN, RULE, "sealed twice", where=NETWORK)
def a_second_seal(it: Recording) -> None:
    """The suite is sealed a second time, for another successor"""
    it.append(ev.SuiteSealed(1, account_of("other-successor")))


@mutation(CHAIN, RULE, "has no account", where=NETWORK)
def a_site_without_an_account(it: Recording) -> None:
    """A site is admitted without an account"""
    it.change(it.place(ev.SiteAdmitted, nth=1), account=AccountAddress.zero())


@mutation(CHAIN, RULE, "has no key cid", where=NETWORK)
def a_key_without_a_document(it: Recording) -> None:
    """An auditor's key names no document"""
    it.change(it.place(ev.AuditorKeyPublished), key_cid=CID.zero())


@mutation(CHAIN, RULE, "has no key digest", where=NETWORK)
def a_site_without_a_key_document(it: Recording) -> None:
    """A site is admitted without a key document"""
    it.change(it.place(ev.SiteAdmitted), key_digest=Digest.zero())


@mutation(GOVERNOR, "different (plan)", "names another backbone than the lineage", where="tests round 1")
def another_backbone(it: Recording) -> None:
    """A lineage names another backbone than its plans"""
    it.change(it.place(ev.LineageCreated), backbone_digest=digest_of("test-other"))


@mutation(GOVERNOR, "different (plan)", "a plan schema that this version does not know", where="tests round 1")
def another_schema(it: Recording) -> None:
    """A lineage names another plan schema"""
    it.change(it.place(ev.LineageCreated), plan_schema=digest_of("test-other"))


@mutation(GOVERNOR, "different (parent)", "parent is not the lineage's head", where="tests round 1")
def another_genesis(it: Recording) -> None:
    """A lineage names another genesis model"""
    it.change(it.place(ev.LineageCreated), model_digest=digest_of("test-other"))


@mutation(GOVERNOR, "different (model)", "are not the genesis model", where="tests")
def another_genesis_cid(it: Recording) -> None:
    """A lineage's genesis is pinned under the CID of another model"""
    it.change(it.place(ev.LineageCreated), model_cid=it.event(ev.LineageCreated, lineage=SECOND).model_cid)


@mutation(GOVERNOR, RULE, "number does not follow 5", where="tests round 1")
def another_first_round(it: Recording) -> None:
    """A lineage begins at another round, as if it went on from a predecessor"""
    it.change(it.place(ev.LineageCreated), genesis_round=5)


@mutation(GOVERNOR, RULE, "commitment scheme 2", where="tests")
def another_lineage_scheme(it: Recording) -> None:
    """A lineage names an unknown commitment scheme"""
    it.change(it.place(ev.LineageCreated), commitment_scheme=2)


@mutation(GOVERNOR, RULE, "the lineage was created twice", where="second")
def a_lineage_again(it: Recording) -> None:
    """A lineage is created a second time, and forgets its rounds"""
    it.append(it.event(ev.LineageCreated, lineage=SECOND))
