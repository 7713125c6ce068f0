"""What the person at the terminal sees: steps as they happen, and the last screen."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from learning.evaluation import Score
from protocol.history import RoundView
from protocol.identifiers import SiteId
from protocol.ledger_events import RoundFailed, RoundFinalized
from protocol.verdicts import VerdictCode, explain


@dataclass
class Screen:
    """Prints steps with their times; remembers where the time went."""

    console: Console = field(default_factory=lambda: Console(emoji=False))
    spent: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """One step: a spinner while it runs, a line with its time when it is done."""
        begun = time.monotonic()
        with self.console.status(f"{title} …"):
            yield
        seconds = time.monotonic() - begun
        self.spent[title] = self.spent.get(title, 0.0) + seconds
        self.console.print(f"[green]✓[/green] {title} [dim]{seconds:.1f} s[/dim]", highlight=False)

    def say(self, text: str) -> None:
        """A line below the current step."""
        self.console.print(f"  [dim]·[/dim] {text}", highlight=False, soft_wrap=True)

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self.started


def verdict_table(rounds: Sequence[RoundView], names: dict[SiteId, str]) -> Table:
    """Verdicts per round and site; refusals by name."""
    table = Table("site", *(f"round {view.opened.round}" for view in rounds), title="Verdicts", title_justify="left")
    sites = sorted({r.event.site_id for view in rounds for r in view.registrations}, key=lambda s: names.get(s, ""))
    for site_id in sites:
        table.add_row(names.get(site_id, str(site_id)[:10]), *(_verdict_cell(view, site_id) for view in rounds))
    return table


def _verdict_cell(view: RoundView, site_id: SiteId) -> str:
    registration = view.registration_of(site_id)
    if registration is None:
        return "[dim]—[/dim]"
    if not isinstance(view.outcome, RoundFinalized | RoundFailed):
        return "open"
    code = VerdictCode(view.outcome.codes[registration.event.index])
    if code is VerdictCode.ACCEPTED:
        return f"[green]accepted[/green] weight {registration.event.weight}"
    return f"[red]{code.name}[/red]: {explain(code).why}"


def accuracy_table(rows: Sequence[tuple[str, Score]], title: str) -> Table:
    """Accuracies with their 95 % intervals."""
    table = Table("reader", "right", "accuracy", "95 % interval", title=title, title_justify="left")
    for name, score in rows:
        table.add_row(
            name, f"{score.correct}/{score.total}", f"{score.accuracy:.1%}", f"{score.low:.1%} … {score.high:.1%}"
        )
    return table


@dataclass(frozen=True, slots=True)
class Cost:
    """What one kind of call cost."""

    call: str
    times: int
    gas: int
    """Mean gas of a call."""
    sent_bytes: int
    """Mean bytes given to IPFS with it; 0 where nothing is."""


def cost_table(rows: Sequence[Cost]) -> Table:
    """Gas and bytes per kind of call."""
    table = Table("call", "times", "gas each", "bytes to IPFS", title="What it cost", title_justify="left")
    for row in rows:
        sent = f"{row.sent_bytes:,}" if row.sent_bytes else ""
        table.add_row(row.call, str(row.times), f"{row.gas:,}", sent)
    return table


def time_table(spent: dict[str, float]) -> Table:
    """Where the time went, longest first."""
    table = Table("step", "seconds", title="Where the time went", title_justify="left")
    for name, seconds in sorted(spent.items(), key=lambda item: -item[1])[:10]:
        table.add_row(name, f"{seconds:.1f}")
    return table


def further(console: Console, commands: Sequence[tuple[str, str]], *, kept: bool) -> None:
    """How to look further: each command alone on its line, to be copied whole."""
    head = "The network is still up; Ctrl-C ends it. Try:" if kept else "KEEP=1 leaves the network up, to try:"
    console.print(f"\n{head}")
    for command, what in commands:
        console.print(f"\n# {what}", style="dim", highlight=False)
        console.print(command, style="bold", highlight=False, soft_wrap=True)
