"""The contract's rules about members, keys and consents, checked against the state before an event."""

from __future__ import annotations

from collections.abc import Iterator

from protocol import ledger_events as ev
from protocol.history import ConsentView, History
from protocol.identifiers import AccountAddress
from protocol.ledger_events import LocatedEvent

_MAX_AGGREGATORS = 32


class MembershipRules:
    """Checks one event after another; remembers the accounts that were ever used, which ``History`` does not keep."""

    def __init__(self) -> None:
        self._used: set[AccountAddress] = set()

    def faults(self, history: History, located: LocatedEvent) -> Iterator[str]:
        """What an event about members, keys or consents breaks, in words; nothing when it is allowed.

        Args:
            history: The state before the event.
            located: The event.
        """
        event = located.event
        if isinstance(event, ev.SiteAdmitted | ev.SiteAccountRotated | ev.AggregatorAdmitted):
            yield from self._account_faults(event)
        match event:
            case ev.GovernorChanged() | ev.SuiteSealed():
                yield from _suite(history, event)
            case ev.SiteAdmitted():
                yield from _site_admitted(history, event)
            case ev.SiteAccountRotated():
                yield from _rotated(history, event)
            case ev.SiteSuspended() | ev.SiteReinstated() | ev.SiteLeft():
                yield from _standing(history, event)
            case ev.AggregatorSetChanged():
                yield from _aggregator_set(history, event)
            case ev.ConsentRootPublished():
                yield from _consent_root(history, event, located.position.timestamp)
            case ev.ConsentWithdrawn():
                yield from _withdrawn(history, event)
            case ev.AuditorKeyPublished() | ev.AuditorKeyUsed():
                yield from _auditor_key(history, event)

    def _account_faults(self, event: ev.SiteAdmitted | ev.SiteAccountRotated | ev.AggregatorAdmitted) -> Iterator[str]:
        """An account serves one party, once: one whose party has moved on stays used for good."""
        if event.account in self._used:
            match event:
                case ev.SiteAdmitted():
                    yield "a site was admitted with an account that another site uses, or that was used before"
                case ev.SiteAccountRotated():
                    yield "a site's account was rotated to one that a site uses already, or that was used before"
                case ev.AggregatorAdmitted():
                    yield "an aggregator was admitted with an account that was used before"
        self._used.add(event.account)


def _suite(history: History, event: ev.GovernorChanged | ev.SuiteSealed) -> Iterator[str]:
    if isinstance(event, ev.SuiteSealed):
        if history.sealed is not None:
            yield "the suite was sealed twice"
    elif event.previous_governor != (history.governor or AccountAddress.zero()):
        yield "the governor was changed from an account that was not the governor"


def _auditor_key(history: History, event: ev.AuditorKeyPublished | ev.AuditorKeyUsed) -> Iterator[str]:
    newest = max(history.auditor_keys, default=0)
    if isinstance(event, ev.AuditorKeyUsed):
        if event.epoch not in history.auditor_keys:
            yield f"the use of an auditor key of epoch {event.epoch} was declared, and there is none"
        if event.first_round > event.last_round:
            yield f"the use of an auditor key was declared for rounds {event.first_round} to {event.last_round}"
    elif event.epoch != newest + 1:
        yield f"the auditor key's epoch {event.epoch} does not follow {newest}"


def _site_admitted(history: History, event: ev.SiteAdmitted) -> Iterator[str]:
    if event.site_id in history.sites:
        yield "a site was admitted twice"
    elif event.ordinal != len(history.sites):
        yield f"a site was admitted with ordinal {event.ordinal}, not {len(history.sites)}"


def _rotated(history: History, event: ev.SiteAccountRotated) -> Iterator[str]:
    site = history.sites.get(event.site_id)
    if site is None:
        return
    if event.previous_account != site.account:
        yield "a site's account was rotated from one that was not the site's"
    if site.left:
        yield "the account of a site that had left was rotated"


def _standing(history: History, event: ev.SiteSuspended | ev.SiteReinstated | ev.SiteLeft) -> Iterator[str]:
    site = history.sites.get(event.site_id)
    if site is None:
        return
    if site.left:
        yield "a site that had left was suspended or reinstated, or left again"
    elif isinstance(event, ev.SiteSuspended) and site.suspended:
        yield "a site was suspended twice"
    elif isinstance(event, ev.SiteReinstated) and not site.suspended:
        yield "a site was reinstated that was not suspended"


def _aggregator_set(history: History, event: ev.AggregatorSetChanged) -> Iterator[str]:
    if event.version != max(history.aggregator_sets, default=0) + 1:
        yield f"the aggregator set's version {event.version} does not follow the one before"
    members = set(event.aggregator_ids)
    if len(members) != len(event.aggregator_ids) or len(members) > _MAX_AGGREGATORS:
        yield "an aggregator set names a member twice, or more than 32"
    if not members <= set(history.aggregators):
        yield "an aggregator set names an aggregator that was not admitted"
    if not 1 <= event.threshold <= len(members):
        yield f"an aggregator set of {len(members)} has the threshold {event.threshold}"


def _consent_root(history: History, event: ev.ConsentRootPublished, now: int) -> Iterator[str]:
    site = history.sites.get(event.site_id)
    if site is None or not site.active:
        yield "a consent root was published for a site that is not active"
    latest = history.consents.get(event.site_id, ConsentView()).latest_version
    if event.version != latest + 1:
        yield f"a consent root has the version {event.version}, not {latest + 1}"
    if event.valid_until <= now:
        yield "a consent root had expired when it was published"
    if not (event.patients or event.guardians or event.waivers):
        yield "a consent root stands over no receipt"


def _withdrawn(history: History, event: ev.ConsentWithdrawn) -> Iterator[str]:
    consent = history.consents.get(event.site_id, ConsentView())
    expected = consent.latest_version + 1
    if event.site_id not in history.sites:
        yield "a site that was not admitted withdrew its consents"
    if event.min_version != expected:
        yield f"a withdrawal raised the lowest consent version to {event.min_version}, not to {expected}"
    elif event.min_version == consent.min_version:
        yield "a withdrawal follows another with no consent root in between"
