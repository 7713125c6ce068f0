"""Reading a new prescription with the adopted global model: an aid to a person, never a dispensing decision.

The page reader finds the words and the medicine lines; the site's own global model reads each medicine's word again.
The two were trained apart: where they agree the name is claimed, where they disagree a person is asked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from node.data.intake_parts import load_limits, page_stages
from node.data.model_reader import open_model_reader, open_other_readers
from node.data.other_readings import OtherReading, other_readings
from node.data.proposal import MODELS_DISAGREE, READERS_DISAGREE
from prescriptions.load import load_pages
from prescriptions.pipeline import ReviewWord, read_page
from prescriptions.understand import AMBIGUOUS_MEDICINE, UNKNOWN_FORM, UNKNOWN_MEDICINE, UNKNOWN_STRENGTH

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from learning.recogniser import Reading
    from node.data.explanation import Explanation
    from node.data.model_reader import ModelReader
    from node.rounds.global_models import GlobalModels
    from node.site import Site
    from prescriptions.lexicon import Lexicon
    from prescriptions.page import Page
    from prescriptions.understand import MedicineLine
    from protocol.identifiers import LineageId

_ALTERNATIVES = 5


@dataclass(frozen=True, slots=True)
class MedicineReading:
    """What was read of one prescribed medicine."""

    page: int
    """1-based within the file."""
    line: int
    """1-based among the page's medicines; 0 when the image is a single word."""
    medicine: str | None
    """A name of the lexicon; None when the model is not sure enough or readers differ: a person must read it."""
    confidence: float
    """Of the best name, 0 to 1, whether it is claimed or not."""
    alternatives: tuple[tuple[str, float], ...]
    """Names with their shares, best first; the first is ``medicine`` when one is claimed."""
    text: str
    """The letters as the model read them, free of any lexicon."""
    engine_text: str
    """The word as the page reader read it; empty when the image is a single word."""
    engine_candidates: tuple[tuple[str, float], ...]
    """Names near to that text with their likeness, best first."""
    strength: str
    """Read beside the word, or empty."""
    form: str
    """Read beside the word, or empty."""
    frequency: str
    """Read beside the word, or empty."""
    flags: tuple[str, ...]
    """What a person should look at."""
    others: tuple[OtherReading, ...] = ()
    """What the models of the site's other lineages read."""


@dataclass(frozen=True, slots=True, eq=False)
class ExplainedReading:
    """A reading, and where the model saw its letters."""

    reading: MedicineReading
    explanation: Explanation

    @property
    def where(self) -> str:
        """Where the word stands, for a person."""
        medicine = f", medicine {self.reading.line}" if self.reading.line else ""
        return f"page {self.reading.page}{medicine}"


@dataclass(frozen=True, slots=True, eq=False)
class _FoundWord:
    """A medicine's word, before the model reads it."""

    page: int
    crop: NDArray[np.uint8]
    line: tuple[int, MedicineLine, ReviewWord] | None
    """Its number and what the page reader says of it; None where the image is a single word."""


def read_image(
    site: Site, models: GlobalModels, image: Path, lineage_id: LineageId, *, as_word: bool
) -> tuple[MedicineReading, ...]:
    """Reads a file with the model that the site uses. Nothing of it is stored.

    Args:
        site: Its page reader, lexicon, backbone and threshold.
        models: The global models that it has seen.
        image: PNG, JPEG, TIFF, WEBP, PDF or DICOM, within the limits of ``prescriptions.load``.
        lineage_id: Whose model; those of the site's other lineages check it.
        as_word: Whether the image is one medicine word, not a page.

    Returns:
        One for each medicine found, by page and from top to bottom.

    Raises:
        ConfigError: The site takes no part in the lineage, or holds no model of it yet.
        QuarantinedError: The file is refused, or a page holds no text.
        PrescriptionError: The page reader failed.
    """
    model, found, others = _opened(site, models, image, lineage_id, as_word=as_word)
    readings = model.read([word.crop for word in found])
    return tuple(
        _medicine(word, reading, other, site.lexicon)
        for word, reading, other in zip(found, readings, others, strict=True)
    )


