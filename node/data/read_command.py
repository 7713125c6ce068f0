"""``fedrx node read``: a prescription read with the model in use, and a picture of where it looked."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from gateways.data_folder import write_atomically
from node.command_options import DEFAULT_CONFIG, AsJSON, Config, out, print_json, talk
from node.data.intake_file import open_regular, require_readable
from node.site import models_of, open_site
from protocol.identifiers import lineage_id_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from node.data.reading import ExplainedReading, MedicineReading


def read_command(
    image: Annotated[Path, typer.Argument(help="A page (PNG, JPG, TIFF, WEBP, PDF, DICOM), or with --word one word.")],
    config: Config = DEFAULT_CONFIG,
    *,
    lineage: Annotated[str | None, typer.Option(help="Whose model; the first in the settings. Others check.")] = None,
    word: Annotated[bool, typer.Option("--word", help="The image is one medicine word.")] = False,
    explain: Annotated[
        Path | None,
        typer.Option(
            help="Also write one PNG that shows where the model saw each letter of each word. "
            "WARNING: patients' handwriting in clear.",
        ),
    ] = None,
    as_json: AsJSON = False,
) -> None:
    """Reads a prescription with the models in use. An aid to a person, never a dispensing decision."""
    from node.data.reading import explain_image, read_image  # noqa: PLC0415 - torch loads for seconds

    require_readable(image, open_regular, hint="check the path and its permissions")
    with open_site(config) as site:
        lineage_id = lineage_id_of(lineage or site.settings.lineages[0])
        if explain is None:
            readings = read_image(site, models_of(site), image, lineage_id, as_word=word)
        else:
            explained = explain_image(site, models_of(site), image, lineage_id, as_word=word)
            readings = tuple(found.reading for found in explained)
            _write_picture(explained, explain)
    if as_json:
        print_json([asdict(reading) for reading in readings])
        return
    out.print(_reading_table(readings))
    talk.print("an aid to a person, never a dispensing decision")


def _write_picture(explained: Sequence[ExplainedReading], output: Path) -> None:
    from node.data.explanation_picture import explanation_png  # noqa: PLC0415 - image libraries

    if not explained:
        talk.print("no medicine was found: there is nothing to explain")
        return
    write_atomically(output, explanation_png([(found.where, found.explanation) for found in explained]))
    talk.print(
        f"{output} shows a patient's handwriting in clear (mode 0600): delete it when you are done",
        markup=False,
        soft_wrap=True,
    )


def _reading_table(readings: Iterable[MedicineReading]) -> Table:
    table = Table("page", "line", "medicine", "sure", "others", "letters", "page reader", box=None)
    for column in ("other models", "dose", "look at"):
        table.add_column(column)
    for reading in readings:
        names = [name for name in reading.alternatives if name[0] != reading.medicine]
        dose = " ".join(part for part in (reading.strength, reading.form, reading.frequency) if part)
        engine = f"{reading.engine_text} → {_shares(reading.engine_candidates[:2])}" if reading.engine_text else ""
        models = ", ".join(map(str, reading.others))
        cells = (_shares(names[:3]), reading.text, engine, models, dose)
        table.add_row(
            str(reading.page),
            str(reading.line or ""),
            "[bold]cannot tell: a person must read it[/bold]" if reading.medicine is None else escape(reading.medicine),
            f"{reading.confidence:.0%}",
            *map(escape, cells),
            ", ".join(reading.flags),
        )
    return table


def _shares(names: Iterable[tuple[str, float]]) -> str:
    return ", ".join(f"{name} {share:.0%}" for name, share in names)
