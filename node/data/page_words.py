"""What of a page's reading goes into the local store: its medicine words, and what was proposed for them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from node.data.proposal import MODELS_DISAGREE, READERS_DISAGREE, Candidate, ModelReading, Proposal, Whereabouts
from node.store.pages import NewPage, NewWord
from prescriptions.words import encode_png

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from learning.recogniser import Reading
    from node.data.model_reader import ModelReader
    from node.data.other_readings import OtherReading
    from prescriptions.pipeline import PageReading, ReviewWord
    from prescriptions.understand import MedicineLine

_CANDIDATES = 5


def page_to_store(
    reading: PageReading,
    *,
    page_number: int,
    file_name: str,
    second: Sequence[ModelReading] = (),
    others: Sequence[tuple[OtherReading, ...]] = (),
) -> NewPage:
    """The part of a reading that is kept.

    Args:
        reading: Of ``prescriptions.pipeline.read_page``.
        page_number: 1-based within its file.
        file_name: Without its folder.
        second: What the global model read, one for each line of the prescription; empty without a model.
        others: What the models of other lineages read, one for each line; empty without any.
    """
    prescription = reading.prescription
    models: Sequence[ModelReading | None] = second or [None] * len(prescription.lines)
    checks = others or [()] * len(prescription.lines)
    return NewPage(
        page_digest=reading.page_digest,
        page_number=page_number,
        file_name=file_name,
        engine=reading.engine,
        hospital=prescription.hospital or "",
        patient_name=prescription.patient_name or "",
        words=tuple(
            _word(reading.words[line.word_index], line, Whereabouts(file_name, page_number, (0, 0, 0, 0)), model, check)
            for line, model, check in zip(prescription.lines, models, checks, strict=True)
        ),
        redacted_png=None if reading.redacted is None else encode_png(reading.redacted),
    )


def second_readings(reading: PageReading, model: ModelReader | None) -> list[ModelReading]:
    """What the global model reads in the medicines' crops, as proposals keep it; empty without a model."""
    return [] if model is None else [_kept(found, model.round) for found in model.read(medicine_crops(reading))]


def medicine_crops(reading: PageReading) -> list[NDArray[np.uint8]]:
    """The picture of each medicine's word, uint8 [rows, columns], in the order of the prescription's lines."""
    return [reading.words[line.word_index].crop.pixels for line in reading.prescription.lines]


def _kept(reading: Reading, model_round: int) -> ModelReading:
    candidates = tuple(Candidate(name, share) for name, share in reading.candidates[:_CANDIDATES])
    return ModelReading(model_round, reading.text, candidates, sure=not reading.abstained)


def _word(
    word: ReviewWord,
    line: MedicineLine,
    where: Whereabouts,
    model: ModelReading | None,
    others: tuple[OtherReading, ...],
) -> NewWord:
    box = word.crop.box
    proposal = Proposal(
        text=word.text,
        confidence=word.confidence,
        candidates=tuple(Candidate(match.name, match.score) for match in line.candidates),
        strength=_text(line.strength),
        form=_text(line.form),
        frequency=_text(line.frequency),
        flags=line.flags,
        where=replace(where, box=(box.left, box.top, box.right, box.bottom)),
        model=model,
        others=others,
        line=line,
    )
    flags = [*proposal.flags]
    if proposal.engine_differs:
        flags.append(READERS_DISAGREE)
    if proposal.models_differ:
        flags.append(MODELS_DISAGREE)
    return NewWord(encode_png(word.crop.pixels), replace(proposal, flags=tuple(flags)))


def _text(part: object | None) -> str:
    return "" if part is None else str(part)
