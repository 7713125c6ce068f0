"""A photographed page becomes an even, straight, grey page at a working size: the table of stages, and its run.

Each stage is a pure function in ``stages`` or ``page_outline`` and can be switched off; those that move pixels say
how to go back, so that a box on the prepared page is found on the page as it was loaded.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from prescriptions import stages
from prescriptions.page_outline import cut_page

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from prescriptions.stages import Grey, Staged


DONE = "done"
IDLE = "nothing to do"
OFF = "off"


@dataclass(frozen=True, slots=True)
class PreprocessSettings:
    """The working size, and which stages run."""

    min_side: int = 1000
    """The long side is scaled up to at least this many pixels, at most fourfold."""
    max_side: int = 1600
    """The long side is scaled down to at most this many pixels."""
    page: bool = True
    """Cut the page out of the table that it lies on, and undo the perspective; only where that is sure."""
    light: bool = True
    """Divide by the paper's brightness."""
    denoise: bool = True
    """Edge-preserving smoothing, about 20 ms a megapixel."""
    deskew: bool = True
    """Turn the lines level, up to 10 degrees."""
    contrast: bool = True
    """Spread the levels."""
    binarise: bool = False
    """Ink black, paper white. Engines read grey pages better."""
    words: bool = True
    """Part what an engine read as one word where the ink shows two."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One row of the table."""

    name: str
    """As in ``PreprocessSettings``; ``turn`` and ``size`` are always on."""
    says: str
    """What it does, for a caption."""
    apply: Callable[[Grey, PreprocessSettings], Staged]


STAGES = (
    Stage("page", "page found, perspective undone", lambda grey, _: cut_page(grey)),
    Stage("size", "working size", lambda grey, settings: stages.resize(grey, settings.min_side, settings.max_side)),
    Stage("light", "even light", lambda grey, _: stages.unmoved(stages.flatten_light(grey))),
    Stage("denoise", "less noise", lambda grey, _: stages.unmoved(stages.denoise(grey))),
    Stage("deskew", "lines level", lambda grey, _: stages.deskew(grey)),
    Stage("contrast", "full contrast", lambda grey, _: stages.unmoved(stages.stretch_contrast(grey))),
    Stage("binarise", "ink and paper", lambda grey, _: stages.unmoved(stages.binarise(grey))),
)


@dataclass(frozen=True, slots=True, eq=False)
class StageView:
    """What a stage made, kept for a person to look at."""

    name: str
    says: str
    grey: Grey
    milliseconds: float
    state: str
    """``DONE``, ``IDLE`` or ``OFF``."""


@dataclass(frozen=True, slots=True, eq=False)
class PreparedPage:
    """A page ready to be read."""

    grey: Grey
    """uint8, shape [height, width]: even paper near 245, dark ink, straight lines."""
    to_page: NDArray[np.float64]
    """Shape [3, 3]: maps prepared (x, y, 1) to pixels of the page as it was loaded, projectively."""
    skew_degrees: float
    """What was turned back, counter-clockwise positive."""
    views: tuple[StageView, ...] = ()
    """Every stage's picture in order, where they were asked for."""


def prepare(
    pixels: NDArray[np.uint8],
    settings: PreprocessSettings | None = None,
    *,
    quarter_turns: int = 0,
    keep_views: bool = False,
) -> PreparedPage:
    """Runs the stages in the order of the table.

    Args:
        pixels: uint8, shape [height, width] or [height, width, 3] (RGB).
        settings: Defaults suit A5 and A4 pages.
        quarter_turns: Counter-clockwise quarter turns to apply first, for pages that lie on their side.
        keep_views: Whether every stage's picture is kept.
    """
    settings = settings or PreprocessSettings()
    started = time.perf_counter()
    grey = stages.u8(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)) if pixels.ndim == 3 else pixels
    turned = stages.turn(grey, quarter_turns)
    current, to_page, skew = turned.grey, turned.back, 0.0
    views = [_view("turn", "grey, the right way up", turned, started, DONE)] if keep_views else []
    for stage in STAGES:
        started = time.perf_counter()
        runs = bool(getattr(settings, stage.name, True))
        staged = stage.apply(current, settings) if runs else stages.unmoved(current, did=False)
        current, to_page, skew = staged.grey, to_page @ staged.back, skew + staged.skew_degrees
        if keep_views:
            state = OFF if not runs else DONE if staged.did else IDLE
            views.append(_view(stage.name, stage.says, staged, started, state))
    return PreparedPage(current, to_page, skew, tuple(views))


def _view(name: str, says: str, staged: Staged, started: float, state: str) -> StageView:
    return StageView(name, says, staged.grey, (time.perf_counter() - started) * 1000, state)
