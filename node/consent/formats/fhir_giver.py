"""Who gave the consent of a FHIR document: whatever says it there must say the same, else the document is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from node.consent.formats.giver_and_factor import kind_of
from node.consent.formats.record import ASK_HERE, CONTRADICTS
from protocol.consent_receipt import RELATIONS, ByGuardian
from protocol.errors import ConsentError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from node.consent.formats.document import Document, Path
    from protocol.consent_receipt import GivenBy, Giver


def read_given_by(
    document: Document, giver: Giver | None, givers: Path, patient: Path, *, waived: bool
) -> GivenBy | None:
    """Who agreed: as our extension, the basis and the reference to a person say with one voice.

    Args:
        document: The resource.
        giver: What our extension says.
        givers: Where the list of those who agreed stands.
        patient: Where the reference to the patient stands.
        waived: Whether the basis is a waiver.

    Returns:
        None when the document names nobody.

    Raises:
        ConsentError: Several agreed, somebody who is not shown to be the patient or a guardian, or the places differ.
    """
    said: set[GivenBy] = set()
    if giver is not None:
        said.add(kind_of(giver))
    if waived:
        said.add("waiver")
    named = list(document.items(*givers))
    if len(named) > 1:
        raise ConsentError("the document names several who gave the consent", hint=ASK_HERE)
    for place in named:
        said.add(_kind_at(document, place, patient))
        _read_relation(document, giver, place)
    if len(said) > 1:
        raise ConsentError(CONTRADICTS, hint=ASK_HERE)
    return next(iter(said), None)


def _kind_at(document: Document, place: Path, patient: Path) -> GivenBy:
    """Whom a reference names."""
    kinds = {document.peek(*place, "type"), _kind_in(document.peek(*place, "reference"))} - {None}
    if kinds == {"RelatedPerson"}:
        document.mark(*place, "type")
        return "guardian"
    if kinds != {"Patient"}:
        raise ConsentError(
            "the document does not say whether the patient or a guardian gave the consent", hint=ASK_HERE
        )
    shared = list(_shared(document, place, patient))
    if not shared or not all(shared):
        raise ConsentError(
            "the document does not say that the patient who gave the consent is the one whom it is about",
            hint=ASK_HERE,
        )
    document.mark(*place)
    return "patient"


def _shared(document: Document, one: Path, other: Path) -> Iterator[bool]:
    """For the link and the number of two references, where both have one of the same system: whether it is the same.

    A relative link and a whole URL are not the same: where the document was served is not known here.
    """
    links = [document.peek(*place, "reference") for place in (one, other)]
    if None not in links:
        yield _unversioned(links[0]) == _unversioned(links[1])
    numbers = [document.peek(*place, "identifier", "value") for place in (one, other)]
    systems = [document.peek(*place, "identifier", "system") for place in (one, other)]
    if None not in numbers and systems[0] == systems[1]:
        yield numbers[0] == numbers[1]


def _read_relation(document: Document, giver: Giver | None, place: Path) -> None:
    """Compares the relation in our extension with the name of the reference, where that is a relation too."""
    shown = document.peek(*place, "display")
    if not isinstance(giver, ByGuardian) or shown not in RELATIONS:
        return
    if shown != giver.relation:
        raise ConsentError(CONTRADICTS, hint=ASK_HERE)
    document.mark(*place, "display")


def _kind_in(reference: str | None) -> str | None:
    """The kind of resource that a reference names: ``Patient/7``, also below a server's URL and with a version.

    A URN and a part of the same document name none.
    """
    segments = _unversioned(reference or "").split("/")
    return segments[-2] if len(segments) > 1 else None


def _unversioned(reference: str) -> str:
    return reference.split("/_history/", maxsplit=1)[0]
