"""The format of a consent receipt (docs/spec/consent.md, section 1): what was agreed to, by whom, and how it was shown.

The shape follows ISO/IEC TS 27560 (consent record structure); purposes are GA4GH Data Use Ontology codes. A receipt
never leaves the site unless the patient or an auditor is given it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal, TypeAlias, cast, get_args

from protocol.canonical_json import JSONValue, encode, expect_int, expect_list, expect_object, expect_str, parse
from protocol.consent_factor import NO_SECOND_FACTOR, PatientCode, SecondFactor, factor_value, parse_factor
from protocol.errors import MalformedError
from protocol.identifiers import AccountAddress, Digest, SiteId, digest_of

RECEIPT_VERSION = 1
DAY_SECONDS = 24 * 3600

DUO_PURPOSES: Mapping[str, str] = {
    "DUO:0000006": "health, medical or biomedical research",
    "DUO:0000042": "general research use",
    "DUO:0000043": "clinical care use",
}
"""The Data Use Ontology codes that a receipt may name here, with their meaning."""
TRAINING_PURPOSE = "DUO:0000006"
"""What a network trains for unless its sites agree on more."""
_ALLOWED_BY: Mapping[str, frozenset[str]] = {
    "DUO:0000006": frozenset({"DUO:0000006", "DUO:0000042"}),
    "DUO:0000042": frozenset({"DUO:0000042"}),
    "DUO:0000043": frozenset({"DUO:0000043"}),
}
"""Which codes allow a use: consent to research in general holds for medical research too, not the other way round."""

Method: TypeAlias = Literal["signed-form", "verbal-witnessed", "ethics-decision"]
GivenBy: TypeAlias = Literal["patient", "guardian", "waiver"]
Relation: TypeAlias = Literal[
    "parent", "grandparent", "sibling", "spouse", "adult-child", "court-appointed", "health-care-proxy"
]
RELATIONS: tuple[Relation, ...] = get_args(Relation)


@dataclass(frozen=True, slots=True)
class ByPatient:
    """The patient agreed in person."""


@dataclass(frozen=True, slots=True)
class ByGuardian:
    """Somebody agreed in the patient's place. Who, the signed form says; a receipt names nobody."""

    relation: Relation


@dataclass(frozen=True, slots=True)
class ByWaiver:
    """An ethics committee decided that consent need not be asked for."""

    decision_digest: Digest
    """Digest of the decision's document (``ethics_decision_digest``)."""
    decided_on: date


Giver: TypeAlias = ByPatient | ByGuardian | ByWaiver
BY_PATIENT = ByPatient()
_KINDS: Mapping[type[Giver], GivenBy] = {ByPatient: "patient", ByGuardian: "guardian", ByWaiver: "waiver"}


@dataclass(frozen=True, slots=True)
class ConsentReceipt:
    """One patient's consent."""

    receipt_id: Digest
    """Random, made when the consent was given."""
    site_id: SiteId
    patient: str
    """The site's own identifier of the patient; stays at the site."""
    purposes: tuple[str, ...]
    """DUO codes, sorted."""
    language: str
    """BCP 47 tag of the text that was shown."""
    notice_digest: Digest
    """Digest of the text that was shown."""
    notice_version: str
    method: Method
    asked_by: str
    """The staff member who asked."""
    witness: AccountAddress
    """The key of the staff member who witnessed and signs."""
    granted_at: int
    """Seconds since 1970."""
    expires_at: int
    """Seconds since 1970."""
    giver: Giver = BY_PATIENT
    second_factor: SecondFactor = NO_SECOND_FACTOR

    def __post_init__(self) -> None:
        if not self.purposes or list(self.purposes) != sorted(set(self.purposes)):
            raise MalformedError("a consent receipt names its purposes once each, sorted")
        if unknown := set(self.purposes) - DUO_PURPOSES.keys():
            raise MalformedError(f"purpose {min(unknown)!r} is not known")
        if not 0 <= self.granted_at < self.expires_at:
            raise MalformedError("a consent receipt expires after it was granted")
        if isinstance(self.giver, ByWaiver) is not (self.method == "ethics-decision"):
            raise MalformedError("the method ethics-decision belongs to a waiver, and a waiver to no other")
        if isinstance(self.giver, ByWaiver):
            self._check_waiver(self.giver)

    @property
    def given_by(self) -> GivenBy:
        """Who agreed, as the trail counts it."""
        return _KINDS[type(self.giver)]

    def covers(self, purpose: str) -> bool:
        """Whether data may be used for a purpose under this receipt."""
        return not _ALLOWED_BY[purpose].isdisjoint(self.purposes)

    def digest(self) -> Digest:
        """Digest of the canonical receipt; this is what the witness signs."""
        return digest_of("consent-receipt", encode_receipt(self))

    def _check_waiver(self, waiver: ByWaiver) -> None:
        if isinstance(self.second_factor, PatientCode):
            raise MalformedError("nobody gave a patient's code under a waiver")
        # A day of grace: the decision bears a local date, which may be one ahead of UTC's.
        if waiver.decided_on > datetime.fromtimestamp(self.granted_at + DAY_SECONDS, UTC).date():
            raise MalformedError("a waiver cannot come before the decision that it rests on")


