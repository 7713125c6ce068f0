"""Bars over rounds, drawn as SVG without a script or a style of its own; each column leads to its round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH, HEIGHT = 560, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 8, 12, 34
_MOST_TICKS = 10
_GAP = 0.16
"""Of a column."""
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
            x = round(_LEFT + (place + 0.5) * step, 1)
            parts.append(Markup('<text class="tick middle" x="{}" y="{}">{}</text>').format(x, HEIGHT - 6, bar.number))
    head = Markup('<svg class="bars" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(WIDTH, HEIGHT, title)
    return head + Markup().join(parts) + Markup("</svg>")


def short_number(value: int) -> str:
    """A number as an axis has room for it."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= size:
            return f"{value / size:.3g} {letter}"
    return str(value)


def _frame(top: int) -> Markup:
    lines = []
    for share in (0.0, 0.5, 1.0):
        y = _y(share)
        if share == 0.5 and top % 2:
            continue
        lines.append(
            Markup('<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/><text class="tick" x="{}" y="{}">{}</text>')
            .format(_LEFT - 4, WIDTH - _RIGHT, y, y, _LEFT - 10, y + 5, short_number(round(top * share)))
        )  # fmt: skip
    return Markup().join(lines)


def _column(bar: Bar, x: float, step: float, top: int) -> Markup:
    gap = min(step * _GAP, 3.0)
    left, width = round(x + gap / 2, 2), round(step - gap, 2)
    drawn, below = [], 0
    for part in bar.parts:
        if part.value:
            high, low = _y((below + part.value) / top), _y(below / top)
            height = max(_LEAST, round(low - high, 1))
            drawn.append(
                Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>').format(
                    part.look, left, round(low - height, 1), width, height
                )
            )
            below += part.value
    if bar.flag:
        drawn.append(
            Markup('<text class="flagged" x="{}" y="{}">{}</text>').format(
                round(x + step / 2, 1), round(_y(bar.value / top) - 3, 1), bar.flag
            )
        )
    # The whole column is the target; the keyboard finds the same links in the table.
    return Markup(
        '<a href="{}" tabindex="-1"><title>{}</title><rect class="whole" x="{}" y="{}" width="{}" height="{}"/>{}</a>'
    ).format(bar.href, bar.says, round(x, 2), _TOP, round(step, 2), HEIGHT - _BOTTOM - _TOP, Markup().join(drawn))


def _y(share: float) -> float:
    return round(HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM), 1)


def _round_up(value: int) -> int:
    """The next number with one digit and zeros, or an even one, so that the axis reads well."""
    size: int = 10 ** max(0, len(str(value)) - 1)
    for step in (1, 2, 4, 5, 6, 8, 10):
        if value <= step * size:
            return max(1, step * size)
    raise ValueError(value)
