"""Plots of shares over rounds, drawn as SVG without a script or a style of its own.

Lines differ by dash and dot as well as by colour: nobody has to tell two colours apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

WIDTH, HEIGHT = 560, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 78, 22, 16, 62
_GRID = (0.0, 0.25, 0.5, 0.75, 1.0)
_MOST_TICKS = 8
_ROOMY = 24.0
"""Units between two rounds from which on dots have their full size."""
_SMALLEST_DOT = 0.35

Look = Literal["global", "own", "used"]
"""page.css has a colour and a dash for each."""


@dataclass(frozen=True, slots=True)
class Point:
    """One value and its interval."""

    round: int
    share: float
    """0 to 1."""
    low: float
    """0 to 1."""
    high: float
    """0 to 1."""


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a plot."""

    name: str
    look: Look
    points: tuple[Point, ...]
    """In the order of their rounds."""


def line_plot(title: str, series: Sequence[Series]) -> Markup:
    """A plot as inline SVG; empty when no series has a point.

    Args:
        title: What a screen reader says of it.
        series: Lines over one axis of rounds; the first one lies on top, over the band of its intervals.
    """
    rounds = sorted({point.round for line in series for point in line.points})
    if not rounds:
        return Markup()
    scale = _Scale(rounds[0], rounds[-1])
    parts = [_frame(scale, rounds), _band(series[0], scale) if series[0].points else Markup()]
    parts += [_line(line, scale) for line in reversed(series)]
    head = Markup('<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(WIDTH, HEIGHT, title)
    return head + Markup().join(parts) + Markup("</svg>")


def plot_legend(series: Sequence[Series]) -> Markup:
    """The names of the lines, each beside a piece of it; lines without a point are left out."""
    return Markup(" ").join(
        Markup(
            '<span><svg class="key" viewBox="0 0 44 20" aria-hidden="true">'
            '<polyline class="line {}" points="1,10 43,10"/>{}</svg> {}</span>'
        ).format(line.look, _dot(line.look, 22, 10, 1.0), line.name)
        for line in series
        if line.points
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    first: int
    last: int

    def x(self, number: int) -> float:
        span = self.last - self.first
        share = 0.5 if span == 0 else (number - self.first) / span
        return round(_LEFT + share * (WIDTH - _LEFT - _RIGHT), 1)

    def y(self, share: float) -> float:
        return round(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), 1)

    @property
    def dot_size(self) -> float:
        """So that the dots of neighbouring rounds do not hide each other; 1 is full size."""
        apart = (WIDTH - _LEFT - _RIGHT) / max(1, self.last - self.first)
        return max(_SMALLEST_DOT, min(1.0, apart / _ROOMY))


def _frame(scale: _Scale, rounds: Sequence[int]) -> Markup:
    left, right = _LEFT - 12, WIDTH - _RIGHT + 12
    parts = [
        Markup('<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/><text class="tick" x="{}" y="{}">{}</text>').format(
            left, right, scale.y(share), scale.y(share), left - 8, scale.y(share) + 5, f"{share:.0%}"
        )
        for share in _GRID
    ]
    every = -(-len(rounds) // _MOST_TICKS)
    ticks = [(scale.x(number), HEIGHT - 36, str(number)) for number in rounds[::every]]
    ticks.append(((_LEFT + WIDTH - _RIGHT) / 2, HEIGHT - 8, "round"))
    parts += [Markup('<text class="tick middle" x="{}" y="{}">{}</text>').format(*tick) for tick in ticks]
    return Markup().join(parts)


def _band(line: Series, scale: _Scale) -> Markup:
    above = [f"{scale.x(point.round)},{scale.y(point.high)}" for point in line.points]
    below = [f"{scale.x(point.round)},{scale.y(point.low)}" for point in reversed(line.points)]
    return Markup('<polygon class="band {}" points="{}"/>').format(line.look, " ".join(above + below))


def _line(line: Series, scale: _Scale) -> Markup:
    path = " ".join(f"{scale.x(point.round)},{scale.y(point.share)}" for point in line.points)
    dots = [
        Markup("<g>{}<title>{}</title></g>").format(
            _dot(line.look, scale.x(p.round), scale.y(p.share), scale.dot_size),
            f"{line.name}, round {p.round}: {p.share:.1%}",
        )
        for p in line.points
    ]
    return Markup('<polyline class="line {}" points="{}"/>').format(line.look, path) + Markup().join(dots)


def _dot(look: Look, x: float, y: float, size: float) -> Markup:
    """A disc, a diamond, or a frame: the frame of the model in use goes round the dot of the model that it is."""
    if look == "global":
        return Markup('<circle class="dot global" cx="{}" cy="{}" r="{}"/>').format(x, y, round(4.5 * size, 1))
    if look == "own":
        reach = round(7 * size, 1)
        return Markup('<path class="dot own" d="M{} {}l{} {} -{} {} -{} -{}z"/>').format(
            x, round(y - reach, 1), reach, reach, reach, reach, reach, reach
        )
    reach = round(9 * size, 1)
    return Markup('<rect class="dot used" x="{}" y="{}" width="{}" height="{}"/>').format(
        round(x - reach, 1), round(y - reach, 1), 2 * reach, 2 * reach
    )
