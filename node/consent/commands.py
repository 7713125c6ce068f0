"""``fedrx node consent …``: what a patient agreed to."""

from __future__ import annotations

import time
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gateways.data_folder import require_writable, write_atomically
from node.command_options import DEFAULT_CONFIG, FEATURES, Config, originals_of, out, quarantine_of, talk
from node.consent import format_commands as consent_format_commands
from node.consent import inspection as consent_inspection
from node.consent import print_command as consent_print_command
from node.consent.copy import patient_copy
from node.consent.desk import day_of, pending_withdrawals
from node.consent.enrolment_commands import consent_enrol
from node.consent.erasure import erase_for_good
from node.consent.grant import MAX_FORM_BYTES, Grant, PatientProof, StaffProof
from node.consent.inspection import Patient, desk_of, print_traces, traces_from_chain
from node.consent.notice import load_notice, shipped_notice
from node.consent.publication import publish_pending
from node.consent.restored_command import consent_restored
from node.keys.rotation import require_listed
from node.site import Site, open_site
from node.store.local_store import check_patient
from protocol.consent import SignedReceipt
from protocol.consent_receipt import (
    BY_PATIENT,
    DUO_PURPOSES,
    ByGuardian,
    ByWaiver,
    Giver,
    Relation,
    ethics_decision_digest,
    purposes_allowing,
)
from protocol.errors import ConfigError, LedgerError, StoreError

consent_app = typer.Typer(no_args_is_help=True, help="What patients agreed to, and withdrawals.")
consent_app.command("enrol")(consent_enrol)
consent_app.command("restored")(consent_restored)
consent_inspection.add_to(consent_app)
consent_format_commands.add_to(consent_app)
consent_print_command.add_to(consent_app)

Patients = Annotated[list[str], typer.Argument(help="The site's identifiers of the patients.")]
_PURPOSE_HELP = "Purpose, repeatable: " + "; ".join(f"{code} {text}" for code, text in sorted(DUO_PURPOSES.items()))


class MethodChoice(StrEnum):
    """How consent was given."""

    SIGNED_FORM = "signed-form"
    VERBAL_WITNESSED = "verbal-witnessed"


@consent_app.command()
def grant(
    patients: Patients,
    witness: Annotated[str, typer.Option(help="Staff member who was present and signs.")],
    asked_by: Annotated[str, typer.Option(help="Staff member who asked.")],
    purpose: Annotated[list[str] | None, typer.Option(help=_PURPOSE_HELP)] = None,
    method: Annotated[MethodChoice, typer.Option(help="How it was given.")] = MethodChoice.SIGNED_FORM,
    days: Annotated[int | None, typer.Option(help="How long it lasts; from the settings when not given.")] = None,
    language: Annotated[str | None, typer.Option(help="Of the text that was shown; from the settings.")] = None,
    notice: Annotated[Path | None, typer.Option(help="The text that was shown, when it is the site's own.")] = None,
    code: Annotated[str | None, typer.Option(help="What the patient's authenticator shows now.")] = None,
    staff: Annotated[str | None, typer.Option(help="Whose code --staff-code is; the witness when not given.")] = None,
    staff_code: Annotated[str | None, typer.Option(help="Without a telephone: a staff member's code.")] = None,
    form: Annotated[Path | None, typer.Option(help="With --staff-code: the scan of the signed form.")] = None,
    guardian: Annotated[Relation | None, typer.Option(help="Who agreed in the patient's place.")] = None,
    waiver: Annotated[Path | None, typer.Option(help="The ethics committee's decision that waives consent.")] = None,
    decided_on: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="With --waiver: the decision's date.")
    ] = None,
    receipt: Annotated[Path | None, typer.Option(help="Write the patient's signed consent receipt here.")] = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Records consents: for each patient the witness's key signs a consent receipt, kept at the site."""
    if len(patients) > 1 and (receipt or code or staff_code):
        raise ConfigError(
            "a code, a form or a file belongs to one patient", hint="record one patient at a time with these options"
        )
    giver = _giver(guardian, waiver, None if decided_on is None else decided_on.date())
    proof = _proof(code, staff or witness, staff_code, form, waiver)
    if receipt is not None:
        require_writable(receipt)
    with open_site(config) as site:
        require_listed(site, witness)
        desk, settings = desk_of(site), site.settings.consent
        tongue = language or settings.language
        text = shipped_notice(tongue) if notice is None else load_notice(notice, tongue)
        for patient in patients:
            agreed = Grant(
                patient=patient,
                purposes=tuple(purpose or [settings.purpose]),
                notice=text,
                method="ethics-decision" if waiver else method.value,
                asked_by=asked_by,
                witness=witness,
                validity_days=settings.validity_days if days is None else days,
                giver=giver,
                proof=proof,
            )
            signed = desk.grant(agreed, int(time.time()))
            out.print(f"consent receipt {signed.receipt.receipt_id}", soft_wrap=True)
            talk.print(f"in force until {day_of(signed.receipt.expires_at)}")
            if receipt is not None:
                _hand_out(signed, site, receipt)
    if not signed.receipt.covers(settings.purpose):
        allowing = " or ".join(purposes_allowing(settings.purpose))
        talk.print(f"no word trains under it: that takes {allowing}", soft_wrap=True)


