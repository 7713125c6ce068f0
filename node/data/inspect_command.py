"""``fedrx node inspect``: one picture of how a page is read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateways.data_folder import write_atomically
from node.command_options import DEFAULT_CONFIG, Config, talk
from node.site import models_of, open_site
from protocol.errors import ConfigError


def inspect_command(
    image: Annotated[Path, typer.Argument(help="A page: PNG, JPG, TIFF, WEBP, PDF or DICOM.")],
    output: Annotated[Path, typer.Option("--out", "-o", help="The PNG to write. WARNING: a page in clear.")],
    config: Config = DEFAULT_CONFIG,
    *,
    page: Annotated[int, typer.Option(min=1, help="Which page of the file.")] = 1,
) -> None:
    """Writes one picture of how a page is read: every stage, lines and words, medicines with what was read of them.

    WARNING: the picture shows a patient's page in clear; delete it when you are done. Nothing is stored.
    """
    # Imported here: the image libraries load for a second, and the other commands need none of them.
    from node.data.intake_parts import load_limits, page_stages  # noqa: PLC0415
    from node.data.model_reader import SecondReader  # noqa: PLC0415
    from prescriptions.inspection import contact_sheet  # noqa: PLC0415
    from prescriptions.inspection_evidence import line_views  # noqa: PLC0415
    from prescriptions.load import load_pages  # noqa: PLC0415
    from prescriptions.pipeline import examine_page  # noqa: PLC0415

    with open_site(config) as site:
        pages = load_pages(image, load_limits(site.settings))
        if page > len(pages):
            raise ConfigError(f"{image.name} has {len(pages)} pages, not {page}", hint="give another --page")
        chosen = pages[page - 1]
        examined = examine_page(chosen, site.page_reader, site.lexicon, page_stages(site.settings), keep_views=True)
        lines = line_views(examined, chosen, site.lexicon)
        model = SecondReader(site, models_of(site))()
        if model is not None:
            readings = model.read([line.crop for line in lines])
            lines = tuple(
                line.with_model(reading.text, reading.candidates[:3], model.round)
                for line, reading in zip(lines, readings, strict=True)
            )
    write_atomically(output, contact_sheet(chosen, examined, lines))
    talk.print(
        f"{output} shows a patient's page in clear (mode 0600): delete it when you are done",
        markup=False,
        soft_wrap=True,
    )