def purposes_allowing(purpose: str) -> Collection[str]:
    """The codes of which a receipt must name at least one so that data may be used for a purpose.

    Raises:
        KeyError: Not one of ``DUO_PURPOSES``.
    """
    return sorted(_ALLOWED_BY[purpose])


def ethics_decision_digest(document: bytes) -> Digest:
    """Digest of the document in which an ethics committee waived consent."""
    return digest_of("ethics-decision", document)


def encode_receipt(receipt: ConsentReceipt) -> bytes:
    """The one encoding of a receipt."""
    return encode(
        {
            "version": RECEIPT_VERSION,
            "record_id": receipt.receipt_id.hex(),
            "pii_controller": receipt.site_id.hex(),
            "pii_principal": receipt.patient,
            "processing": {
                "purposes": list(receipt.purposes),
                "pii_categories": ["handwriting-of-medicine-names"],
                "operations": ["federated-training"],
            },
            "notice": {
                "digest": receipt.notice_digest.hex(),
                "version": receipt.notice_version,
                "language": receipt.language,
            },
            "event": {
                "state": "given",
                "method": receipt.method,
                "given_by": _giver_value(receipt.giver),
                "second_factor": factor_value(receipt.second_factor),
                "asked_by": receipt.asked_by,
                "witness": receipt.witness.hex(),
                "granted_at": receipt.granted_at,
                "expires_at": receipt.expires_at,
            },
        }
    )


def parse_receipt(data: bytes) -> ConsentReceipt:
    """The receipt of canonical bytes.

    Raises:
        MalformedError: Not the one encoding of a receipt.
    """
    top = frozenset({"version", "record_id", "pii_controller", "pii_principal", "processing", "notice", "event"})
    fields = expect_object(parse(data), top)
    if fields["version"] != RECEIPT_VERSION:
        raise MalformedError(f"consent receipt version {fields['version']} is not known")
    processing = expect_object(fields["processing"], frozenset({"purposes", "pii_categories", "operations"}))
    notice = expect_object(fields["notice"], frozenset({"digest", "version", "language"}))
    event_keys = {"state", "method", "given_by", "second_factor", "asked_by", "witness", "granted_at", "expires_at"}
    event = expect_object(fields["event"], frozenset(event_keys))
    method = expect_str(event["method"])
    if method not in get_args(Method):
        raise MalformedError(f"consent method {method!r} is not known")
    receipt = ConsentReceipt(
        receipt_id=Digest.from_hex(expect_str(fields["record_id"])),
        site_id=SiteId.from_hex(expect_str(fields["pii_controller"])),
        patient=expect_str(fields["pii_principal"]),
        purposes=tuple(expect_str(code) for code in expect_list(processing["purposes"])),
        language=expect_str(notice["language"]),
        notice_digest=Digest.from_hex(expect_str(notice["digest"])),
        notice_version=expect_str(notice["version"]),
        method=cast("Method", method),
        asked_by=expect_str(event["asked_by"]),
        witness=AccountAddress.from_hex(expect_str(event["witness"])),
        granted_at=expect_int(event["granted_at"]),
        expires_at=expect_int(event["expires_at"]),
        giver=_parse_giver(event["given_by"]),
        second_factor=parse_factor(event["second_factor"]),
    )
    if encode_receipt(receipt) != data:
        raise MalformedError("the consent receipt is not in its canonical form")
    return receipt


def _giver_value(giver: Giver) -> JSONValue:
    match giver:
        case ByPatient():
            return {"kind": "patient"}
        case ByGuardian(relation):
            return {"kind": "guardian", "relation": relation}
        case ByWaiver(decision_digest, decided_on):
            return {
                "kind": "waiver",
                "decision_digest": decision_digest.hex(),
                "decided_on": decided_on.isoformat(),
            }


def _parse_giver(value: JSONValue) -> Giver:
    kind = value.get("kind") if isinstance(value, dict) else None
    if kind == "patient":
        expect_object(value, frozenset({"kind"}))
        return BY_PATIENT
    if kind == "guardian":
        relation = expect_str(expect_object(value, frozenset({"kind", "relation"}))["relation"])
        if relation not in RELATIONS:
            raise MalformedError(f"a guardian's relation {relation!r} is not known")
        return ByGuardian(relation)
    if kind == "waiver":
        fields = expect_object(value, frozenset({"kind", "decision_digest", "decided_on"}))
        try:
            decided_on = date.fromisoformat(expect_str(fields["decided_on"]))
        except ValueError as error:
            raise MalformedError("the date of an ethics decision is none") from error
        return ByWaiver(Digest.from_hex(expect_str(fields["decision_digest"])), decided_on)
    raise MalformedError("who gave the consent is not known")
