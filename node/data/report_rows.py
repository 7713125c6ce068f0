"""What the data report takes from the store: of each word a few facts, of a sample of pictures their measures."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from sqlalchemy import select

from node.data.report import MEASURED, DataReport, LabelSource, Use, WordRow, report_of
from node.data.samples import is_held_out, trainable_sample_ids
from node.data.word_measures import WordMeasures, measure_word
from node.store.duplicates import PairStatus, pairs, undecided_or_same_pages
from node.store.tables import Page, PageStatus, WordStatus
from node.store.words import crop_pngs, words_with
from prescriptions.words import decode_png

if TYPE_CHECKING:
    from collections.abc import Mapping

    from node.data.proposal import Proposal
    from node.store.local_store import LocalStore, Transaction
    from node.store.words import StoredWord
    from prescriptions.lexicon import Lexicon


def data_report(store: LocalStore, lexicon: Lexicon, now: int, *, held_out_percent: int, purpose: str) -> DataReport:
    """Reads the store and reports what is in it. Nothing is written and nothing leaves.

    Args:
        store: The site's local store.
        lexicon: Its names may be shown.
        now: Seconds since 1970; consent in force is judged by it.
        held_out_percent: Share of words that never trains, 0 to 90.
        purpose: The DUO code of what the network trains for.
    """
    # Before the rows: a word reviewed meanwhile then counts as not yet trainable, never the other way round.
    may_be_used = trainable_sample_ids(store, now, purpose=purpose)
    with store.read() as transaction:
        words = words_with(transaction, *WordStatus)
        kept_out = undecided_or_same_pages(transaction)
        reviewed = [status == PageStatus.REVIEWED for status in transaction.session.scalars(select(Page.status))]
        found_pairs = [(pair.kind, pair.status) for pair in pairs(transaction, *PairStatus)]
        measured = _measures(transaction)

    def use_of(word: StoredWord) -> Use:
        if word.word_id in may_be_used:
            held_out = is_held_out(store.keys.split, word.word_id, held_out_percent)
            return Use.HELD_OUT if held_out else Use.TRAINING
        return Use.DUPLICATE if word.page_id in kept_out else Use.NO_CONSENT

    rows = []
    for word in words:
        measures, repeats = measured.get(word.word_id, (None, False))
        source = source_of(word)
        medicine = lexicon.find(word.label)
        rows.append(
            WordRow(
                page=word.page_id,
                patient=word.patient_id,
                status=word.status,
                brand=word.label.casefold() if medicine is None else medicine.name,
                known=medicine is not None,
                source=source,
                reviewer=word.reviewer,
                use=None if source is None else use_of(word),
                measures=measures,
                repeats=repeats,
            )
        )
    return report_of(reviewed, rows, found_pairs)


def source_of(word: StoredWord) -> LabelSource | None:
    """Where a reviewed word's label comes from; None for a word without one."""
    if word.status not in {WordStatus.ACCEPTED, WordStatus.FIXED}:
        return None
    label, proposal = word.label.casefold(), word.proposal
    model = (proposal.model_name or "").casefold()
    engine = (proposal.engine_name or proposal.text).casefold()
    if label not in {model, engine}:
        return LabelSource.PICKED if label in _proposed(proposal) else LabelSource.TYPED
    if label == model:
        return LabelSource.BOTH_READERS if label == engine else LabelSource.MODEL
    return LabelSource.PAGE_READER


def _proposed(proposal: Proposal) -> frozenset[str]:
    names = [*proposal.candidates, *(proposal.model.candidates if proposal.model else ())]
    others = (other.medicine for other in proposal.others if other.medicine is not None)
    return frozenset(name.casefold() for name in (*others, *(candidate.name for candidate in names)))


def _measures(transaction: Transaction) -> Mapping[bytes, tuple[WordMeasures | None, bool]]:
    """Of every word with a picture its measures, and whether a word before it has the same picture."""
    seen: set[bytes] = set()
    found: dict[bytes, tuple[WordMeasures | None, bool]] = {}
    # Ids are random: the first ones are a fair sample, and the same one each time.
    for number, (word_id, png) in enumerate(crop_pngs(transaction)):
        digest = sha256(png).digest()
        measures = measure_word(decode_png(png)) if number < MEASURED else None
        found[word_id] = measures, digest in seen
        seen.add(digest)
    return found
