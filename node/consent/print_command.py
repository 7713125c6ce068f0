"""``fedrx node consent print | check``: what a patient takes home on paper, and the paper read again."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateways.data_folder import write_atomically
from gateways.key_ring.accounts import address_of, open_account
from node.command_options import DEFAULT_CONFIG, Config, out, talk
from node.consent.desk import day_of
from node.consent.inspection import Patient, desk_of, state_of, traces_from_chain
from node.consent.print.catalogue import catalogue_for
from node.consent.print.receipt_code import parse_receipt_code
from node.site import WITNESS_PREFIX, open_site
from node.store.local_store import check_patient
from node.store.tables import ReceiptState
from node.store.withdrawals import withdrawal_times
from protocol.errors import ConsentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from node.consent.print.catalogue import Catalogue
    from node.consent.print.consent_papers import Occasion, Printed
    from node.site import Site
    from node.store.receipts import StoredReceipt
    from protocol.identifiers import AccountAddress


def add_to(app: typer.Typer) -> None:
    """Mounts the commands of this module."""
    app.command("print")(print_consent)
    app.command("check")(check_code)


def print_consent(
    patient: Patient,
    output: Annotated[Path, typer.Option("--out", "-o", help="The PDF to write, of mode 0600.")],
    config: Config = DEFAULT_CONFIG,
    *,
    withdrawal: Annotated[bool, typer.Option("--withdrawal", help="The slip that says what a withdrawal means.")] = (
        False
    ),
    language: Annotated[str | None, typer.Option(help="Of the paper; the consent receipt's own if unset.")] = None,
) -> None:
    """Prints a patient's consent receipts in force, one to an A4 page. WARNING: it holds patient data."""
    # Imported here: fonts and shaping load for a moment, and most commands print nothing.
    from node.consent.print.consent_papers import Occasion  # noqa: PLC0415

    now = int(time.time())
    with open_site(config) as site:
        stored = desk_of(site).receipts(patient)
        occasion = Occasion(site.settings.site, now, zone=None)
        if withdrawal:
            printed, words = _withdrawal(site, patient, stored, language, occasion)
        else:
            printed, words = _receipts(site, stored, language, occasion)
    write_atomically(output, printed.pdf)
    talk.print(f"{output} in {words.language}", markup=False, soft_wrap=True)
    if printed.missing:
        talk.print(f"the font has no sign for {printed.missing}: boxes stand there", markup=False, soft_wrap=True)
    talk.print("WARNING: the file holds patient data in clear; delete it once it is printed", soft_wrap=True)


def check_code(
    code: Annotated[str, typer.Argument(help="What a reader of QR codes says: FEDRX:CONSENT:1:…")],
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Says whether the consent on a printed paper stands."""
    digest = parse_receipt_code(code)
    now = int(time.time())
    with open_site(config) as site:
        found = [each for each in desk_of(site).receipts() if each.entry.signed.receipt.digest() == digest]
    if not found:
        raise ConsentError(
            "this site holds no such consent", hint="it is another site's, was erased, or the paper is not genuine"
        )
    receipt = found[0].entry.signed.receipt
    out.print(f"consent receipt  {receipt.receipt_id}", soft_wrap=True)
    out.print(f"patient          {receipt.patient}", markup=False, soft_wrap=True, highlight=False)
    out.print(f"state            {state_of(found[0], now)}")
    out.print(f"until            {day_of(receipt.expires_at)}")


def _receipts(
    site: Site, stored: Sequence[StoredReceipt], language: str | None, occasion: Occasion
) -> tuple[Printed, Catalogue]:
    from node.consent.print.consent_papers import print_receipts  # noqa: PLC0415

    receipts = [each.entry.signed.receipt for each in stored if each.in_force(occasion.now)]
    if not receipts:
        raise ConsentError("this patient has no consent in force", hint="for a withdrawn one: --withdrawal")
    words = catalogue_for(language or receipts[-1].language)
    names = _witness_names(site)
    named = [(receipt, names.get(receipt.witness, str(receipt.witness))) for receipt in receipts]
    return print_receipts(named, words, occasion), words


def _withdrawal(
    site: Site, patient: str, stored: Sequence[StoredReceipt], language: str | None, occasion: Occasion
) -> tuple[Printed, Catalogue]:
    from node.consent.print.consent_papers import print_withdrawal  # noqa: PLC0415

    receipts = [each.entry.signed.receipt for each in stored if each.state is ReceiptState.WITHDRAWN]
    if not receipts:
        raise ConsentError("this patient has withdrawn nothing", hint="first: fedrx node consent withdraw")
    with site.store.read() as transaction:
        times = withdrawal_times(transaction)
    dated = [(receipt, times[bytes(receipt.receipt_id)]) for receipt in receipts]
    # Those of one withdrawal: an earlier one had its own slip.
    last = max(at for _, at in dated)
    words = catalogue_for(language or receipts[-1].language)
    traces = traces_from_chain(site, check_patient(patient))
    latest = [(receipt, at) for receipt, at in dated if at == last]
    return print_withdrawal(latest, traces, site.lineage_ids, words, occasion), words


def _witness_names(site: Site) -> dict[AccountAddress, str]:
    """The staff members whose keys are here; one who has left is known by the account alone."""
    keys = (name for name in site.key_ring.names() if name.startswith(WITNESS_PREFIX))
    return {address_of(open_account(site.key_ring, key)): key.removeprefix(WITNESS_PREFIX) for key in keys}
