"""``fedrx node import``, ``review …``, ``consent …`` and ``quarantine …``: thin shells over the site's data.

Results go to stdout, talk to stderr; a failure is an error of the tree, which the command line turns into one line.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from node.command_options import (
    DEFAULT_CONFIG,
    AsJSON,
    Config,
    out,
    print_json,
    quarantine_of,
    table_of,
    talk,
)
from node.consent.commands import consent_app
from node.consent.desk import day_of
from node.consent.enrolment_commands import staff_app
from node.consent.prove_command import prove_app
from node.data.duplicate_commands import duplicates_app
from node.data.export_command import export_command
from node.data.inspect_command import inspect_command
from node.data.report_command import data_app
from node.data.review_commands import review_app
from node.page.command import page_command
from node.page.user_commands import user_app
from node.site import STORE, open_site
from node.store.opening import begin_anew
from node.store.quarantine import forget_quarantined, quarantined_files
from prescriptions.manifest import load_manifest
from protocol.errors import ConfigError, PrescriptionError
from protocol.foreign_text import one_line

if TYPE_CHECKING:
    from node.data.intake import FileReport, ImportItem, ImportReport

_MAX_PATH_CHARACTERS = 4096
quarantine_app = typer.Typer(no_args_is_help=True, help="Files that were kept aside because they cannot be imported.")


def add_to(app: typer.Typer) -> None:
    """Mounts the commands of this module."""
    app.command("import")(import_command)
    app.command("export")(export_command)
    app.command("inspect")(inspect_command)
    app.command("new-store")(new_store_command)
    app.add_typer(review_app, name="review")
    app.add_typer(duplicates_app, name="duplicates")
    app.add_typer(consent_app, name="consent")
    app.add_typer(staff_app, name="staff")
    app.add_typer(prove_app, name="prove")
    app.add_typer(quarantine_app, name="quarantine")
    app.add_typer(data_app, name="data")
    app.add_typer(user_app, name="user")
    app.command("page")(page_command)


def import_command(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Pages: PNG, JPG, TIFF, WEBP, PDF or DICOM.", show_default=False)
    ] = None,
    patient: Annotated[str | None, typer.Option(help="The site's identifier of the files' patient.")] = None,
    manifest: Annotated[Path | None, typer.Option(help="CSV with the columns file,patient, instead of both.")] = None,
    config: Config = DEFAULT_CONFIG,
    *,
    words: Annotated[bool, typer.Option("--words", help="Each picture is one medicine word.")] = False,
    as_json: AsJSON = False,
) -> None:
    """Reads pages into the encrypted store, word by word, for review. The files themselves stay where they are.

    A bad file is kept aside with its reason, and the import goes on. Running it again continues what was interrupted.
    """
    # Imported here: the image libraries load for a second, and the other commands need none of them.
    from node.data.intake import import_files  # noqa: PLC0415
    from node.data.intake_parts import intake_parts  # noqa: PLC0415

    items = _items(files or [], patient, manifest)
    with open_site(config) as site, _bar() as bar:
        task = bar.add_task("reading pages", total=len(items))
        report = import_files(
            intake_parts(site, single_words=words),
            items,
            int(time.time()),
            lambda done, _report: bar.update(task, completed=done),
        )
    _print_report(report, as_json=as_json)
    if report.files and all(file.outcome == "quarantined" for file in report.files):
        raise PrescriptionError(
            f"none of {len(report.files)} files could be imported", hint="see fedrx node quarantine list"
        )


def new_store_command(
    config: Config = DEFAULT_CONFIG,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Begins with an empty store after the old one was lost and no backup of it is left.

    Its pages, words and consents are gone: nothing trains before pages are imported and patients are asked again.
    """
    if not yes and not typer.confirm("Give up what the lost store held?"):
        raise typer.Exit(1)
    # A daemon that still has the lost file open would write on into nothing.
    with open_site(config) as site, site.folder.locked():
        begin_anew(site.folder / STORE, site.key_ring)
    talk.print("an empty store was made: import pages, and ask the patients again")


