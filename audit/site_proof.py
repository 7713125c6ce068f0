"""What an auditor finds in a site's proof about one sample: sentences, and what differs from the chain. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from protocol import ledger_events as ev
from protocol.consent import SignedReceipt, verify_receipt
from protocol.consent_factor import PatientCode, StaffCodeAndForm
from protocol.consent_receipt import DUO_PURPOSES, ByGuardian, ByWaiver, ConsentReceipt
from protocol.errors import ConfigError, ConsentError, MalformedError, VerificationError
from protocol.foreign_text import one_line
from protocol.history import ConsentView, History
from protocol.joining import key_document_digest
from protocol.sample_proof import (
    CLOCK_TOLERANCE_SECONDS,
    Absence,
    Presence,
    SampleProof,
    verify_sample_proof,
)

if TYPE_CHECKING:
    from audit.names import Names
    from protocol.history import Registration, RoundView
    from protocol.identifiers import AccountAddress, Digest, SiteId
    from protocol.joining import KeyDocument
    from protocol.ledger_events import LocatedEvent, Position
    from protocol.ports import ChainIdentity
    from protocol.site_audit_key import SiteAuditKey


@dataclass(frozen=True, slots=True)
class SiteFinding:
    """What a proof shows."""

    shown: tuple[str, ...]
    """Sentences that the chain bears out."""
    differences: tuple[str, ...]
    """Sentences about what it does not."""


def check_site_proof(
    proof: SampleProof, key: SiteAuditKey, events: Sequence[LocatedEvent], identity: ChainIdentity, names: Names
) -> SiteFinding:
    """Checks a proof against the event logs.

    Args:
        proof: The site's.
        key: The site's audit key and key documents.
        events: All event logs of the deployment, in chain order.
        identity: The deployment.
        names: Labels for ids.

    Raises:
        ConfigError: The chain knows no such round, or no update of the site in it.
    """
    history = History(events)
    view, registration = _registration(history, proof)
    named = tuple(_named_documents(events, proof.site_id))
    try:
        documents = key.documents_on_chain(tuple(digest for _, digest in named))
        consent_root, published_at = _consent_root(history, registration)
        signed = verify_sample_proof(proof, key.audit_key, registration.event.dataset_root, consent_root)
    except MalformedError as error:
        return SiteFinding((), (error.what,))
    differences = list(_consent_differences(history, registration, view))
    shown = [_presence(proof, registration, names)]
    if isinstance(proof.evidence, Presence) and signed is None:
        shown.append(_shredded(history, registration))
    if signed is not None:
        shown += _receipt_sentences(signed.receipt, registration, published_at)
        witnesses = _witnesses_at(signed.receipt.granted_at, documents, named)
        differences += _receipt_differences(signed, registration, published_at, witnesses, identity)
    return SiteFinding(tuple(shown), tuple(differences))


def _registration(history: History, proof: SampleProof) -> tuple[RoundView, Registration]:
    lineage = history.lineages.get(proof.round_id.lineage_id)
    view = None if lineage is None else lineage.rounds.get(proof.round_id.number)
    registration = None if view is None else view.registration_of(proof.site_id)
    if view is None or registration is None:
        raise ConfigError(
            f"the chain knows no update of this site in round {proof.round_id.number}",
            hint="the proof is about another deployment or round",
        )
    return view, registration


def _named_documents(events: Iterable[LocatedEvent], site_id: SiteId) -> Iterator[tuple[int, Digest]]:
    """When the chain named each key document of the site, in seconds since 1970, and the document's digest."""
    for located in events:
        event = located.event
        if isinstance(event, ev.SiteAdmitted | ev.SiteAccountRotated) and event.site_id == site_id:
            yield located.position.timestamp, event.key_digest


def _witnesses_at(
    granted_at: int, documents: Iterable[KeyDocument], named: Sequence[tuple[int, Digest]]
) -> frozenset[AccountAddress]:
    """The witnesses whom a key document names that was in force at a time of the site's clock.

    Staff may ask patients while the site still waits to be admitted: until then its first document counts.
    """
    earliest, latest = granted_at - CLOCK_TOLERANCE_SECONDS, granted_at + CLOCK_TOLERANCE_SECONDS
    before = [digest for named_at, digest in named if named_at <= earliest]
    in_force = {before[-1] if before else named[0][1]}
    in_force.update(digest for named_at, digest in named if earliest < named_at <= latest)
    found = (document for document in documents if key_document_digest(document) in in_force)
    return frozenset(witness for document in found for witness in document.witnesses)


