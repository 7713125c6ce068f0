"""``fedrx node review …``: what a clinician says about words."""

from __future__ import annotations

import getpass
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from gateways.data_folder import write_atomically
from node.command_options import DEFAULT_CONFIG, AsJSON, Config, originals_of, out, print_json, table_of, talk
from node.data.agreement import SURE_TOGETHER, doubts
from node.data.review import Decision, ReviewCounts, ReviewDesk
from node.data.review_sheet import load_sheet, sheet_of
from node.site import Site, open_site

if TYPE_CHECKING:
    from collections.abc import Sequence

    from node.data.proposal import ModelReading
    from node.store.words import StoredWord

review_app = typer.Typer(
    no_args_is_help=True, help="A person says of each word what is written. Only reviewed words train."
)

Reviewer = Annotated[
    str, typer.Option("--reviewer", help="Who reviews.", default_factory=getpass.getuser, show_default="your account")
]
Crops = Annotated[
    Path | None,
    typer.Option(
        "--crops",
        help="Also write the words' pictures to this folder. WARNING: this is patients' handwriting in clear; "
        "delete the folder when you are done.",
    ),
]
All = Annotated[bool, typer.Option("--all", help="Reviewed words too.")]
Words = Annotated[list[str], typer.Argument(help="Word ids as listed, or their first digits.")]


@review_app.command("list")
def list_words(
    config: Config = DEFAULT_CONFIG,
    crops: Crops = None,
    *,
    everything: All = False,
    as_json: AsJSON = False,
) -> None:
    """Lists the words that wait for review, the least certain first."""
    with open_site(config) as site:
        desk = _desk(site)
        words = desk.words() if everything else desk.waiting()
        pictures = _write_crops(desk, words, crops)
    if as_json:
        print_json([_value(word, pictures) for word in words])
        return
    table = table_of("word", "page", "patient", "status", "read", "models", "proposal", "sure", "others", "flags")
    for word in words:
        proposal = word.proposal
        others = ", ".join(f"{c.name} {c.score:.0%}" for c in proposal.candidates[1:4])
        cells = (
            word.short_id, word.page_id.hex()[:8], word.patient, word.status.value, proposal.text,
            "; ".join([*([_model_says(proposal.model)] if proposal.model else []), *map(str, proposal.others)]),
            word.label or proposal.label, f"{proposal.certainty:.0%}", others, ", ".join(proposal.flags),
        )  # fmt: skip
        table.add_row(*map(escape, cells))
    out.print(table)


@review_app.command("doubts")
def list_doubts(
    config: Config = DEFAULT_CONFIG,
    crops: Crops = None,
    *,
    sure: Annotated[float, typer.Option(min=0.0, max=1.0, help="How sure both readers are together.")] = SURE_TOGETHER,
    as_json: AsJSON = False,
) -> None:
    """Lists reviewed words for which page reader and model agree on another name than the label: look again."""
    with open_site(config) as site:
        desk = _desk(site)
        found = doubts(desk.words(), sure)
        pictures = _write_crops(desk, [doubt.word for doubt in found], crops)
    if as_json:
        print_json([{**_value(doubt.word, pictures), "both_name": doubt.name} for doubt in found])
        return
    table = table_of("word", "page", "patient", "label", "both readers", "sure")
    for doubt in found:
        word = doubt.word
        sure_text = f"{doubt.certainty:.0%}"
        cells = (word.short_id, word.page_id.hex()[:8], word.patient, word.label, doubt.name, sure_text)
        table.add_row(*map(escape, cells))
    out.print(table)
    talk.print("a label that is wrong is mended with: fedrx node review fix WORD LABEL", soft_wrap=True)


@review_app.command()
def accept(words: Words, reviewer: Reviewer, config: Config = DEFAULT_CONFIG) -> None:
    """The proposal is what is written."""
    _apply(config, [Decision(word, "accept") for word in words], reviewer)


