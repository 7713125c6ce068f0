"""``fedrx audit trail``, ``watch`` and ``export``: what happened, as far as it is asked for."""

from __future__ import annotations

import csv
import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Engine

from audit.alarm import alarm_after
from audit.broken_rules import CheckedHistory
from audit.connections import ChainOptions, connect_ledger
from audit.index.database import open_database
from audit.index.filling import fill
from audit.index.searching import Search, parse_search, search
from audit.lookout import Lookout
from audit.names import Names, read_names
from audit.options import (
    RPCURL,
    AsJSON,
    CompareURL,
    ConsentRoot,
    DeploymentFile,
    EventKind,
    FinalityChoice,
    IndexPlace,
    LineageSlug,
    ModelDigest,
    NamesFile,
    NameSlugs,
    Newest,
    OlderDeployments,
    OlderRPCURL,
    RoundNumber,
    Since,
    SiteName,
    TxOption,
    Until,
)
from audit.sentences import count
from audit.succession import Succession, open_succession
from audit.tables import print_trail, progress_bar, trail_csv, trail_line
from audit.trail import TrailRow, trail
from gateways.data_folder import write_atomically
from protocol.errors import ConfigError, LedgerUnavailableError
from protocol.ledger_events import LocatedEvent
from protocol.ports import Ledger

_IN_MEMORY = "sqlite://"
_REMEMBERED = 10_000
"""Shown events that ``watch`` remembers: a chain that turns over below them is shown from its first block on."""


def _ignore(_: LocatedEvent) -> None:
    """Nobody looks at an event while it is read."""


@dataclass(frozen=True, slots=True)
class _Source:
    """Where an index is filled from, and who looks at each event on its way."""

    ledger: Ledger
    take: Callable[[LocatedEvent], None]


def trail_command(
    deployment: DeploymentFile,
    rpc: RPCURL,
    compare_rpc: CompareURL = None,
    finality: FinalityChoice = "latest",
    index: IndexPlace = None,
    site: SiteName = None,
    lineage: LineageSlug = None,
    round_number: RoundNumber = None,
    kind: EventKind = None,
    model: ModelDigest = None,
    consent_root: ConsentRoot = None,
    tx: TxOption = None,
    since: Since = None,
    until: Until = None,
    newest: Newest = None,
    names: NamesFile = None,
    name: NameSlugs = None,
    predecessor_deployment: OlderDeployments = None,
    predecessor_rpc: OlderRPCURL = None,
    as_json: AsJSON = False,
) -> None:
    """Show what happened, in plain sentences; also in the deployments that this one goes on from."""
    wanted = parse_search(site, lineage, round_number, kind, model, consent_root, tx, since, until, newest)
    labels = _labels(names, name, site, lineage)
    succession = _succession(
        ChainOptions(deployment, rpc, compare_rpc, finality), predecessor_deployment, predecessor_rpc
    )
    with _filled(succession, index, labels) as (engine, numbers, broken), alarm_after(broken):
        _expect_known(engine, numbers, wanted)
        rows = _found(engine, numbers, succession, wanted, labels)
        if not rows:
            typer.echo("no event is like that", err=True)
        if as_json:
            for row in rows:
                typer.echo(_json_line(row))
        else:
            print_trail(rows)


def export_command(
    deployment: DeploymentFile,
    rpc: RPCURL,
    out: Annotated[Path, typer.Option("--out", "-o", help="FILE.csv for a spreadsheet, FILE.jsonl for a program.")],
    compare_rpc: CompareURL = None,
    finality: FinalityChoice = "latest",
    index: IndexPlace = None,
    site: SiteName = None,
    lineage: LineageSlug = None,
    round_number: RoundNumber = None,
    kind: EventKind = None,
    model: ModelDigest = None,
    consent_root: ConsentRoot = None,
    tx: TxOption = None,
    since: Since = None,
    until: Until = None,
    names: NamesFile = None,
    name: NameSlugs = None,
    predecessor_deployment: OlderDeployments = None,
    predecessor_rpc: OlderRPCURL = None,
) -> None:
    """Write the trail to a file: CSV or JSON lines, by the file's ending."""
    if out.suffix not in {".csv", ".jsonl"}:
        raise ConfigError(f"{out.name} ends in neither .csv nor .jsonl", hint="the ending says how it is written")
    wanted = parse_search(site, lineage, round_number, kind, model, consent_root, tx, since, until, None)
    labels = _labels(names, name, site, lineage)
    succession = _succession(
        ChainOptions(deployment, rpc, compare_rpc, finality), predecessor_deployment, predecessor_rpc
    )
    with _filled(succession, index, labels) as (engine, numbers, broken), alarm_after(broken):
        _expect_known(engine, numbers, wanted)
        rows = _found(engine, numbers, succession, wanted, labels)
        write_atomically(out, _as_file(rows, out.suffix))
        typer.echo(f"{count(len(rows), 'event')} in {out}")


