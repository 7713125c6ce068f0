"""What of a page's reading goes into the local store: its medicine words, and what was proposed for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from node.proposal import Candidate, Proposal, Whereabouts
from node.store_pages import NewPage, NewWord
from prescriptions.words import encode_png

if TYPE_CHECKING:
    from prescriptions.pipeline import PageReading, ReviewWord
    from prescriptions.understand import MedicineLine


def page_to_store(reading: PageReading, *, page_number: int, file_name: str) -> NewPage:
    """The part of a reading that is kept.

    Args:
        reading: Of ``prescriptions.pipeline.read_page``.
        page_number: 1-based within its file.
        file_name: Without its folder.
    """
    prescription = reading.prescription
    return NewPage(
        page_digest=reading.page_digest,
        page_number=page_number,
        file_name=file_name,
        engine=reading.engine,
        hospital=prescription.hospital or "",
        patient_name=prescription.patient_name or "",
        words=tuple(_word(reading.words[line.word_index], line, file_name, page_number) for line in prescription.lines),
    )


def _word(word: ReviewWord, line: MedicineLine, file_name: str, page_number: int) -> NewWord:
    box = word.crop.box
    proposal = Proposal(
        text=word.text,
        confidence=word.confidence,
        candidates=tuple(Candidate(match.name, match.score) for match in line.candidates),
        strength=_text(line.strength),
        form=_text(line.form),
        frequency=_text(line.frequency),
        flags=line.flags,
        where=Whereabouts(file_name, page_number, (box.left, box.top, box.right, box.bottom)),
    )
    return NewWord(encode_png(word.crop.pixels), proposal)


def _text(part: object | None) -> str:
    return "" if part is None else str(part)