@review_app.command()
def fix(
    word: Annotated[str, typer.Argument(help="Word id as listed, or its first digits.")],
    label: Annotated[str, typer.Argument(help="What is written.")],
    reviewer: Reviewer,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Says what is written."""
    _apply(config, [Decision(word, "fix", label)], reviewer)


@review_app.command()
def reject(
    words: Words,
    reviewer: Reviewer,
    reason: Annotated[str, typer.Option(help="Why, in a few words.")] = "",
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Not a medicine, or nobody can read it. The picture is deleted when its page is reviewed."""
    _apply(config, [Decision(word, "reject", reason) for word in words], reviewer)


@review_app.command()
def page(
    word: Annotated[str, typer.Argument(help="Word id as listed, or its first digits.")],
    file: Annotated[Path, typer.Option("--out", "-o", help="The PNG to write.")],
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Writes the page around a word: medicines, doses, patient's name and hospital; everything else is white.

    WARNING: this is a patient's prescription in clear; delete it when you are done.
    """
    with open_site(config) as site:
        _desk(site).write_page(word, file)
    talk.print(f"a patient's prescription stands in clear in {file}: delete it when done", markup=False, soft_wrap=True)


@review_app.command()
def export(
    file: Annotated[Path, typer.Argument(help="The CSV to write.")],
    config: Config = DEFAULT_CONFIG,
    crops: Crops = None,
    *,
    everything: All = False,
) -> None:
    """Writes a sheet to fill in: accept, fix or reject in the column action, what is written in label.

    WARNING: the sheet names medicines of patients in clear; delete it when it was imported.
    """
    with open_site(config) as site:
        desk = _desk(site)
        words = desk.words() if everything else desk.waiting()
        sheet = sheet_of(words, _write_crops(desk, words, crops))
    # The byte order mark lets common spreadsheet programs see that the file is UTF-8.
    write_atomically(file, sheet.encode("utf-8-sig"))
    talk.print(f"{len(words)} words in {file}", markup=False, soft_wrap=True)


@review_app.command("import")
def import_sheet(
    file: Annotated[Path, typer.Argument(help="A filled CSV with the columns word,action,label.")],
    reviewer: Reviewer,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Takes a filled sheet, all of it or, when a line is wrong, nothing."""
    _apply(config, load_sheet(file), reviewer)


def _apply(config: Path, decisions: Sequence[Decision], reviewer: str) -> None:
    with open_site(config) as site:
        counts: ReviewCounts = _desk(site).apply(decisions, reviewer, int(time.time()))
    talk.print(
        f"{counts.accepted} accepted, {counts.fixed} fixed, {counts.rejected} rejected"
        + (f"; {counts.originals_deleted} reviewed originals deleted" if counts.originals_deleted else "")
    )


def _desk(site: Site) -> ReviewDesk:
    return ReviewDesk(site.store, originals_of(site), keep_originals=site.settings.reading.keep_originals)


def _write_crops(desk: ReviewDesk, words: Sequence[StoredWord], folder: Path | None) -> dict[bytes, str]:
    if folder is None:
        return {}
    pictures = desk.write_crops(words, folder)
    talk.print(
        f"{len(pictures)} pictures of patients' handwriting stand in clear in {folder}: delete them when done",
        markup=False,
        soft_wrap=True,
    )
    return pictures


def _model_says(model: ModelReading) -> str:
    """The letters that the global model read, and the names that it finds probable."""
    return f"{model.text} → " + ", ".join(f"{c.name} {c.score:.0%}" for c in model.candidates[:2])


def _model_value(model: ModelReading) -> dict[str, object]:
    return {
        "round": model.round,
        "read": model.text,
        "name": model.name,
        "candidates": [{"name": c.name, "score": c.score} for c in model.candidates],
    }


def _value(word: StoredWord, pictures: dict[bytes, str]) -> dict[str, object]:
    proposal = word.proposal
    return {
        "word": word.word_id.hex(),
        "page": word.page_id.hex(),
        "patient": word.patient,
        "status": word.status,
        "read": proposal.text,
        "proposal": proposal.label,
        "certainty": round(proposal.certainty, 4),
        "candidates": [{"name": c.name, "score": c.score} for c in proposal.candidates],
        "model": None if proposal.model is None else _model_value(proposal.model),
        "other_models": [asdict(other) for other in proposal.others],
        "strength": proposal.strength,
        "form": proposal.form,
        "frequency": proposal.frequency,
        "flags": list(proposal.flags),
        "label": word.label,
        "picture": pictures.get(word.word_id, ""),
    }
