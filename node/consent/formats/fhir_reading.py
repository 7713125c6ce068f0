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
from node.consent.formats.giver_and_factor import factor_of, giver_of
from node.consent.formats.instants import start_of
from protocol.consent_receipt import DUO_PURPOSES
from protocol.errors import ConsentError, MalformedError
from protocol.foreign_text import one_line
from protocol.identifiers import AccountAddress, Digest, SiteId

if TYPE_CHECKING:
    from collections.abc import Iterable

    from node.consent.formats.document import Document, Path

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
            raise ConsentError(f"the document limits the consent by its {one_line(key)}", hint=NARROWS)


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
                raise ConsentError(
                    f"the document says {one_line(code)}, which has no place in a consent here", hint=NARROWS
                )
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
    """Where the extension of a name stands below a place; None without one.

    Raises:
        MalformedError: It stands there twice: the two could contradict each other.
    """
    found = [item for item in document.items(*path, "extension") if document.peek(*item, "url") == url]
    if not found:
        return None
    if len(found) > 1:
        raise MalformedError(f"the document has the extension {url} twice")
    document.mark(*found[0], "url")
    return found[0]


def extension_text(document: Document, url: str, value: str, *path: str | int) -> str | None:
    """The text of a simple extension below a place."""
    at = extension_at(document, url, *path)
    return None if at is None else document.require(*at, value)


def extension_texts(document: Document, url: str, *path: str | int) -> dict[str, str] | None:
    """The named texts of an extension below a place.

    Raises:
        MalformedError: A name stands there twice.
    """
    at = extension_at(document, url, *path)
    if at is None:
        return None
    items = list(document.items(*at, "extension"))
    texts = {document.require(*item, "url"): document.require(*item, "valueString") for item in items}
    if len(texts) < len(items):
        raise MalformedError(f"the document says something in the extension {url} twice")
    return texts


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
