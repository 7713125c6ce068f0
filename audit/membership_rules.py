"""The contract's rules about members, keys and consents, checked against the state before an event."""

from __future__ import annotations

from collections.abc import Iterator

from protocol import ledger_events as ev
from protocol.history import ConsentView, History
from protocol.ledger_events import LocatedEvent

_MAX_AGGREGATORS = 32


def membership_faults(history: History, located: LocatedEvent) -> Iterator[str]:
    """What an event about members, keys or consents breaks, in words; nothing when it is allowed.

    Args:
        history: The state before the event.
        located: The event.
    """
    event = located.event
    match event:
        case ev.SiteAdmitted():
            yield from _site_admitted(history, event)
        case ev.AggregatorSetChanged():
            yield from _aggregator_set(history, event)
        case ev.ConsentRootPublished():
            yield from _consent_root(history, event, located.position.timestamp)
        case ev.ConsentWithdrawn():
            latest = history.consents.get(event.site_id, ConsentView()).latest_version
            if event.min_version != latest + 1:
                yield f"a withdrawal raised the lowest consent version to {event.min_version}, not to {latest + 1}"
        case ev.AuditorKeyPublished() | ev.AuditorKeyUsed():
            yield from _auditor_key(history, event)
        case ev.SiteAccountRotated() if event.account in history.site_of:
            yield "a site's account was rotated to one that a site uses already"
        case ev.SuiteSealed() if history.sealed is not None:
            yield "the suite was sealed twice"
        case _:
            return


def _auditor_key(history: History, event: ev.AuditorKeyPublished | ev.AuditorKeyUsed) -> Iterator[str]:
    newest = max(history.auditor_keys, default=0)
    if isinstance(event, ev.AuditorKeyUsed):
        if event.epoch not in history.auditor_keys:
            yield f"the use of an auditor key of epoch {event.epoch} was declared, and there is none"
    elif event.epoch != newest + 1:
        yield f"the auditor key's epoch {event.epoch} does not follow {newest}"


def _site_admitted(history: History, event: ev.SiteAdmitted) -> Iterator[str]:
    if event.site_id in history.sites:
        yield "a site was admitted twice"
    elif event.ordinal != len(history.sites):
        yield f"a site was admitted with ordinal {event.ordinal}, not {len(history.sites)}"
    if event.account in history.site_of:
        yield "a site was admitted with an account that another site uses"


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
