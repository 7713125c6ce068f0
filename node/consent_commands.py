"""``fedrx node consent …``: what a patient agreed to."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from gateways.data_folder import store_error, write_atomically
from node.command_options import (
    DEFAULT_CONFIG,
    FEATURES,
    AsJSON,
    Config,
    originals_of,
    out,
    print_json,
    quarantine_of,
    table_of,
    talk,
)
from node.consent_desk import (
    DEFAULT_PURPOSES,
    TRAINING_PURPOSES,
    WITNESS_PREFIX,
    ConsentDesk,
    Grant,
    day_of,
    pending_withdrawals,
)
from node.consent_publication import publish_pending
from node.notice import load_notice, shipped_notice
from node.site import Site, open_site
from node.store_receipts import StoredReceipt
from protocol.canonical_json import encode, parse
from protocol.consent import DUO_PURPOSES, SignedReceipt, encode_receipt
from protocol.errors import ConfigError, LedgerError
from protocol.ports import ChainIdentity

consent_app = typer.Typer(no_args_is_help=True, help="What patients agreed to, and withdrawals.")
witness_app = typer.Typer(no_args_is_help=True, help="Staff members who witness consent and sign receipts.")
consent_app.add_typer(witness_app, name="witness")

Patient = Annotated[str, typer.Argument(help="The site's identifier of the patient.")]
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
    purpose: Annotated[list[str], typer.Option(help=_PURPOSE_HELP)] = list(DEFAULT_PURPOSES),  # noqa: B006
    method: Annotated[MethodChoice, typer.Option(help="How it was given.")] = MethodChoice.SIGNED_FORM,
    days: Annotated[int | None, typer.Option(help="How long it lasts; from the settings when not given.")] = None,
    language: Annotated[str | None, typer.Option(help="Of the text that was shown; from the settings.")] = None,
    notice: Annotated[Path | None, typer.Option(help="The text that was shown, when it is the site's own.")] = None,
    receipt: Annotated[Path | None, typer.Option(help="Write the patient's copy of the signed receipt here.")] = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Records consents: for each patient the witness's key signs a receipt, which stays at the site."""
    if receipt is not None and len(patients) > 1:
        raise ConfigError("one file cannot hold several receipts", hint="record one patient at a time with --receipt")
    with open_site(config) as site:
        desk, tongue = _desk(site), language or site.settings.consent.language
        text = shipped_notice(tongue) if notice is None else load_notice(notice, tongue)
        for patient in patients:
            agreed = Grant(
                patient=patient,
                purposes=tuple(purpose),
                notice=text,
                method=method.value,
                asked_by=asked_by,
                witness=witness,
                validity_days=site.settings.consent.validity_days if days is None else days,
            )
            signed = desk.grant(agreed, int(time.time()))
            if receipt is not None:
                write_atomically(receipt, patient_copy(signed, site.identity))
            out.print(f"receipt {signed.receipt.receipt_id}", soft_wrap=True)
            talk.print(f"in force until {day_of(signed.receipt.expires_at)}")
    if not TRAINING_PURPOSES & set(purpose):
        talk.print(f"no word trains under it: that takes {' or '.join(sorted(TRAINING_PURPOSES))}", soft_wrap=True)


@consent_app.command()
def withdraw(patient: Patient, config: Config = DEFAULT_CONFIG) -> None:
    """Records a withdrawal: the patient's words stop training at once; the chain is told now, or by the daemon."""
    with open_site(config) as site:
        count = _desk(site).withdraw(patient, int(time.time()))
        talk.print(f"{count} receipts withdrawn", soft_wrap=True)
        _tell_the_chain(site)


