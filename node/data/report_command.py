"""``fedrx node data report``: what the site has, in numbers that stay there."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from node.command_options import DEFAULT_CONFIG, AsJSON, Config, out, print_json, table_of, talk
from node.site import open_site

if TYPE_CHECKING:
    from collections.abc import Mapping

    from node.data.report import Brands, DataReport, Spread

data_app = typer.Typer(no_args_is_help=True, help="What this site has to train on.")


@data_app.command("report")
def report_command(
    config: Config = DEFAULT_CONFIG,
    *,
    top: Annotated[int, typer.Option(min=1, help="How many medicines to show from each end.")] = 10,
    as_json: AsJSON = False,
) -> None:
    """Counts words, labels, duplicates, picture quality and imbalance. No name and no picture; nothing is sent."""
    # Imported here: the image libraries load for a second, and the other commands need none of them.
    from node.data.report_rows import data_report  # noqa: PLC0415

    with open_site(config) as site:
        settings = site.settings
        report = data_report(
            site.store,
            site.lexicon,
            int(time.time()),
            held_out_percent=settings.training.held_out_percent,
            purpose=settings.consent.purpose,
        )
    if as_json:
        print_json(asdict(report))
        return
    _print_counts(report)
    out.print()
    _print_brands(report.brands, top)
    out.print()
    _print_spreads(report)
    talk.print("nothing of this is sent: a round tells its aggregators how many words trained", soft_wrap=True)


def _print_counts(report: DataReport) -> None:
    table = table_of("what", "how many")
    table.add_row("pages", f"{report.pages}, of which {report.pages_reviewed} reviewed")
    table.add_row("words", _listed(report.words))
    table.add_row("labels from", _listed(report.sources))
    busiest = f"; the busiest did {report.busiest_reviewer_share:.0%}" if report.reviewers else ""
    table.add_row("reviewers", f"{report.reviewers}{busiest}")
    table.add_row("may be used", _listed(report.uses))
    for kind, decided in report.duplicates.items():
        table.add_row(f"{kind} pages", _listed(decided))
    table.add_row("same picture", f"{report.quality.repeated} words repeat another's")
    out.print(table)


def _print_brands(brands: Brands, top: int) -> None:
    if not brands.words:
        out.print("no word was reviewed yet")
        return
    table = table_of("medicine", "words")
    for name, count in brands.counts[:top]:
        table.add_row(name, str(count))
    hidden = len(brands.counts) - 2 * top
    if hidden > 0:
        table.add_row("…", f"{hidden} more names")
    for name, count in brands.counts[max(top, len(brands.counts) - top) :]:
        table.add_row(name, str(count))
    if brands.unlisted_names:
        table.add_row("not in the lexicon", f"{brands.unlisted_words} of {brands.unlisted_names} names")
    out.print(table)
    out.print(
        f"{brands.words} words, as varied as {brands.effective:.1f} equally frequent names; "
        f"Gini {brands.gini:.2f}; the most frequent has {brands.largest_share:.0%}",
        soft_wrap=True,
        highlight=False,
    )


def _print_spreads(report: DataReport) -> None:
    table = table_of("measure", "of", "least", "lower quarter", "middle", "upper quarter", "most")
    quality, writing = report.quality, report.writing
    rows: tuple[tuple[str, str, Spread | None, int], ...] = (
        ("height, pixels", "words", quality.height, 0),
        ("contrast, 0 to 1", "words", quality.contrast, 2),
        ("sharpness", "words", quality.sharpness, 0),
        ("words", "patients", writing.words_a_patient, 0),
        ("slant, degrees", "pages", writing.page_slant, 0),
        ("stroke, of the height", "pages", writing.page_stroke, 3),
    )
    for name, unit, spread, digits in rows:
        if spread is not None:
            values = (spread.least, spread.lower, spread.middle, spread.upper, spread.most)
            table.add_row(
                name, f"{spread.count} {unit}", *(f"{round(value, digits) + 0.0:.{digits}f}" for value in values)
            )
    out.print(table)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name.replace('-', ' ')}" for name, count in counts.items())
