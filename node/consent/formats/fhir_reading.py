"""How Consent resources of FHIR R4B and R5 are read: what is understood, and what must be refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from node.consent.formats.fhir_writing import (
    ASKED_BY,
    DUO_SYSTEMS,
    GIVEN_BY,
    METHOD,
    NOTICE,
    PATIENT_SYSTEM,
    RECEIPT_SYSTEM,
    SECOND_FACTOR,
    WITHDRAWN_AT,
    limits,
)
from node.consent.formats.giver_and_factor import factor_of, giver_of, kind_of
from node.consent.formats.instants import start_of
from node.consent.formats.record import ASK_HERE
from protocol.consent_receipt import DUO_PURPOSES
from protocol.errors import ConsentError
from protocol.identifiers import AccountAddress, Digest, SiteId

if TYPE_CHECKING:
    from collections.abc import Iterable

    from node.consent.formats.document import Document, Path
    from protocol.consent_receipt import GivenBy, Giver

NARROWS = "a consent here cannot be limited so: ask the patient here, with fedrx node consent grant"


def refuse_modifiers(document: Document) -> None:
    """Refuses what FHIR forbids to overlook: elements that change the meaning of others.

    Raises:
        ConsentError: There is one.
    """
    for leaf in document.leaves():
        if {"modifierExtension", "implicitRules"} & set(leaf):
            raise ConsentError("the document's meaning is changed by a modifier that is not known here", hint=NARROWS)


def refuse_other_keys(document: Document, path: Path, known: Iterable[str]) -> None:
    """Refuses a rule that is narrower than a receipt can say.

    Raises:
        ConsentError: The object at ``path`` has a key that is not known; ids, texts and plain extensions do not count.
    """
    found = document.peek(*path)
    for key in found if isinstance(found, dict) else ():
        if key not in known and key not in {"id", "extension"} and not key.startswith("_"):
            raise ConsentError(f"the document limits the consent by its {key}", hint=NARROWS)


def refuse_other_limits(document: Document, path: Path) -> None:
    """Refuses a rule about other actions or data than a receipt's.

    Raises:
        ConsentError: ``action`` or ``code`` name something else.
    """
    for key, ours in limits().items():
        found = document.peek(*path, key)
        if found is not None and found != ours:
            raise ConsentError(f"the document limits the consent by its {key}", hint=NARROWS)
        document.mark(*path, key)


def read_purposes(document: Document, path: Path) -> tuple[str, ...]:
    """The DUO codes among a list of codings, sorted. Codes of other systems allow nothing here and stay unread.

    Raises:
        ConsentError: A DUO code that is not a purpose here: many of them are conditions.
    """
    codes = set()
    for item in document.items(*path):
        if document.peek(*item, "system") in DUO_SYSTEMS:
            code = document.require(*item, "code").replace("_", ":")
            if code not in DUO_PURPOSES:
                raise ConsentError(f"the document says {code}, which has no place in a consent here", hint=NARROWS)
            document.mark(*item)
            codes.add(code)
    return tuple(sorted(codes))


def has_coding(document: Document, concepts: Iterable[Path], system: str, *codes: str) -> bool:
    """Whether one of several CodeableConcepts has one of the codes; its coding then counts as read."""
    for concept in concepts:
        for item in document.items(*concept, "coding"):
            if document.peek(*item, "system") == system and document.peek(*item, "code") in codes:
                document.mark(*item)
                return True
    return False


def extension_at(document: Document, url: str, *path: str | int) -> Path | None:
    """Where the extension of a name stands below a place."""
    for item in document.items(*path, "extension"):
        if document.peek(*item, "url") == url:
            document.mark(*item, "url")
            return item
    return None


def extension_text(document: Document, url: str, value: str, *path: str | int) -> str | None:
    """The text of a simple extension below a place."""
    at = extension_at(document, url, *path)
    return None if at is None else document.require(*at, value)


def extension_texts(document: Document, url: str, *path: str | int) -> dict[str, str] | None:
    """The named texts of an extension below a place."""
    at = extension_at(document, url, *path)
    if at is None:
        return None
    return {
        document.require(*item, "url"): document.require(*item, "valueString")
        for item in document.items(*at, "extension")
    }


def identifier_in(document: Document, system: str, *path: str | int) -> str | None:
    """The value of a reference's identifier when it is of one of our systems."""
    if document.peek(*path, "identifier", "system") != system:
        return None
    document.mark(*path, "identifier", "system")
    document.mark(*path, "type")
    return document.text(*path, "identifier", "value")


