"""A picture that is one medicine word and nothing else, such as a crop from an archive."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import cv2
import numpy as np

from prescriptions import quarantine
from prescriptions.box import Box
from prescriptions.confidence import name_confidence
from prescriptions.pipeline import PageReading, ReviewWord
from prescriptions.understand import UNKNOWN_MEDICINE, MedicineLine, Prescription
from prescriptions.words import MAX_CROP_SIDE, WordCrop
from protocol.errors import QuarantinedError

if TYPE_CHECKING:
    from prescriptions.lexicon import Lexicon
    from prescriptions.page import Page
    from prescriptions.reading import PageReader

_CANDIDATES = 5
_NEAR = 0.6


def read_single_word(page: Page, reader: PageReader, lexicon: Lexicon) -> PageReading:
    """Takes a whole picture as one medicine word; a person says in the review what is written.

    Args:
        page: The picture.
        reader: Its text, where it finds any, is only the proposal.
        lexicon: The names that may be proposed.

    Raises:
        QuarantinedError: ``too-many-pixels``: too large to be one word.
        PrescriptionError: The reader failed.
    """
    started = time.perf_counter()
    grey = page.pixels if page.pixels.ndim == 2 else cv2.cvtColor(page.pixels, cv2.COLOR_RGB2GRAY).astype(np.uint8)
    height, width = grey.shape
    if max(height, width) > MAX_CROP_SIDE:
        raise QuarantinedError(
            quarantine.TOO_MANY_PIXELS, "the picture is too large for one word", hint="import it as a page"
        )
    words = reader.read(grey)
    text = " ".join(word.text for word in words)
    candidates = lexicon.shortlist(text, limit=_CANDIDATES)
    confidence = min((word.confidence for word in words), default=0.0)
    known = bool(candidates) and candidates[0].score >= _NEAR
    line = MedicineLine(
        word_index=0,
        candidates=candidates,
        strength=None,
        form=None,
        frequency=None,
        duration_days=None,
        flags=() if known else (UNKNOWN_MEDICINE,),
        confidence=name_confidence(confidence, candidates),
    )
    return PageReading(
        page_digest=page.digest,
        words=(ReviewWord(text, confidence, WordCrop(grey, Box(0, 0, width, height))),),
        prescription=Prescription(patient_name=None, hospital=None, lines=(line,)),
        engine=reader.name,
        seconds=time.perf_counter() - started,
    )