@consent_app.command()
def withdraw(patient: Patient, config: Config = DEFAULT_CONFIG) -> None:
    """Records a withdrawal: the patient's words stop training at once; the chain is told now, or by the daemon."""
    with open_site(config) as site:
        count = desk_of(site).withdraw(patient, int(time.time()))
        talk.print(f"{count} consent receipt{'' if count == 1 else 's'} withdrawn", soft_wrap=True)
        _tell_the_chain(site)
        print_traces(traces_from_chain(site, check_patient(patient)), site.lineage_ids)


@consent_app.command()
def erase(
    patient: Patient,
    config: Config = DEFAULT_CONFIG,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Forgets a patient for good: withdraws, then deletes their key, words, pages and consent receipts.

    Backups of the data folder from before still hold them until they expire.
    """
    if not yes and not typer.confirm("Erase everything about this patient? It cannot be undone."):
        raise typer.Exit(1)
    with open_site(config) as site:
        print_traces(traces_from_chain(site, check_patient(patient)), site.lineage_ids)
        erasure = erase_for_good(
            desk_of(site),
            patient,
            int(time.time()),
            originals=originals_of(site),
            quarantine=quarantine_of(site),
            features=site.folder / FEATURES,
        )
        _tell_the_chain(site)
    talk.print(f"{len(erasure.word_ids)} words and {erasure.files} files erased")
    if not erasure.log_emptied:
        talk.print("another process was reading: deleted rows leave the database's log at its next checkpoint")


@consent_app.command("notice")
def print_notice(
    language: Annotated[str, typer.Option(help="Language tag, such as en.")] = "en",
) -> None:
    """Prints the text that is shown to patients."""
    typer.echo(shipped_notice(language).text, nl=False)


def _hand_out(signed: SignedReceipt, site: Site, path: Path) -> None:
    """Writes the patient's copy; a failure says that the consent stands, so that nobody records it again."""
    try:
        write_atomically(path, patient_copy(signed, site.identity))
    except StoreError as error:
        raise StoreError(
            f"the consent is recorded, only its copy is not written: {error.what}",
            hint="do not record it again: fedrx node consent export PATIENT -o FILE writes the copy",
        ) from error


def _tell_the_chain(site: Site) -> None:
    """Publishes a recorded withdrawal at once where that is possible; it is never lost where it is not."""
    try:
        tx_hash = publish_pending(site)
    except LedgerError as error:
        talk.print(f"the daemon will tell the chain when it can: {error}", soft_wrap=True)
        return
    if tx_hash is not None:
        talk.print(f"the chain was told in {tx_hash}", soft_wrap=True)
    elif pending_withdrawals(site.store):
        talk.print("the daemon tells the chain at its next step", soft_wrap=True)


def _giver(guardian: Relation | None, waiver: Path | None, decided_on: date | None) -> Giver:
    if (waiver is None) is not (decided_on is None):
        raise ConfigError("a waiver rests on a decision and its date", hint="give --waiver FILE and --decided-on DATE")
    if guardian is not None and waiver is not None:
        raise ConfigError("consent is either a guardian's or waived", hint="give --guardian or --waiver")
    if waiver is not None and decided_on is not None:
        return ByWaiver(ethics_decision_digest(_scan(waiver)), decided_on)
    return BY_PATIENT if guardian is None else ByGuardian(guardian)


def _proof(
    code: str | None, staff: str, staff_code: str | None, form: Path | None, waiver: Path | None
) -> PatientProof | StaffProof | None:
    if code is not None and (staff_code is not None or form is not None):
        raise ConfigError("a consent has one second factor", hint="give --code, or --staff-code and --form")
    if code is not None:
        return PatientProof(code)
    if staff_code is None:
        if form is not None:
            raise ConfigError("a signed form stands beside a staff member's code", hint="give --staff-code")
        return None
    # Under a waiver nobody signs: what is kept as evidence is the decision.
    scanned = form or waiver
    if scanned is None:
        raise ConfigError("a staff member's code stands beside a signed form", hint="give its scan with --form")
    return StaffProof(staff, staff_code, _scan(scanned))


def _scan(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_FORM_BYTES:
            raise ConfigError(f"{path} is over {MAX_FORM_BYTES >> 20} MiB", hint="scan it in grey at 200 dots an inch")
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror})", hint="check the path") from error
