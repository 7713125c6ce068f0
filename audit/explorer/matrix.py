"""Who took part in which round: one row a site, one column a round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from audit.explorer.marks import Mark, judged
from audit.explorer.paths import tx_path
from audit.names import Names
from protocol.history import History, RoundView
from protocol.identifiers import SiteId, TxHash
from protocol.round import RoundState


@dataclass(frozen=True, slots=True)
class Cell:
    """One site in one round."""

    mark: Mark
    says: str
    tx_hash: TxHash | None
    """Of the registration."""


@dataclass(frozen=True, slots=True)
class SiteRow:
    """One site in some rounds."""

    site_id: SiteId
    label: str
    standing: str
    """Empty for a site that may take part."""
    cells: tuple[Cell | None, ...]
    """In the order of the rounds; None where the site was not asked."""

    @property
    def drawn(self) -> Markup:
        """The cells as HTML; written here because a template takes a second for ten thousand of them."""
        return Markup("".join(map(_drawn, self.cells)))  # noqa: S704 - each cell is HTML already


def matrix(history: History, views: Sequence[RoundView], names: Names, now: int) -> tuple[SiteRow, ...]:
    """The rows of all sites that were asked or are members, in the order in which they were admitted.

    Args:
        history: The network.
        views: The rounds.
        names: Of sites.
        now: Seconds since 1970, on the chain's clock.
    """
    registered = [{each.event.site_id: each for each in judged(view)} for view in views]
    rows = []
    for site in sorted(history.sites.values(), key=lambda one: one.ordinal):
        cells: list[Cell | None] = []
        for view, mine in zip(views, registered, strict=True):
            found = mine.get(site.site_id)
            if found is not None:
                cells.append(Cell(found.mark, found.says, found.one.registration.position.tx_hash))
            elif view.selects(site):
                mark = Mark.EXPECTED if view.state(now) is RoundState.OPEN else Mark.MISSING
                cells.append(Cell(mark, mark.word, None))
            else:
                cells.append(None)
        standing = "left" if site.left else "suspended" if site.suspended else ""
        if not site.left or any(cells):
            rows.append(SiteRow(site.site_id, names.label(site.site_id), standing, tuple(cells)))
    return tuple(rows)


_NOT_ASKED = "<td></td>"
_PLAIN = {mark: f'<td><span class="{mark.look}">{mark.letter}</span></td>' for mark in Mark}
_OPENED = {mark: f'<td><a class="{mark.look}" href="' for mark in Mark}
_ENDED = {mark: f'">{mark.letter}</a></td>' for mark in Mark}


def _drawn(cell: Cell | None) -> str:
    """HTML, in plain text: to escape ten thousand times what cannot need it takes longer than all else."""
    if cell is None:
        return _NOT_ASKED
    if cell.tx_hash is None:
        return _PLAIN[cell.mark]
    # What the legend says of the letter need not be said again in each cell.
    why = f'" title="{escape(cell.says)}' if cell.mark is Mark.REFUSED else ""
    return _OPENED[cell.mark] + tx_path(cell.tx_hash) + why + _ENDED[cell.mark]