@quarantine_app.command("list")
def quarantine_list(config: Config = DEFAULT_CONFIG, *, as_json: AsJSON = False) -> None:
    """Lists what was kept aside and why."""
    with open_site(config) as site, site.store.read() as transaction:
        found = quarantined_files(transaction)
    if as_json:
        rows = [
            {
                "id": item.quarantine_id.hex(), "file": item.file_name, "page": item.page_number or None,
                "patient": item.patient, "reason": item.reason, "sentence": item.sentence,
                "kept_copy": item.kept is not None, "at": item.created_at,
            }
            for item in found
        ]  # fmt: skip
        print_json(rows)
        return
    table = table_of("id", "day", "file", "page", "patient", "reason", "what happened")
    for item in found:
        page = str(item.page_number) if item.page_number else "all"
        cells = (item.quarantine_id.hex()[:8], day_of(item.created_at), item.file_name, page, item.patient, item.reason)
        table.add_row(*map(escape, cells), escape(item.sentence))
    out.print(table)


@quarantine_app.command("drop")
def quarantine_drop(
    ids: Annotated[list[str], typer.Argument(help="Ids as listed, or their first digits.")],
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Deletes sealed copies that nobody needs any more."""
    with open_site(config) as site:
        with site.store.write() as transaction:
            listed = [item.quarantine_id for item in quarantined_files(transaction)]
            chosen = [_one_of(listed, typed) for typed in ids]
            forget_quarantined(transaction, chosen)
        for quarantine_id in chosen:
            quarantine_of(site).remove(quarantine_id)
    talk.print(f"deleted {len(set(chosen))}")


def _items(files: list[Path], patient: str | None, manifest: Path | None) -> list[ImportItem]:
    from node.data.intake import ImportItem  # noqa: PLC0415

    if manifest is not None:
        if files or patient is not None:
            raise ConfigError("a manifest names files and patients itself", hint="give either, not both")
        return [ImportItem(manifest.parent / entry.file, entry.patient) for entry in load_manifest(manifest)]
    if not files:
        raise ConfigError("there is no file to import", hint="name files and --patient, or a --manifest")
    if patient is None:
        raise ConfigError("the files' patient is not named", hint="give --patient, or a --manifest")
    return [ImportItem(path, patient) for path in files]


def _one_of(listed: list[bytes], typed: str) -> bytes:
    matches = [found for found in listed if found.hex().startswith(typed.lower())]
    if len(matches) != 1 or not typed:
        raise ConfigError(f"{typed!r} names {len(matches)} entries", hint="ids are in fedrx node quarantine list")
    return matches[0]


def _print_report(report: ImportReport, *, as_json: bool) -> None:
    if as_json:
        print_json([_file_value(file) for file in report.files])
        return
    table = table_of("file", "outcome", "pages", "duplicates", "words", "kept aside")
    for file in report.files:
        reasons = "; ".join(
            f"page {kept.page_number}: {kept.reason}" if kept.page_number else kept.reason for kept in file.kept_aside
        )
        numbers = (file.pages, file.duplicates, file.words)
        table.add_row(escape(one_line(file.path.name)), file.outcome, *map(str, numbers), reasons)
    out.print(table)
    for file in report.files:
        for kept in file.kept_aside:
            talk.print(f"{one_line(file.path.name)}: {kept.sentence}", markup=False, soft_wrap=True)
    talk.print(f"{report.words} words wait for review: fedrx node review list", soft_wrap=True)


def _file_value(file: FileReport) -> dict[str, object]:
    return {
        "file": one_line(str(file.path), _MAX_PATH_CHARACTERS),
        "outcome": file.outcome,
        "pages": file.pages,
        "duplicates": file.duplicates,
        "words": file.words,
        "kept_aside": [
            {"page": kept.page_number or None, "reason": kept.reason, "sentence": kept.sentence}
            for kept in file.kept_aside
        ],
    }


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=talk,
        transient=True,
        disable=not talk.is_terminal,
    )