def read_patient(document: Document, *path: str | int) -> str | None:
    """The patient's identifier, when it is not said to be another system's; a link to a resource is none."""
    if document.peek(*path, "identifier", "system") is not None:
        return identifier_in(document, PATIENT_SYSTEM, *path)
    return document.text(*path, "identifier", "value")


def read_common(document: Document, witness: str | None, site: str | None, attachment: Path) -> dict[str, Any]:
    """The fields of a ``ReadConsent`` that both versions say in the same words.

    Args:
        document: The resource.
        witness: The account of the witness, hex.
        site: The id of the site, hex.
        attachment: Where the text that was shown is described.
    """
    factor = extension_texts(document, SECOND_FACTOR, "verification", 0)
    giver = extension_texts(document, GIVEN_BY)
    notice = extension_texts(document, NOTICE, *attachment) or {}
    withdrawn_at = extension_text(document, WITHDRAWN_AT, "valueDateTime")
    receipt_id = identifier_in_list(document, RECEIPT_SYSTEM, "identifier")
    document.mark(*attachment, "contentType")
    return {
        "active": document.require("status") == "active",
        "language": document.text(*attachment, "language"),
        "method": extension_text(document, METHOD, "valueCode"),
        "asked_by": extension_text(document, ASKED_BY, "valueString"),
        "withdrawn_at": None if withdrawn_at is None else start_of(withdrawn_at),
        "giver": None if giver is None else giver_of(giver),
        "second_factor": None if factor is None else factor_of(factor),
        "receipt_id": None if receipt_id is None else Digest.from_hex(receipt_id),
        "site_id": None if site is None else SiteId.from_hex(site),
        "witness": None if witness is None else AccountAddress.from_hex(witness),
        "notice_digest": None if "digest" not in notice else Digest.from_hex(notice["digest"]),
        "notice_version": notice.get("version"),
    }


def identifier_in_list(document: Document, system: str, *path: str | int) -> str | None:
    """The value of the identifier of a system, in a list of them."""
    for item in document.items(*path):
        if document.peek(*item, "system") == system:
            document.mark(*item)
            return document.text(*item, "value")
    return None


def read_given_by(document: Document, giver: Giver | None, giver_path: Path, *, waived: bool) -> GivenBy | None:
    """Who agreed, as far as the document says: by our extension, by its basis, or by the kind of its reference.

    Args:
        document: The resource.
        giver: What our extension says.
        giver_path: Where the first of those who agreed stands in their list.
        waived: Whether the basis is a waiver.

    Returns:
        None when the document names nobody.

    Raises:
        ConsentError: Several agreed, or somebody of whom the document does not say whether it is the patient.
    """
    if len(list(document.items(*giver_path[:-1]))) > 1:
        raise ConsentError("the document names several who gave the consent", hint=ASK_HERE)
    if giver is not None:
        document.mark(*giver_path)
        return kind_of(giver)
    if waived:
        return "waiver"
    if document.peek(*giver_path) is None:
        return None
    kinds = {document.peek(*giver_path, "type"), _kind_in(document.peek(*giver_path, "reference"))} - {None}
    if kinds == {"Patient"}:
        document.mark(*giver_path)
        return "patient"
    if kinds == {"RelatedPerson"}:
        document.mark(*giver_path, "type")
        return "guardian"
    raise ConsentError("the document does not say whether the patient or a guardian gave the consent", hint=ASK_HERE)


def _kind_in(reference: str | None) -> str | None:
    """The kind of resource that a reference names: ``Patient/7``, also below a server's URL and with a version.

    A URN and a part of the same document name none.
    """
    segments = (reference or "").split("/_history/")[0].split("/")
    return segments[-2] if len(segments) > 1 else None