@consent_app.command()
def erase(
    patient: Patient,
    config: Config = DEFAULT_CONFIG,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Forgets a patient for good: withdraws, then deletes their key, words, pages and receipts.

    Backups of the data folder from before still hold them until they expire.
    """
    if not yes and not typer.confirm("Erase everything about this patient? It cannot be undone."):
        raise typer.Exit(1)
    with open_site(config) as site:
        erasure = _desk(site).erase(patient, int(time.time()), originals_of(site), quarantine_of(site))
        _forget_features(site.folder / FEATURES, erasure.word_ids)
        _tell_the_chain(site)
    talk.print(f"{len(erasure.word_ids)} words and {erasure.files} files erased")
    if not erasure.log_emptied:
        talk.print("another process was reading: deleted rows leave the database's log at its next checkpoint")


@consent_app.command("list")
def list_receipts(config: Config = DEFAULT_CONFIG, *, as_json: AsJSON = False) -> None:
    """Lists consent receipts, oldest first."""
    with open_site(config) as site:
        found = _desk(site).receipts()
    now = int(time.time())
    if as_json:
        print_json([_value(stored, now) for stored in found])
        return
    table = table_of("receipt", "patient", "state", "granted", "expires", "purposes", "asked by")
    for stored in found:
        receipt = stored.entry.signed.receipt
        cells = (
            str(receipt.receipt_id)[:10], receipt.patient, _state(stored, now), day_of(receipt.granted_at),
            day_of(receipt.expires_at), ", ".join(receipt.purposes), receipt.asked_by,
        )  # fmt: skip
        table.add_row(*map(escape, cells))
    out.print(table)


@consent_app.command("notice")
def print_notice(
    language: Annotated[str, typer.Option(help="Language tag, such as en.")] = "en",
) -> None:
    """Prints the text that is shown to patients."""
    typer.echo(shipped_notice(language).text, nl=False)


@witness_app.command("add")
def witness_add(
    name: Annotated[str, typer.Argument(help="A short name: lower-case letters, digits, dots, hyphens.")],
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Makes a signing key for a staff member. The site's key document must list it before auditors accept it."""
    with open_site(config) as site:
        address = _desk(site).add_witness(name)
    out.print(str(address))


@witness_app.command("list")
def witness_list(config: Config = DEFAULT_CONFIG) -> None:
    """Lists the staff members who have a signing key."""
    with open_site(config) as site:
        names = [name.removeprefix(WITNESS_PREFIX) for name in site.key_ring.names() if name.startswith(WITNESS_PREFIX)]
    for name in names:
        out.print(name, markup=False)


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


def patient_copy(signed: SignedReceipt, identity: ChainIdentity) -> bytes:
    """What a patient takes home: the receipt, its signature, and the deployment that the signature is bound to."""
    return encode(
        {
            "format": "fedrx-signed-consent-receipt/1",
            "receipt": parse(encode_receipt(signed.receipt)),
            "signature": signed.signature.hex(),
            "chain_id": identity.chain_id,
            "contract_address": str(identity.contract_address),
        }
    )


def _desk(site: Site) -> ConsentDesk:
    return ConsentDesk(site.store, site.key_ring, site.identity, site.site_id)


def _state(stored: StoredReceipt, now: int) -> str:
    if stored.in_force(now):
        return "in force"
    return "withdrawn" if stored.state == "withdrawn" else "expired"


def _value(stored: StoredReceipt, now: int) -> dict[str, object]:
    receipt = stored.entry.signed.receipt
    return {
        "receipt": str(receipt.receipt_id),
        "patient": receipt.patient,
        "state": _state(stored, now),
        "purposes": list(receipt.purposes),
        "method": receipt.method,
        "asked_by": receipt.asked_by,
        "witness": str(receipt.witness),
        "notice_version": receipt.notice_version,
        "language": receipt.language,
        "granted_at": receipt.granted_at,
        "expires_at": receipt.expires_at,
    }


def _forget_features(folder: Path, word_ids: tuple[bytes, ...]) -> None:
    """Removes what the daemon cached of the words; a daemon that runs does the same at its next step."""
    try:
        for word_id in word_ids:
            (folder / word_id.hex()).unlink(missing_ok=True)
    except OSError as error:
        raise store_error(error, folder) from error
