"""``fedrx node export``: reviewed prescriptions for another system of the site, as FHIR, CSV or JSON."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gateways.data_folder import write_atomically
from node.command_options import DEFAULT_CONFIG, Config, talk
from node.site import open_site
from node.store.local_store import check_patient
from node.store.reviewed import reviewed_pages
from prescriptions.export.export_csv import export_csv
from prescriptions.export.export_fhir import export_fhir
from prescriptions.export.export_json import export_json
from protocol.errors import ConfigError


class ExportFormat(StrEnum):
    """What another system takes."""

    FHIR = "fhir"
    """A bundle of HL7 FHIR R4B MedicationRequests."""
    CSV = "csv"
    JSON = "json"


_ENCODERS = {ExportFormat.FHIR: export_fhir, ExportFormat.CSV: export_csv, ExportFormat.JSON: export_json}


def export_command(
    output: Annotated[Path, typer.Option("--out", "-o", help="The file to write, of mode 0600.")],
    export_format: Annotated[ExportFormat, typer.Option("--format", help="What to write.")] = ExportFormat.FHIR,
    patient: Annotated[str | None, typer.Option(help="Only this patient's pages, by the site's identifier.")] = None,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Writes the medicines of reviewed pages to a file. WARNING: it holds patients' data in clear.

    A person confirmed the names; doses, routes and times are what the machine read: draft proposals, never orders.
    """
    wanted = None if patient is None else check_patient(patient)
    with open_site(config) as site, site.store.read() as transaction:
        pages = reviewed_pages(transaction, site.lexicon, wanted)
    if not pages:
        raise ConfigError("there is no reviewed page to export", hint="review first: fedrx node review list")
    write_atomically(output, _ENCODERS[export_format](pages))
    medicines = sum(len(page.medicines) for page in pages)
    talk.print(f"{medicines} medicines of {len(pages)} pages in {output}", markup=False, soft_wrap=True)
    talk.print("WARNING: the file holds patients' data in clear; delete it when it is no longer needed", soft_wrap=True)
