"""``fedrx node consent list | show | due | evidence``: what stands at the consent desk, and where it led."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from gateways.chain_follower import ChainFollower
from gateways.data_folder import write_atomically
from node.command_options import DEFAULT_CONFIG, AsJSON, Config, out, print_json, table_of, talk
from node.consent.desk import ConsentDesk, day_of
from node.consent.due import due
from node.consent.traces import Trace, traces_of
from node.site import Site, open_site
from node.store.evidence import form_of
from node.store.local_store import check_patient
from node.store.receipts import StoredReceipt
from protocol.consent_factor import PatientCode, SecondFactor, StaffCodeAndForm
from protocol.consent_receipt import DAY_SECONDS, ByGuardian, ByWaiver, Giver
from protocol.errors import ConfigError, LedgerError
from protocol.identifiers import LineageId

Patient = Annotated[str, typer.Argument(help="The site's identifier of the patient.")]


def add_to(app: typer.Typer) -> None:
    """Mounts the commands of this module."""
    app.command("list")(list_receipts)
    app.command("show")(show)
    app.command("due")(list_due)
    app.command("evidence")(evidence)


def desk_of(site: Site) -> ConsentDesk:
    """The consent desk of an open site."""
    required = site.settings.consent.second_factor == "required"
    return ConsentDesk(site.store, site.key_ring, site.identity, site.site_id, second_factor_required=required)


def list_receipts(config: Config = DEFAULT_CONFIG, *, as_json: AsJSON = False) -> None:
    """Lists consent receipts, oldest first."""
    with open_site(config) as site:
        found = desk_of(site).receipts()
    now = int(time.time())
    if as_json:
        print_json([_value(stored, now) for stored in found])
        return
    _print_receipts(found, now)


def show(patient: Patient, config: Config = DEFAULT_CONFIG, *, as_json: AsJSON = False) -> None:
    """Shows a patient's consent receipts, and the rounds and models that their samples touched."""
    with open_site(config) as site:
        found = desk_of(site).receipts(patient)
        traces = traces_from_chain(site, check_patient(patient))
        slugs = site.lineage_ids
    now = int(time.time())
    if as_json:
        touched = None if traces is None else [_trace_value(trace, slugs) for trace in traces]
        print_json({"receipts": [_value(stored, now) for stored in found], "touched": touched})
        return
    _print_receipts(found, now)
    print_traces(traces, slugs)


def list_due(
    days: Annotated[int, typer.Option(min=0, help="Consent that ends within so many days is due.")] = 30,
    config: Config = DEFAULT_CONFIG,
    *,
    as_json: AsJSON = False,
) -> None:
    """Lists the patients to ask again: consent ends soon, has ended, or does not cover what the network trains for."""
    now = int(time.time())
    with open_site(config) as site:
        purpose = site.settings.consent.purpose
        found = due(desk_of(site).receipts(), purpose, now, now + days * DAY_SECONDS)
    if as_json:
        print_json([{"patient": item.patient, "why": str(item.why), "expires_at": item.expires_at} for item in found])
        return
    table = table_of("patient", "why", "until")
    for item in found:
        table.add_row(escape(item.patient), str(item.why), day_of(item.expires_at))
    out.print(table)
    talk.print(f"{len(found)} patients to ask for {purpose}")