def explain_image(
    site: Site, models: GlobalModels, image: Path, lineage_id: LineageId, *, as_word: bool
) -> tuple[ExplainedReading, ...]:
    """Does what ``read_image`` does, and says of each reading where the model saw its letters.

    Raises:
        ConfigError: As ``read_image``.
        QuarantinedError: As ``read_image``.
        PrescriptionError: As ``read_image``.
    """
    # Imported here: torch loads for seconds, and most of the site page reads nothing.
    from node.data.explanation import read_and_explain  # noqa: PLC0415

    model, found, others = _opened(site, models, image, lineage_id, as_word=as_word)
    explained = read_and_explain(model, [word.crop for word in found])
    return tuple(
        ExplainedReading(_medicine(word, reading, other, site.lexicon), explanation)
        for word, (reading, explanation), other in zip(found, explained, others, strict=True)
    )


def _opened(
    site: Site, models: GlobalModels, image: Path, lineage_id: LineageId, *, as_word: bool
) -> tuple[ModelReader, list[_FoundWord], list[tuple[OtherReading, ...]]]:
    """The lineage's model, the words of the image, and what the other lineages' models say of each."""
    # The model first: without one there is no reason to open a patient's page.
    model = open_model_reader(site, models, lineage_id)
    found = _find_words(site, image, as_word=as_word)
    others = other_readings(open_other_readers(site, models, lineage_id), [word.crop for word in found])
    return model, found, others


def _find_words(site: Site, image: Path, *, as_word: bool) -> list[_FoundWord]:
    stages = page_stages(site.settings)
    found: list[_FoundWord] = []
    for page in load_pages(image, load_limits(site.settings)):
        if as_word:
            found.append(_FoundWord(page.number, _grey(page), None))
            continue
        understood = read_page(page, site.page_reader, site.lexicon, stages)
        for number, line in enumerate(understood.prescription.lines, start=1):
            word = understood.words[line.word_index]
            found.append(_FoundWord(page.number, word.crop.pixels, (number, line, word)))
    return found


def _grey(page: Page) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(page.pixels).convert("L"), dtype=np.uint8)


def _medicine(
    found: _FoundWord, reading: Reading, others: tuple[OtherReading, ...], lexicon: Lexicon
) -> MedicineReading:
    """The reading beside what the other readers say; a name that one of them contradicts is not claimed."""
    if found.line is None:
        plain = _of_word(found.page, reading)
    else:
        number, line, word = found.line
        plain = _of_line(found.page, number, line, word, reading, lexicon)
    differ = {other.medicine for other in others} - {None, reading.name}
    flags = (*plain.flags, MODELS_DISAGREE) if reading.name is not None and differ else plain.flags
    claimed = None if {READERS_DISAGREE, MODELS_DISAGREE} & set(flags) else reading.name
    return replace(plain, medicine=claimed, flags=flags, others=others)


def _of_word(page: int, reading: Reading) -> MedicineReading:
    return MedicineReading(
        page=page,
        line=0,
        medicine=reading.name,
        confidence=reading.confidence,
        alternatives=reading.candidates[:_ALTERNATIVES],
        text=reading.text,
        engine_text="",
        engine_candidates=(),
        strength="",
        form="",
        frequency="",
        flags=(),
    )


def _of_line(
    page: int, number: int, line: MedicineLine, word: ReviewWord, reading: Reading, lexicon: Lexicon
) -> MedicineReading:
    return MedicineReading(
        page=page,
        line=number,
        medicine=reading.name,
        confidence=reading.confidence,
        alternatives=reading.candidates[:_ALTERNATIVES],
        text=reading.text,
        engine_text=word.text,
        engine_candidates=tuple((match.name, match.score) for match in line.candidates),
        strength="" if line.strength is None else str(line.strength),
        form=line.form or "",
        frequency="" if line.frequency is None else str(line.frequency),
        flags=_flags(line, reading, lexicon),
    )


def _flags(line: MedicineLine, reading: Reading, lexicon: Lexicon) -> tuple[str, ...]:
    """The page reader's flags, with strength and form checked against the medicine that the model names."""
    flags = [flag for flag in line.flags if flag in {UNKNOWN_MEDICINE, AMBIGUOUS_MEDICINE}]
    if reading.name is None:
        return line.flags
    if UNKNOWN_MEDICINE not in flags and line.candidates and line.candidates[0].name != reading.name:
        flags.append(READERS_DISAGREE)
    medicine = lexicon.find(reading.name)
    if medicine is not None and line.strength is not None and not medicine.knows_strength(line.strength):
        flags.append(UNKNOWN_STRENGTH)
    if medicine is not None and line.form is not None and not medicine.knows_form(line.form):
        flags.append(UNKNOWN_FORM)
    return tuple(flags)