def watch_command(
    deployment: DeploymentFile,
    rpc: RPCURL,
    compare_rpc: CompareURL = None,
    finality: FinalityChoice = "latest",
    index: IndexPlace = None,
    site: SiteName = None,
    lineage: LineageSlug = None,
    kind: EventKind = None,
    names: NamesFile = None,
    name: NameSlugs = None,
    poll_seconds: Annotated[float, typer.Option("--poll-seconds", min=0.1, help="How often to look.")] = 2.0,
    as_json: AsJSON = False,
) -> None:
    """Show what happens from now on, until Ctrl-C."""
    wanted = parse_search(site, lineage, None, kind, None, None, None, None, None, None)
    labels = _labels(names, name, site, lineage)
    ledger = connect_ledger(ChainOptions(deployment, rpc, compare_rpc, finality))
    lookout = None if index else Lookout(ledger.identity, labels)
    with _filled_with([_Source(ledger, lookout.take if lookout else _ignore)], index) as (engine, (number,)):
        shown = deque(search(engine, number, wanted), maxlen=_REMEMBERED)
        silent = False
        while True:
            if lookout:
                lookout.look(engine, number)
            time.sleep(poll_seconds)
            try:
                for row in trail(_news(engine, number, ledger, wanted, shown), labels):
                    typer.echo(_json_line(row) if as_json else trail_line(row))
            except LedgerUnavailableError as error:
                if not silent:
                    typer.echo(f"{error}; watching on", err=True)
                silent = True
            else:
                silent = False


def _as_file(rows: Sequence[TrailRow], suffix: str) -> bytes:
    if suffix == ".csv":
        stream = StringIO(newline="")
        csv.writer(stream).writerows(trail_csv(rows))
        return stream.getvalue().encode("utf-8")
    return "".join(f"{_json_line(row)}\n" for row in rows).encode("utf-8")


def _news(
    engine: Engine, number: int, ledger: Ledger, wanted: Search, shown: deque[LocatedEvent]
) -> Iterator[LocatedEvent]:
    """Events since the last look; what left the chain is called back first.

    Raises:
        LedgerUnavailableError: No answer; the next look goes on from here.
    """
    fill(engine, ledger)
    void = 0
    while shown and ledger.block_hash(shown[-1].position.block_number) != shown[-1].position.block_hash:
        shown.pop()
        void += 1
    if void:
        typer.echo(f"the chain reorganised: of what was shown, the newest is void ({count(void, 'event')})", err=True)
    for located in search(engine, number, wanted.later_than(shown[-1].position if shown else None)):
        shown.append(located)
        yield located


def _succession(chain: ChainOptions, older: list[Path] | None, older_rpc: str | None) -> Succession:
    """The deployment and those before it; the links between them are said."""
    succession = open_succession(chain, older or (), older_rpc)
    for sentence in succession.sentences():
        typer.echo(sentence, err=True)
    return succession


@contextmanager
def _filled(
    succession: Succession, index: str | None, labels: Names
) -> Iterator[tuple[Engine, tuple[int, ...], list[str]]]:
    """As ``_filled_with``, for a succession; the third part says which of the contract's rules its logs break.

    An index that was named is not read whole for that: ``fedrx audit check-index`` does it.
    """
    checked = [(chapter, CheckedHistory(chapter.ledger.identity, labels)) for chapter in succession.chapters]
    sources = [_Source(chapter.ledger, _ignore if index else found.take) for chapter, found in checked]
    with _filled_with(sources, index) as (engine, numbers):
        broken = [f"{succession.place_of(chapter)}{line}" for chapter, found in checked for line in found.broken()]
        yield engine, numbers, broken


@contextmanager
def _filled_with(sources: Sequence[_Source], index: str | None) -> Iterator[tuple[Engine, tuple[int, ...]]]:
    """An index in step with the chain: the one that was named, or one in memory that ends with the command."""
    engine = open_database(_IN_MEMORY if index is None else index)
    try:
        with progress_bar() as progress:
            task = progress.add_task("blocks", total=None)

            def show(block: int, head: int) -> None:
                progress.update(task, completed=block, total=head)

            numbers = tuple(fill(engine, source.ledger, show, added=source.take) for source in sources)
        yield engine, numbers
    finally:
        engine.dispose()


def _found(
    engine: Engine, numbers: Sequence[int], succession: Succession, wanted: Search, labels: Names
) -> list[TrailRow]:
    """What is wanted of all deployments, the oldest first; the newest events of all when only some are wanted."""
    parts: list[list[TrailRow]] = []
    left = wanted.newest
    for number, chapter in zip(numbers, succession.chapters, strict=True):
        if left == 0:
            break
        contract = None if chapter is succession.newest else chapter.deployment.contract_address
        rows = list(trail(search(engine, number, replace(wanted, newest=left)), labels, contract))
        left = None if left is None else left - len(rows)
        parts.append(rows)
    return [row for rows in reversed(parts) for row in rows]


def _expect_known(engine: Engine, numbers: Sequence[int], wanted: Search) -> None:
    """A name with a slip in it must not read as "nothing happened"."""
    for what, alone in (
        ("site", Search(site_id=wanted.site_id, newest=1)),
        ("lineage", Search(lineage_id=wanted.lineage_id, newest=1)),
    ):
        if alone != Search(newest=1) and not any(list(search(engine, number, alone)) for number in numbers):
            raise ConfigError(f"the chain knows no such {what}", hint="check the spelling of the slug")


def _labels(names: Path | None, slugs: Iterable[str] | None, *asked: str | None) -> Names:
    return read_names(names, [*(slugs or ()), *(slug for slug in asked if slug)])


def _json_line(row: TrailRow) -> str:
    return json.dumps(row.as_json(), ensure_ascii=False)
