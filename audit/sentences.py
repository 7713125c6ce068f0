"""One plain sentence for each kind of event."""

from __future__ import annotations

from datetime import UTC, datetime

from audit.names import Names
from protocol import ledger_events as ev
from protocol.identifiers import AccountAddress
from protocol.joining import auditor_fingerprint, fingerprint
from protocol.verdicts import VerdictCode, explain


def sentence_of(event: ev.LedgerEvent, names: Names) -> str:
    """What an event says, for a person who knows the network but not its contract."""
    if isinstance(event, ev.RoundEvent):
        return _of_round(event, names)
    if isinstance(event, ev.SiteAdmitted | ev.SiteAccountRotated | ev.SiteSuspended | ev.SiteReinstated | ev.SiteLeft):
        return _of_site(event, names)
    if isinstance(event, ev.ConsentRootPublished | ev.ConsentWithdrawn):
        return _of_consent(event, names)
    return _of_network(event, names)


def moment(timestamp: int) -> str:
    """A chain timestamp as UTC, to the second."""
    try:
        return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        # A uint64 on chain may lie beyond every calendar.
        return f"second {timestamp}"


def count(number: int, one: str, many: str = "") -> str:
    """A number, its thousands apart, with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _short(account: AccountAddress) -> str:
    return f"{str(account)[:8]}…{str(account)[-4:]}"


def _of_site(
    event: ev.SiteAdmitted | ev.SiteAccountRotated | ev.SiteSuspended | ev.SiteReinstated | ev.SiteLeft, names: Names
) -> str:
    site = f"site {names.label(event.site_id)}"
    match event:
        case ev.SiteAdmitted():
            return f"{site} was admitted with account {_short(event.account)}, keys {fingerprint(event.key_digest)}"
        case ev.SiteAccountRotated():
            return f"{site} replaced account {_short(event.previous_account)} by {_short(event.account)}"
        case ev.SiteSuspended():
            return f"{site} was suspended: it can register neither updates nor consents"
        case ev.SiteReinstated():
            return f"{site} was reinstated"
        case ev.SiteLeft():
            return f"{site} left the network for good"


def _of_consent(event: ev.ConsentRootPublished | ev.ConsentWithdrawn, names: Names) -> str:
    site = f"site {names.label(event.site_id)}"
    if isinstance(event, ev.ConsentRootPublished):
        given = f"{event.patients} from patients, {event.guardians} from guardians, {event.waivers} by ethics waiver"
        until = moment(event.valid_until)
        return f"{site} published consent root {event.version} (receipts: {given}), valid until {until}"
    return f"{site} withdrew: no update may name a consent root before {event.min_version}"


def _of_network(event: ev.LedgerEvent, names: Names) -> str:
    match event:
        case ev.GovernorChanged():
            text = f"the governor is now {_short(event.governor)}"
        case ev.AggregatorAdmitted():
            who = names.label(event.aggregator_id)
            text = f"aggregator {who} was admitted with account {_short(event.account)}"
        case ev.AggregatorSetChanged():
            members = ", ".join(names.label(aggregator_id) for aggregator_id in event.aggregator_ids)
            text = f"aggregator set {event.version}: {members}; decided by {count(event.threshold, 'vote')}"
        case ev.AuditorKeyPublished():
            said = auditor_fingerprint(event.auditor, event.key_digest)
            text = f"auditor {_short(event.auditor)} has the key of epoch {event.epoch}: {said}"
        case ev.AuditorKeyUsed():
            lineage, first, last = names.label(event.lineage_id), event.first_round, event.last_round
            text = f"the auditor declared the use of key {event.epoch} on {lineage}, rounds {first} to {last}"
        case ev.RoundKeyAnnounced():
            who, lineage = names.label(event.aggregator_id), names.label(event.lineage_id)
            text = f"aggregator {who} announced its key for round {event.round} of {lineage}"
        case ev.SuiteSealed():
            successor = f"{_short(event.successor)} on chain {event.successor_chain_id}"
            text = f"this deployment was sealed; its successor is {successor}"
        case ev.LineageCreated():
            lineage = names.label(event.lineage_id)
            text = f"lineage {lineage} starts from the model {_digest(event.model_digest)} at {event.model_cid}"
        case _:
            text = type(event).__name__
    return text


def _of_round(event: ev.RoundEvent, names: Names) -> str:
    place = f"round {event.round} of {names.label(event.lineage_id)}"
    match event:
        case ev.RoundOpened():
            selected = count(sum(word.bit_count() for word in event.selected), "site")
            who, until = names.label(event.aggregator_id), moment(event.deadline)
            text = f"aggregator {who} opened {place} for {selected} until {until}; {event.min_accepted} must pass"
        case ev.UpdateRegistered():
            said = f"weight {event.weight}, consent root {event.consent_version}"
            text = f"site {names.label(event.site_id)} registered update {event.index} in {place}: {said}"
        case ev.UpdateRevoked():
            text = f"site {names.label(event.site_id)} took back update {event.index} in {place}"
        case ev.ResultAttested():
            who = names.label(event.aggregator_id)
            text = f"aggregator {who} voted for result {_digest(event.result_digest)} of {place}"
        case ev.RoundFinalized():
            text = f"{place} is final: {_counts(event.codes)}; model {_digest(event.model_digest)} at {event.model_cid}"
        case ev.RoundFailed():
            text = f"{place} failed: {_counts(event.codes)}; the head stays"
        case ev.RoundAborted():
            text = f"{_short(event.by)} aborted {place}: nobody attested in time; the head stays"
    return text


def _digest(digest: bytes) -> str:
    return f"0x{digest.hex()[:8]}…"


def _counts(codes: bytes) -> str:
    """How many updates were accepted, and why each of the others was not."""
    refused = [f"update {index}: {why_of(code)}" for index, code in enumerate(codes) if code != VerdictCode.ACCEPTED]
    accepted = f"{len(codes) - len(refused)} of {count(len(codes), 'update')} accepted"
    return f"{accepted} ({'; '.join(refused)})" if refused else accepted


def why_of(code: int) -> str:
    """What a verdict code means, for an operator."""
    try:
        return explain(VerdictCode(code)).why
    except ValueError:
        return f"unknown code {code}"
