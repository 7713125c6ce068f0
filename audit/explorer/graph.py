"""The lineage as a drawing: models from the newest down, each with the updates that went into it or were refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from audit.explorer.marks import Mark

WIDTH = 540
_BOX_WIDTH, _BOX_HEIGHT, _SPINE = 136, 46, 68
_FIRST, _STEP, _LINE, _SIZE = 184, 37, 36, 13
_A_LINE = 10
"""Updates without a label beside each other."""
_MOST_LABELLED = 8
"""Updates of one round that have a label each, one below the other."""
_BETWEEN = 30
_OUTSIDE = frozenset({Mark.REFUSED, Mark.TAKEN_BACK, Mark.VOID})
"""Marks of updates that are in no model."""


@dataclass(frozen=True, slots=True)
class GraphUpdate:
    """An update of a round."""

    mark: Mark
    label: str
    says: str
    href: str


@dataclass(frozen=True, slots=True)
class GraphRound:
    """A round, or the genesis, and the model that it made."""

    title: str
    detail: str
    """Below the title: the model's digest, or why there is none."""
    href: str
    made: bool
    """Whether a model came out."""
    updates: tuple[GraphUpdate, ...] = ()
    below: Literal["parent", "earlier", "other"] = "parent"
    """Whether the next one down is its parent, an earlier round with others between, or of another lineage."""


def lineage_graph(title: str, rounds: Sequence[GraphRound], *, goes_on: bool) -> Markup:
    """The drawing as inline SVG; empty without rounds.

    Args:
        title: What a screen reader says of it; the same stands in a table.
        rounds: Newest first; what stands below is the parent.
        goes_on: Whether there is more below the last one.
    """
    if not rounds:
        return Markup()
    labelled = max(len(each.updates) for each in rounds) <= _MOST_LABELLED
    parts: list[Markup] = []
    y = 6
    for place, each in enumerate(rounds):
        height = _height(each, labelled=labelled)
        last = place == len(rounds) - 1
        if goes_on if last else each.below != "other":
            parts.append(_spine(y + _BOX_HEIGHT, y + height + _BETWEEN, dashed=last or each.below == "earlier"))
        parts += _updates(each, y, labelled=labelled)
        parts.append(_box(each, y))
        y += height + _BETWEEN
    head = Markup('<svg class="lineage" viewBox="0 0 {} {}" width="{}" role="img" aria-label="{}">').format(
        WIDTH, y if goes_on else y - _BETWEEN + 6, WIDTH, title
    )
    return head + Markup().join(parts) + Markup("</svg>")


def _height(each: GraphRound, *, labelled: bool) -> int:
    a_line = 1 if labelled else _A_LINE
    return max(_BOX_HEIGHT, _LINE * -(-len(each.updates) // a_line))


def _spine(top: int, bottom: int, *, dashed: bool) -> Markup:
    """From a parent up to what was made of it; without an arrow where something between is left out."""
    if dashed:
        return Markup('<path class="edge more" d="M{} {}V{}"/>').format(_SPINE, bottom, top)
    return Markup('<path class="edge" d="M{} {}V{}"/><path class="arrow" d="M{} {}l-5 9h10z"/>').format(
        _SPINE, bottom, top + 8, _SPINE, top
    )


def _box(each: GraphRound, y: int) -> Markup:
    look = "model" if each.made else "model none"
    return Markup(
        '<a href="{}" tabindex="-1"><rect class="{}" x="1" y="{}" width="{}" height="{}" rx="9"/>'
        '<text class="name" x="{}" y="{}">{}</text><text class="detail" x="{}" y="{}">{}</text></a>'
    ).format(
        each.href, look, y, _BOX_WIDTH, _BOX_HEIGHT, _SPINE, y + 20, each.title, _SPINE, y + 37, each.detail
    )  # fmt: skip


def _updates(each: GraphRound, y: int, *, labelled: bool) -> list[Markup]:
    if not each.updates:
        return []
    middle = y + _BOX_HEIGHT // 2
    a_line = 1 if labelled else _A_LINE
    centres = [
        (_FIRST + place % a_line * _STEP, middle + place // a_line * _LINE) for place in range(len(each.updates))
    ]
    drawn = list(zip(each.updates, centres, strict=True))
    # What was refused or taken back stands beside its round, and no line leads from it into the model.
    lines = list(dict.fromkeys(line for update, (_, line) in drawn if update.mark not in _OUTSIDE))
    parts = _gathered(lines, middle) if lines else []
    return parts + [_update(update, x, line, labelled=labelled) for update, (x, line) in drawn]


def _gathered(lines: Sequence[int], middle: int) -> list[Markup]:
    """An arrow into the box, and the lines of updates that lead to it."""
    gather = _BOX_WIDTH + 22
    arrow = Markup('<path class="edge" d="M{} {}H{}M{} {}V{}"/><path class="arrow" d="M{} {}l9 -5v10z"/>').format(
        gather, middle, _BOX_WIDTH + 9, gather, middle, lines[-1], _BOX_WIDTH + 1, middle
    )
    branch = Markup('<path class="edge" d="M{} {}H{}"/>')
    return [arrow, *(branch.format(_FIRST - _SIZE, line, gather) for line in lines)]


def _update(update: GraphUpdate, x: int, y: int, *, labelled: bool) -> Markup:
    label = Markup('<text class="label" x="{}" y="{}">{}</text>').format(x + _SIZE + 9, y + 5, update.label)
    return Markup(
        '<a href="{}" tabindex="-1"><title>{}</title>{}<text class="letter {}" x="{}" y="{}">{}</text>{}</a>'
    ).format(
        update.href, update.says, _shape(update.mark, x, y), update.mark.look, x, y + 5, update.mark.letter,
        label if labelled else "",
    )  # fmt: skip


def _shape(mark: Mark, x: int, y: int) -> Markup:
    """A disc for what is in the model, a square for what was refused, a diamond for what the site took back."""
    if mark is Mark.REFUSED:
        side = 2 * _SIZE - 2
        shape = Markup('<rect class="shape {}" x="{}" y="{}" width="{}" height="{}"/>')
        return shape.format(mark.look, x - side // 2, y - side // 2, side, side)
    if mark is Mark.TAKEN_BACK:
        reach = _SIZE + 2
        return Markup('<path class="shape {}" d="M{} {}l{} {} -{} {} -{} -{}z"/>').format(
            mark.look, x, y - reach, reach, reach, reach, reach, reach, reach
        )
    return Markup('<circle class="shape {}" cx="{}" cy="{}" r="{}"/>').format(mark.look, x, y, _SIZE)
