"""``fedrx node consent export | import``: consents for, and from, other systems (docs/spec/consent-formats.md)."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from gateways.data_folder import write_atomically
from node.command_options import DEFAULT_CONFIG, Config, out, talk
from node.consent.copy import patient_copy
from node.consent.desk import day_of
from node.consent.formats.document import MAX_DOCUMENT_BYTES
from node.consent.formats.fhir_r4b import encode_r4b
from node.consent.formats.fhir_r5 import encode_r5
from node.consent.formats.proposal import ProposedGrant, grant_command, propose, read_foreign
from node.consent.formats.record import ConsentRecord
from node.consent.formats.ts27560 import encode_ts27560
from node.consent.grant import Grant
from node.consent.inspection import Patient, desk_of, one_receipt
from node.consent.notice import shipped_notice
from node.keys.rotation import require_listed
from node.site import open_site
from node.store.withdrawals import withdrawal_times
from protocol.consent_receipt import BY_PATIENT, ByGuardian
from protocol.errors import ConfigError, ConsentError

if TYPE_CHECKING:
    from node.site import Site
    from protocol.consent import SignedReceipt


class ConsentFormat(StrEnum):
    """What another system takes."""

    FHIR_R4B = "fhir-r4b"
    FHIR_R5 = "fhir-r5"
    TS27560 = "ts27560"
    RECEIPT = "receipt"
    """The signed consent receipt itself, the one that can be verified."""


_ENCODERS = {
    ConsentFormat.FHIR_R4B: encode_r4b,
    ConsentFormat.FHIR_R5: encode_r5,
    ConsentFormat.TS27560: encode_ts27560,
}


def add_to(app: typer.Typer) -> None:
    """Mounts the commands of this module."""
    app.command("export")(export_consent)
    app.command("import")(import_consent)


def export_consent(
    patient: Patient,
    output: Annotated[Path, typer.Option("--out", "-o", help="The file to write, of mode 0600.")],
    consent_format: Annotated[ConsentFormat, typer.Option("--format", help="What to write.")] = ConsentFormat.RECEIPT,
    receipt: Annotated[str | None, typer.Option(help="Which consent receipt, by its first digits; the latest.")] = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Writes one consent for another system. WARNING: it holds the patient's identifier in clear."""
    with open_site(config) as site:
        found = desk_of(site).receipts(patient)
        if not found:
            raise ConsentError("this patient has given no consent", hint="see fedrx node consent list")
        stored = found[-1] if receipt is None else one_receipt(found, receipt)
        signed = stored.entry.signed
        if consent_format is ConsentFormat.RECEIPT:
            data = patient_copy(signed, site.identity)
        else:
            with site.store.read() as transaction:
                withdrawn_at = withdrawal_times(transaction).get(bytes(signed.receipt.receipt_id))
            data = _ENCODERS[consent_format](ConsentRecord(signed.receipt, withdrawn_at))
    write_atomically(output, data)
    talk.print(f"consent receipt {signed.receipt.receipt_id} in {output}", markup=False, soft_wrap=True)
    talk.print("WARNING: the file holds patient data in clear; delete it when it is no longer needed", soft_wrap=True)


def import_consent(
    file: Annotated[Path, typer.Argument(help="A FHIR Consent (R4B or R5) or an ISO/IEC TS 27560 record, as JSON.")],
    patient: Annotated[str | None, typer.Option(help="The site's identifier, when the document has another.")] = None,
    witness: Annotated[str | None, typer.Option(help="Record it now: the staff member who was present.")] = None,
    asked_by: Annotated[str | None, typer.Option(help="Who asked, when the document does not say.")] = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Proposes a grant from another system's consent document; it is none until a witness here signs.

    Without --witness it prints the command to run. With it, the witness says that the patient was shown the notice here
    and confirmed.
    """
    data = _document(file)
    now = int(time.time())
    with open_site(config) as site:
        consent = read_foreign(data)
        proposed = propose(consent, site.site_id, now)
        proposed = proposed.with_said(patient=patient, asked_by=asked_by)
        for place in consent.dropped:
            talk.print(f"left out: {place}", markup=False, soft_wrap=True)
        if witness is None:
            typer.echo(grant_command(proposed, config))
            talk.print("no consent yet: it takes the patient's word and a witness", soft_wrap=True)
            return
        signed = _record(site, proposed, witness, now)
    out.print(f"consent receipt {signed.receipt.receipt_id}", soft_wrap=True)
    talk.print(f"in force until {day_of(signed.receipt.expires_at)}")


def _record(site: Site, proposed: ProposedGrant, witness: str, now: int) -> SignedReceipt:
    if proposed.patient is None:
        raise ConfigError("the document does not name the patient by this site's identifier", hint="give --patient")
    if proposed.asked_by is None:
        raise ConfigError("the document does not say who asked", hint="give --asked-by")
    if proposed.by_guardian and proposed.relation is None:
        raise ConfigError(
            "the document does not say how the guardian stands to the patient",
            hint="run the command that is printed without --witness",
        )
    require_listed(site, witness)
    settings = site.settings.consent
    agreed = Grant(
        patient=proposed.patient,
        purposes=proposed.purposes,
        notice=shipped_notice(proposed.language or settings.language),
        method=cast("Literal['signed-form', 'verbal-witnessed']", proposed.method or "verbal-witnessed"),
        asked_by=proposed.asked_by,
        witness=witness,
        validity_days=settings.validity_days if proposed.days is None else proposed.days,
        giver=BY_PATIENT if proposed.relation is None else ByGuardian(proposed.relation),
    )
    return desk_of(site).grant(agreed, now)


def _document(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_DOCUMENT_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror})", hint="check the path") from error