def evidence(
    receipt: Annotated[str, typer.Argument(help="The consent receipt's id as listed, or its first digits.")],
    output: Annotated[Path, typer.Option("--out", "-o", help="Write the scan here, in the clear, mode 0600.")],
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Writes the scanned form behind a consent receipt, in the clear."""
    with open_site(config) as site:
        found = one_receipt(desk_of(site).receipts(), receipt)
        with site.store.read() as transaction:
            scan = form_of(transaction, found.entry.signed.receipt.receipt_id)
    if scan is None:
        raise ConfigError("no form was scanned for this consent receipt", hint="see fedrx node consent show PATIENT")
    write_atomically(output, scan)
    talk.print(f"{output} holds patient data in the clear: delete it after use", markup=False, soft_wrap=True)


def traces_from_chain(site: Site, patient: str) -> tuple[Trace, ...] | None:
    """Where a patient's samples went; None when the chain does not answer."""
    try:
        history = ChainFollower(site.chain_reader).sync()
    except LedgerError as error:
        talk.print(f"the rounds that the samples touched cannot be listed now: {error}", soft_wrap=True)
        return None
    return traces_of(site.store, patient, history, site.site_id)


def print_traces(traces: Sequence[Trace] | None, slugs: dict[LineageId, str]) -> None:
    """Lists rounds and models on stdout; nothing when the chain did not answer."""
    if traces is None:
        return
    if not traces:
        talk.print("no update of this site held samples of this patient")
        return
    table = table_of("lineage", "round", "samples", "the update", "global model", "later models")
    for trace in traces:
        value = _trace_value(trace, slugs)
        model, later = str(trace.model_digest or "")[:18], str(trace.later_models or "")
        table.add_row(str(value["lineage"]), str(trace.round), str(trace.samples), trace.outcome, model, later)
    out.print(table)
    talk.print("what a model has learned stays in it, and in those trained on from it", soft_wrap=True)


def one_receipt(found: Sequence[StoredReceipt], typed: str) -> StoredReceipt:
    """The receipt whose id begins with the digits that somebody typed.

    Raises:
        ConfigError: None begins so, or more than one.
    """
    digits = typed.strip().lower().removeprefix("0x")
    matches = [item for item in found if item.entry.signed.receipt.receipt_id.hex().startswith(digits)]
    if len(matches) != 1 or not digits:
        raise ConfigError(f"{typed!r} names {len(matches)} consent receipts", hint="ids: fedrx node consent list")
    return matches[0]


def state_of(stored: StoredReceipt, now: int) -> str:
    """Whether a receipt is in force, withdrawn or expired at ``now`` (seconds since 1970), in words."""
    if stored.in_force(now):
        return "in force"
    return "withdrawn" if stored.state == "withdrawn" else "expired"


def _print_receipts(found: Sequence[StoredReceipt], now: int) -> None:
    table = table_of("consent receipt", "patient", "state", "granted", "expires", "purposes", "given by")
    for stored in found:
        receipt = stored.entry.signed.receipt
        cells = (
            str(receipt.receipt_id)[:10], receipt.patient, state_of(stored, now), day_of(receipt.granted_at),
            day_of(receipt.expires_at), ", ".join(receipt.purposes),
            f"{_giver(receipt.giver)}; {_factor(receipt.second_factor)}",
        )  # fmt: skip
        table.add_row(*map(escape, cells))
    out.print(table)


def _giver(giver: Giver) -> str:
    match giver:
        case ByGuardian(relation):
            return f"guardian ({relation})"
        case ByWaiver(_, decided_on):
            return f"ethics waiver of {decided_on.isoformat()}"
        case _:
            return "patient"


def _factor(factor: SecondFactor) -> str:
    match factor:
        case PatientCode():
            return "patient's code"
        case StaffCodeAndForm(staff):
            return f"form, code of {staff}"
        case _:
            return "witness alone"


def _value(stored: StoredReceipt, now: int) -> dict[str, object]:
    receipt = stored.entry.signed.receipt
    return {
        "receipt": str(receipt.receipt_id),
        "patient": receipt.patient,
        "state": state_of(stored, now),
        "purposes": list(receipt.purposes),
        "method": receipt.method,
        "given_by": receipt.given_by,
        "giver": _giver(receipt.giver),
        "second_factor": _factor(receipt.second_factor),
        "asked_by": receipt.asked_by,
        "witness": str(receipt.witness),
        "notice_version": receipt.notice_version,
        "language": receipt.language,
        "granted_at": receipt.granted_at,
        "expires_at": receipt.expires_at,
    }


def _trace_value(trace: Trace, slugs: dict[LineageId, str]) -> dict[str, object]:
    return {
        "lineage": slugs.get(trace.lineage_id, str(trace.lineage_id)),
        "round": trace.round,
        "samples": trace.samples,
        "outcome": trace.outcome,
        "model_digest": None if trace.model_digest is None else str(trace.model_digest),
        "later_models": trace.later_models,
    }
