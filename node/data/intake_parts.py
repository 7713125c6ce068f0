"""What an import needs, from a site and its settings."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from node.command_options import originals_of, quarantine_of
from node.data.intake import IntakeParts
from node.data.model_reader import SecondReader
from node.site import models_of
from prescriptions.load import LoadLimits
from prescriptions.pipeline import read_page
from prescriptions.preprocess import PreprocessSettings
from prescriptions.single_word import read_single_word

if TYPE_CHECKING:
    from collections.abc import Callable

    from node.settings import NodeSettings
    from node.site import Site
    from prescriptions.lexicon import Lexicon
    from prescriptions.page import Page
    from prescriptions.pipeline import PageReading
    from prescriptions.reading import PageReader


def load_limits(settings: NodeSettings) -> LoadLimits:
    """What a file may cost."""
    intake = settings.intake
    return LoadLimits(
        max_bytes=intake.max_bytes,
        max_pixels=intake.max_pixels,
        max_pages=intake.max_pages,
        max_side=intake.max_side,
        max_memory_bytes=intake.max_memory_bytes,
        timeout_seconds=intake.timeout_seconds,
        apply_orientation=settings.reading.stages.orientation,
    )


def page_stages(settings: NodeSettings) -> PreprocessSettings:
    """Which stages prepare a page; EXIF's orientation is the decoder's."""
    return PreprocessSettings(**settings.reading.stages.model_dump(exclude={"orientation"}))


def intake_parts(site: Site, *, single_words: bool = False) -> IntakeParts:
    """The parts of an import.

    Args:
        site: Open.
        single_words: Whether each picture is one medicine word.

    Raises:
        ConfigError: The page reader is not installed.
    """
    second = SecondReader(site, models_of(site))
    return IntakeParts(
        store=site.store,
        reader=site.page_reader,
        lexicon=site.lexicon,
        limits=load_limits(site.settings),
        originals=originals_of(site),
        quarantine=quarantine_of(site),
        keep_originals=site.settings.reading.keep_originals,
        quarantine_days=site.settings.intake.quarantine_days,
        read=read_single_word if single_words else _page_reading(site.settings),
        second=second,
        others=second.others,
    )


def _page_reading(settings: NodeSettings) -> Callable[[Page, PageReader, Lexicon], PageReading]:
    return partial(read_page, settings=page_stages(settings), day_first=settings.reading.day_first)
