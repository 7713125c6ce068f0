"""Rounds of a lineage one after another: who took part, what came out, what consent and gas there was."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from audit.explorer.marks import Mark, judged
from audit.index.costs import CostSum
from protocol import ledger_events as ev
from protocol.history import History, LineageView, RoundView
from protocol.identifiers import Digest
from protocol.ledger_events import Position
from protocol.round import RoundState


@dataclass(frozen=True, slots=True)
class RoundLine:
    """One round."""

    view: RoundView
    state: str
    """In lower-case letters, such as ``finalized``."""
    marks: Mapping[Mark, int]
    """How many sites stand how; those that registered nothing too."""
    weight: int
    """Of the accepted updates together."""
    published: int
    """Consent roots published since the round before was opened."""
    withdrawn: int
    """Withdrawals since then."""
    cost: CostSum

    @property
    def number(self) -> int:
        """The round."""
        return self.view.opened.round

    @property
    def model(self) -> Digest | None:
        """What it made."""
        return self.view.outcome.model_digest if isinstance(self.view.outcome, ev.RoundFinalized) else None

    @property
    def seconds(self) -> int | None:
        """From its opening to its outcome."""
        ended = self.view.outcome_at
        return None if ended is None else ended.timestamp - self.view.opened_at.timestamp


@dataclass(frozen=True, slots=True)
class Window:
    """Some rounds of a lineage that stand together on a screen."""

    numbers: tuple[int, ...]
    """Rounds, oldest first."""
    older: int | None
    """Last round of the window before, if there is one."""
    newer: int | None
    """Last round of the window behind."""


def window(rounds: Sequence[int], last: int | None, count: int) -> Window:
    """The rounds up to one.

    Args:
        rounds: All rounds, oldest first.
        last: The last one wanted; the newest when None.
        count: How many at most.
    """
    end = len(rounds) if last is None else bisect_right(rounds, last)
    start = max(0, end - count)
    newer = rounds[min(end + count, len(rounds)) - 1] if end < len(rounds) else None
    return Window(tuple(rounds[start:end]), rounds[start - 1] if start else None, newer)


def round_lines(
    history: History, lineage: LineageView, numbers: Sequence[int], costs: Mapping[int, CostSum], now: int
) -> tuple[RoundLine, ...]:
    """The rounds of a window.

    Args:
        history: The network.
        lineage: Whose rounds.
        numbers: Which rounds, oldest first.
        costs: What their transactions cost, by round.
        now: Seconds since 1970, on the chain's clock.
    """
    opened = [lineage.rounds[number].opened_at for number in sorted(lineage.rounds)]
    place = {view_number: place for place, view_number in enumerate(sorted(lineage.rounds))}
    published = _by_round(opened, [at for consent in history.consents.values() for _, at in consent.roots.values()])
    withdrawn = _by_round(opened, [at for consent in history.consents.values() for _, at in consent.withdrawals])
    return tuple(
        _line(
            lineage.rounds[number],
            now,
            published[place[number]],
            withdrawn[place[number]],
            costs.get(number, CostSum()),
        )
        for number in numbers
    )


def _line(view: RoundView, now: int, published: int, withdrawn: int, cost: CostSum) -> RoundLine:
    marks: Counter[Mark] = Counter()
    weight = 0
    for each in judged(view):
        marks[each.mark] += 1
        weight += each.event.weight if each.mark is Mark.ACCEPTED else 0
    state = view.state(now)
    silent = Mark.EXPECTED if state is RoundState.OPEN else Mark.MISSING
    marks[silent] += view.selected_count - len(view.registrations)
    return RoundLine(view, state.name.lower(), marks, weight, published, withdrawn, cost)


def _by_round(opened: Sequence[Position], happened: Sequence[Position]) -> Counter[int]:
    """How often something happened before each opening and after the one before it, by the opening's place."""
    return Counter(bisect_right(opened, at) for at in happened)
