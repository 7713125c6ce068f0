"""The first screen: a lineage's rounds, who took part in them, how well their models read, consent, gas and bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from audit.explorer import paths
from audit.explorer.charts import Bar, Part, Point, bar_chart, interval_chart
from audit.explorer.marks import Mark
from audit.explorer.matrix import matrix
from audit.explorer.screens import explorer_of, grouped, show
from audit.explorer.timeline import RoundLine, round_lines, window
from audit.given import parse_lineage, parse_site
from audit.index.searching import Search
from audit.lineage import find_model, publications
from audit.sentences import count
from audit.trail import trail
from protocol.errors import ConfigError
from protocol.identifiers import Digest, TxHash

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from markupsafe import Markup

    from audit.accuracy import ScoredModel
    from audit.explorer.chronicle import Seen
    from audit.explorer.screens import Explorer
    from protocol.history import History, LineageView

router = APIRouter()

ROUNDS, MOST_ROUNDS = 40, 200
"""On one screen: so many fit beside each other; all when somebody asks for them."""
_CONSENT_EVENTS = 12
_CONSENT_KINDS = frozenset({"consent-root-published", "consent-withdrawn"})
_FLAGS = {"failed": "✕", "aborted": "∅", "open": "○", "closed": "○"}
_MAX_ASKED_CHARACTERS = 100


@router.get("/")
def overview(
    request: Request,
    lineage: str | None = None,
    last: Annotated[int | None, Query(ge=0)] = None,
    rounds: Annotated[int, Query(ge=1, le=MOST_ROUNDS)] = ROUNDS,
) -> Response:
    """Rounds of one lineage; of the one that was busy last when none is named."""
    explorer = explorer_of(request)
    consent = list(trail(explorer.chronicle.find(Search(kinds=_CONSENT_KINDS, newest=_CONSENT_EVENTS)), explorer.names))
    with explorer.chronicle.seen() as seen:
        chosen = _chosen(seen.history, lineage)
        if chosen is None:
            return show(explorer, "nothing.html", seen)
        shown = window(sorted(chosen.rounds), last, rounds)
        lines = _lines(explorer, seen, chosen, shown.numbers)
        scored = _scored(explorer, lines)
        genesis = explorer.accuracy.of(chosen.created.lineage_id, chosen.created.model_digest, None)
        return show(
            explorer,
            "overview.html",
            seen,
            lineage=chosen,
            lineages=tuple(seen.history.lineages),
            window=shown,
            asked_rounds=rounds,
            most_rounds=MOST_ROUNDS,
            lines=lines,
            charts=_charts(lines),
            scored=scored,
            genesis=genesis,
            accuracy=_accuracy_chart(lines, scored, genesis),
            sources=explorer.accuracy.sources(chosen.created.lineage_id),
            rows=matrix(seen.history, [line.view for line in lines], explorer.names, seen.head.timestamp),
            marks=tuple(Mark),
            consent=consent[::-1],
            sites=sum(site.active for site in seen.history.sites.values()),
            roots=sum(len(each.roots) for each in seen.history.consents.values()),
        )


@router.get("/find")
def find(request: Request, q: Annotated[str, Query(max_length=_MAX_ASKED_CHARACTERS)] = "") -> Response:
    """Leads to whatever has this slug, id, digest or transaction hash, or to the round of this number."""
    explorer, asked = explorer_of(request), q.strip()
    with explorer.chronicle.seen() as seen:
        path = _named(seen.history, asked)
        if path is None and asked.startswith("0x"):
            path = _digested(explorer, seen.history, asked)
    if path is None:
        raise ConfigError(
            f"nothing on the chain is called {asked!r:.80}", hint="give a slug, a round, or an id or digest as a whole"
        )
    return RedirectResponse(path, status_code=303)


def _chosen(history: History, named: str | None) -> LineageView | None:
    if named is not None:
        lineage_id = parse_lineage(named)
        if lineage_id not in history.lineages:
            raise ConfigError("the chain knows no such lineage", hint="check the spelling of the slug")
        return history.lineages[lineage_id]
    return max(history.lineages.values(), key=_newest, default=None)


def _newest(lineage: LineageView) -> int:
    newest = lineage.rounds.get(lineage.last_round)
    return (lineage.created_at if newest is None else newest.opened_at).block_number


def _lines(explorer: Explorer, seen: Seen, lineage: LineageView, numbers: tuple[int, ...]) -> tuple[RoundLine, ...]:
    if not numbers:
        return ()
    costs = explorer.chronicle.costs.of_rounds(lineage.created.lineage_id, numbers[0], numbers[-1])
    return round_lines(seen.history, lineage, numbers, costs, seen.head.timestamp)


def _scored(explorer: Explorer, lines: Sequence[RoundLine]) -> dict[int, ScoredModel]:
    """How well the models of rounds read, where a scores file says it."""
    found = {}
    for line in lines:
        opened = line.view.opened
        if line.model is not None:
            scored = explorer.accuracy.of(opened.lineage_id, line.model, opened.parent_digest)
            if scored is not None:
                found[line.number] = scored
    return found


def _accuracy_chart(
    lines: Sequence[RoundLine], scored: Mapping[int, ScoredModel], genesis: ScoredModel | None
) -> Markup:
    points = []
    for line in lines:
        path, one = paths.round_path(line.view.opened.lineage_id, line.number), scored.get(line.number)
        if one is None:
            points.append(Point(line.number, path, "", None))
        else:
            unsure = one.movement is not None and not one.movement.more_than_chance
            says, look = f"Round {line.number}: {one.sentence}", "unsure" if unsure else "sure"
            points.append(Point(line.number, path, says, one.share, one.low, one.high, look))
    level = None if genesis is None else genesis.share
    return interval_chart("Words read right in per cent, round by round", points, level)


def _charts(lines: Sequence[RoundLine]) -> tuple[tuple[str, Markup], ...]:
    """Title and drawing of each."""
    drawn: tuple[tuple[str, Callable[[RoundLine], tuple[Part, ...]]], ...] = (
        ("Updates", _update_parts),
        ("Weight of the accepted updates", lambda line: (Part("weight", line.weight),)),
        ("Gas", lambda line: (Part("gas", line.cost.gas_used),)),
        ("Bytes sent to the contract", lambda line: (Part("bytes", line.cost.call_bytes),)),
        ("Seconds from opening to outcome", lambda line: (Part("seconds", line.seconds or 0),)),
        (
            "Consent since the round before",
            lambda line: (Part("published", line.published), Part("withdrawn", line.withdrawn)),
        ),
    )
    return tuple((title, bar_chart(f"{title}, round by round", _bars(lines, parts))) for title, parts in drawn)


def _bars(lines: Sequence[RoundLine], parts: Callable[[RoundLine], tuple[Part, ...]]) -> list[Bar]:
    bars = []
    for line in lines:
        drawn, path = parts(line), paths.round_path(line.view.opened.lineage_id, line.number)
        if parts is _update_parts:
            bars.append(Bar(line.number, path, _says(line), drawn, _FLAGS.get(line.state, "")))
        else:
            says = ", ".join(f"{grouped(part.value)} {part.look}" for part in drawn)
            bars.append(Bar(line.number, path, f"Round {line.number}: {says}", drawn))
    return bars


def _update_parts(line: RoundLine) -> tuple[Part, ...]:
    out = sum(line.marks.get(mark, 0) for mark in (Mark.REFUSED, Mark.TAKEN_BACK))
    silent = sum(line.marks.get(mark, 0) for mark in (Mark.WAITING, Mark.VOID, Mark.EXPECTED, Mark.MISSING))
    return (Part("accepted", line.marks.get(Mark.ACCEPTED, 0)), Part("refused", out), Part("missing", silent))


def _says(line: RoundLine) -> str:
    stand = ", ".join(f"{number} {mark.word}" for mark, number in line.marks.items() if number)
    gas = f"{grouped(line.cost.gas_used)} gas" if line.cost.complete else "gas not all known yet"
    consent = f"{count(line.published, 'consent root')}, {count(line.withdrawn, 'withdrawal')}"
    return f"Round {line.number}, {line.state}: {stand}. Weight {line.weight}; {gas}; {consent}."


def _named(history: History, asked: str) -> str | None:
    """The path of a slug or a round's number."""
    if asked.isascii() and asked.isdigit():
        chosen = _chosen(history, None)
        number = int(asked)
        found = chosen is not None and number in chosen.rounds
        return paths.round_path(chosen.created.lineage_id, number) if chosen is not None and found else None
    if not asked:
        return "/"
    site, lineage = parse_site(asked), parse_lineage(asked)
    if site in history.sites:
        return paths.site_path(site)
    return paths.lineage_path(lineage) if lineage in history.lineages else None


def _digested(explorer: Explorer, history: History, asked: str) -> str | None:
    digest = Digest.from_hex(asked)
    if find_model(history, digest):
        return paths.model_path(digest)
    if publications(history, digest):
        return paths.consent_path(digest)
    tx_hash = TxHash(bytes(digest))
    return paths.tx_path(tx_hash) if explorer.chronicle.find(Search(tx_hash=tx_hash, newest=1)) else None