def _consent_root(history: History, registration: Registration) -> tuple[Digest, Position]:
    event = registration.event
    published = history.consents.get(event.site_id, ConsentView()).roots.get(event.consent_version)
    if published is None:
        raise MalformedError(
            f"the update names consent root version {event.consent_version}, which was never published"
        )
    return published[0].root, published[1]


def _consent_differences(history: History, registration: Registration, view: RoundView) -> Iterator[str]:
    try:
        history.check_consent(registration, view)
    except VerificationError as error:
        yield f"consent root version {registration.event.consent_version} was not in force: {error.what}"


def _presence(proof: SampleProof, registration: Registration, names: Names) -> str:
    where = (
        f"the update of {names.label(proof.site_id)} in round {proof.round_id.number} "
        f"of {names.label(proof.round_id.lineage_id)} (dataset root {registration.event.dataset_root})"
    )
    sample = f"sample {proof.sample_id.hex()}"
    match proof.evidence:
        case Absence(leaves):
            return f"{sample} was not in {where}: none of its {len(leaves)} leaves is the sample's"
        case Presence(dataset):
            return f"{sample} was in {where}: leaf {dataset.index + 1} of {dataset.count}"


def _shredded(history: History, registration: Registration) -> str:
    """An erasure withdraws first; a site that only holds the receipt back has none to show."""
    consent = history.consents.get(registration.event.site_id, ConsentView())
    after = [at.block_number for _, at in consent.withdrawals if at > registration.position]
    seen = (
        f"a withdrawal of the site is in block {after[0]}" if after else "no withdrawal of the site followed: ask why"
    )
    return f"the site shows no consent receipt: it says that the patient was erased; {seen}"


def _receipt_sentences(receipt: ConsentReceipt, registration: Registration, published_at: Position) -> Iterator[str]:
    purposes = ", ".join(f"{code} {DUO_PURPOSES[code]}" for code in receipt.purposes)
    yield (
        f"it was used under consent receipt {receipt.receipt_id}: {_given(receipt)} on {_day(receipt.granted_at)} "
        f"until {_day(receipt.expires_at)}, for {purposes}"
    )
    # A site wrote both; a terminal obeys more than a reader sees.
    version, language = one_line(receipt.notice_version), one_line(receipt.language)
    yield (
        f"the text shown was version {version} in {language}, digest {receipt.notice_digest}; "
        f"{_factor(receipt)}; the witness's account is {receipt.witness}"
    )
    yield (
        f"the receipt stands below consent root version {registration.event.consent_version}, "
        f"published in block {published_at.block_number}"
    )


def _receipt_differences(
    signed: SignedReceipt,
    registration: Registration,
    published_at: Position,
    witnesses: frozenset[AccountAddress],
    identity: ChainIdentity,
) -> Iterator[str]:
    registered_at = registration.position.timestamp
    try:
        receipt = verify_receipt(signed, witnesses, identity)
    except ConsentError as error:
        yield error.what
        return
    if receipt.granted_at > published_at.timestamp + CLOCK_TOLERANCE_SECONDS:
        yield (
            f"the consent receipt says that it was granted at {_moment(receipt.granted_at)}, over "
            f"{CLOCK_TOLERANCE_SECONDS} s after block {published_at.block_number} of "
            f"{_moment(published_at.timestamp)}, whose consent root holds it"
        )
    # No tolerance: the contract compares an expiry with the block's time too, and lets its last second count.
    if receipt.expires_at < registered_at:
        yield f"the consent receipt had expired on {_day(receipt.expires_at)}, before the registration"
    if not any(receipt.covers(purpose) for purpose in _RESEARCH):
        yield "the consent receipt allows no research: the sample should not have trained"


_RESEARCH = ("DUO:0000006", "DUO:0000042")


def _given(receipt: ConsentReceipt) -> str:
    match receipt.giver:
        case ByGuardian(relation):
            return f"given by a guardian ({relation})"
        case ByWaiver(decision_digest, decided_on):
            return f"waived by an ethics decision of {decided_on.isoformat()} (digest {decision_digest}), recorded"
        case _:
            return "given by the patient"


def _factor(receipt: ConsentReceipt) -> str:
    match receipt.second_factor:
        case PatientCode():
            return "a code of the patient's telephone was given"
        case StaffCodeAndForm(staff, _, form_digest):
            return f"a code of {staff}'s telephone was given beside a signed form (digest {form_digest})"
        case _:
            return "there was no second factor"


def _day(timestamp: int) -> str:
    return datetime.fromtimestamp(timestamp, UTC).date().isoformat()


def _moment(timestamp: int) -> str:
    return datetime.fromtimestamp(timestamp, UTC).isoformat()
