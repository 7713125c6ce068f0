"""Plots of shares over rounds, drawn as SVG without a script or a style of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH, HEIGHT = 640, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 16, 14, 38
_GRID = (0.0, 0.25, 0.5, 0.75, 1.0)
_MOST_TICKS = 12


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
    look: str
    """``global`` or ``local``; page.css knows both."""
    points: tuple[Point, ...]
    """In the order of their rounds."""


def line_plot(title: str, series: Sequence[Series]) -> Markup:
    """A plot as inline SVG; empty when no series has a point.

    Args:
        title: What a screen reader says of it.
        series: Lines over one axis of rounds.
    """
    rounds = sorted({point.round for line in series for point in line.points})
    if not rounds:
        return Markup()
    scale = _Scale(rounds[0], rounds[-1])
    parts = [_frame(scale, rounds)]
    parts += [_band(line, scale) for line in series if len(line.points) > 1]
    parts += [_line(line, scale) for line in series]
    head = Markup('<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(WIDTH, HEIGHT, title)
    return head + Markup().join(parts) + Markup("</svg>")


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


def _frame(scale: _Scale, rounds: Sequence[int]) -> Markup:
    parts = [
        Markup('<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/><text class="tick" x="{}" y="{}">{}</text>').format(
            _LEFT, WIDTH - _RIGHT, scale.y(share), scale.y(share), _LEFT - 8, scale.y(share) + 4, f"{share:.0%}"
        )
        for share in _GRID
    ]
    every = -(-len(rounds) // _MOST_TICKS)
    parts += [
        Markup('<text class="tick middle" x="{}" y="{}">{}</text>').format(scale.x(number), HEIGHT - 12, number)
        for number in rounds[::every]
    ]
    return Markup().join(parts)


def _band(line: Series, scale: _Scale) -> Markup:
    above = [f"{scale.x(point.round)},{scale.y(point.high)}" for point in line.points]
    below = [f"{scale.x(point.round)},{scale.y(point.low)}" for point in reversed(line.points)]
    return Markup('<polygon class="band {}" points="{}"/>').format(line.look, " ".join(above + below))


def _line(line: Series, scale: _Scale) -> Markup:
    path = " ".join(f"{scale.x(point.round)},{scale.y(point.share)}" for point in line.points)
    dots = [
        Markup('<circle class="dot {}" cx="{}" cy="{}" r="4"><title>{}</title></circle>').format(
            line.look, scale.x(p.round), scale.y(p.share), f"{line.name}, round {p.round}: {p.share:.1%}"
        )
        for p in line.points
    ]
    return Markup('<polyline class="line {}" points="{}"/>').format(line.look, path) + Markup().join(dots)
