"""Bars and points over rounds, drawn as SVG without a script or a style of its own; each column leads to its round."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH, HEIGHT = 560, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 8, 12, 34
_MOST_TICKS = 10
_GAP = 0.16
"""Of a column."""
_DOT = 4.5
"""Radius of a point."""
_LEAST = 1.5
"""Units of height below which nobody sees a bar."""


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a bar."""

    look: str
    """The style has a colour and a pattern for each."""
    value: int


@dataclass(frozen=True, slots=True)
class Bar:
    """One round."""

    number: int
    href: str
    says: str
    parts: tuple[Part, ...]
    """From the bottom up."""
    flag: str = ""
    """A character above the axis' number, where the round made no model."""

    @property
    def value(self) -> int:
        """Of all parts."""
        return sum(part.value for part in self.parts)


def bar_chart(title: str, bars: Sequence[Bar]) -> Markup:
    """A chart as inline SVG; empty without bars.

    Args:
        title: What a screen reader says of it; the numbers stand in a table too.
        bars: Oldest round first.
    """
    if not bars:
        return Markup()
    top = _round_up(max(bar.value for bar in bars))
    step = (WIDTH - _LEFT - _RIGHT) / len(bars)
    parts = [_frame(top)]
    every = -(-len(bars) // _MOST_TICKS)
    for place, bar in enumerate(bars):
        parts.append(_column(bar, _LEFT + place * step, step, top))
        if place % every == 0:
            parts.append(_number(bar.number, _LEFT + (place + 0.5) * step))
    return _svg(title, parts)


@dataclass(frozen=True, slots=True)
class Point:
    """One round's share of something, with the interval in which it may be."""

    number: int
    href: str
    says: str
    share: float | None
    """In 0 … 1; None where there is nothing to draw."""
    low: float = 0.0
    high: float = 0.0
    look: str = ""
    """A second class of the style."""


def interval_chart(title: str, points: Sequence[Point], level: float | None) -> Markup:
    """Shares with their intervals, in per cent, as inline SVG; empty where no share is known.

    Args:
        title: What a screen reader says of it; the numbers stand in a table too.
        points: Oldest round first.
        level: A share from which the rounds set out, drawn as a line.
    """
    known = [point for point in points if point.share is not None]
    if not known:
        return Markup()
    around = [] if level is None else [level]
    # The axis need not begin at nothing: bars are compared by their lengths, points by their places.
    bottom = math.floor(10 * min([point.low for point in known] + around)) / 10
    top = max(math.ceil(10 * max([point.high for point in known] + around)) / 10, bottom + 0.1)
    step = (WIDTH - _LEFT - _RIGHT) / len(points)
    parts = [_percent_frame(bottom, top)]
    if level is not None:
        y = _y((level - bottom) / (top - bottom))
        parts.append(
            Markup('<line class="level" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(_LEFT, WIDTH - _RIGHT, y, y)
        )
    every = -(-len(points) // _MOST_TICKS)
    for place, point in enumerate(points):
        x = _LEFT + place * step
        if point.share is not None:
            parts.append(_dot(point, x, step, bottom, top))
        if place % every == 0:
            parts.append(_number(point.number, x + step / 2))
    return _svg(title, parts)


def short_number(value: int) -> str:
    """A number as an axis has room for it."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= size:
            return f"{value / size:.3g} {letter}"
    return str(value)


def _svg(title: str, parts: Sequence[Markup]) -> Markup:
    head = Markup('<svg class="bars" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(WIDTH, HEIGHT, title)
    return head + Markup().join(parts) + Markup("</svg>")


def _number(number: int, x: float) -> Markup:
    return Markup('<text class="tick middle" x="{}" y="{}">{}</text>').format(round(x, 1), HEIGHT - 6, number)


def _frame(top: int) -> Markup:
    return Markup().join(
        _grid(share, short_number(round(top * share))) for share in (0.0, 0.5, 1.0) if share != 0.5 or top % 2 == 0
    )


def _percent_frame(bottom: float, top: float) -> Markup:
    ends = (0.0, bottom), (0.5, (bottom + top) / 2), (1.0, top)
    return Markup().join(_grid(place, f"{100 * share:.0f}") for place, share in ends)


def _grid(share: float, text: str) -> Markup:
    y = _y(share)
    return Markup(
        '<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/><text class="tick" x="{}" y="{}">{}</text>'
    ).format(_LEFT - 4, WIDTH - _RIGHT, y, y, _LEFT - 10, y + 5, text)


def _column(bar: Bar, x: float, step: float, top: int) -> Markup:
    gap = min(step * _GAP, 3.0)
    left, width = round(x + gap / 2, 2), round(step - gap, 2)
    drawn, below = [], 0
    for part in bar.parts:
        if part.value:
            high, low = _y((below + part.value) / top), _y(below / top)
            height = max(_LEAST, round(low - high, 1))
            drawn.append(
                Markup('<rect class="%s" x="%s" y="%s" width="%s" height="%s"/>')
                % (part.look, left, round(low - height, 1), width, height)
            )
            below += part.value
    if bar.flag:
        drawn.append(
            Markup('<text class="flagged" x="{}" y="{}">{}</text>').format(
                round(x + step / 2, 1), round(_y(bar.value / top) - 3, 1), bar.flag
            )
        )
    return _target(bar.href, bar.says, x, step, Markup().join(drawn))


def _dot(point: Point, x: float, step: float, bottom: float, top: float) -> Markup:
    middle, radius = round(x + step / 2, 1), round(min(_DOT, step * 0.45), 1)
    share, low, high = (_y((value - bottom) / (top - bottom)) for value in (point.share or 0.0, point.low, point.high))
    drawn = Markup(
        '<line class="interval" x1="%s" x2="%s" y1="%s" y2="%s"/><circle class="share %s" cx="%s" cy="%s" r="%s"/>'
    ) % (middle, middle, low, high, point.look, middle, share, radius)
    return _target(point.href, point.says, x, step, drawn)


def _target(href: str, says: str, x: float, step: float, drawn: Markup) -> Markup:
    # The whole column is the target; the keyboard finds the same links in the table.
    return Markup(
        '<a href="%s" tabindex="-1"><title>%s</title><rect class="whole" x="%s" y="%s" width="%s" height="%s"/>%s</a>'
    ) % (href, says, round(x, 2), _TOP, round(step, 2), HEIGHT - _BOTTOM - _TOP, drawn)


def _y(share: float) -> float:
    return round(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), 1)


def _round_up(value: int) -> int:
    """The next number with one digit and zeros, or an even one, so that the axis reads well."""
    size: int = 10 ** max(0, len(str(value)) - 1)
    for step in (1, 2, 4, 5, 6, 8, 10):
        if value <= step * size:
            return max(1, step * size)
    raise ValueError(value)
