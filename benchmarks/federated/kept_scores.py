"""What a model gives each candidate name of each judging word: computed once, kept in a file, calibrated in no time."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.federated.scoring import SHORTLIST, Exam
from gateways.data_folder import write_atomically
from learning.lexicon_index import LexiconIndex
from learning.recogniser import Recogniser
from protocol.identifiers import Digest, digest_of

LEXICONS = ("own", "many")
"""The set's own names, all of them scored; those and thousands of others, a shortlist of 50 scored."""


@dataclass(frozen=True, slots=True)
class WordScores:
    """Candidates of every judging word from one lexicon."""

    places: np.ndarray
    """int32 [words, candidates]: positions in the lexicon."""
    scores: np.ndarray
    """float64 [words, candidates]: nats a symbol, -inf for no candidate."""
    truth: np.ndarray
    """int32 [words]: position of the true name."""
    spare: bool
    """Whether the last candidate is on a word's shortlist only when its true name is taken out of the lexicon."""

    def known(self) -> np.ndarray:
        """float64 [words, candidates]: with every true name in the lexicon."""
        found = self.scores.copy()
        if self.spare:
            found[:, -1] = -np.inf
        return found

    def strangers(self) -> np.ndarray:
        """float64 [words, candidates]: with each word's own true name taken out."""
        true = self.places == self.truth[:, np.newaxis]
        found = np.where(true, -np.inf, self.scores)
        if self.spare:
            # The last one moves up only where there was a true name before it.
            found[~true.any(axis=1), -1] = -np.inf
        return found

    def of(self, words: np.ndarray) -> WordScores:
        """Those of some words only.

        Args:
            words: bool [words].
        """
        return WordScores(self.places[words], self.scores[words], self.truth[words], self.spare)


def kept_scores(folder: Path, model: Digest, reader: Recogniser, exam: Exam) -> dict[str, WordScores]:
    """The scores of a model by lexicon; ``"many"`` is there when the exam has more names than its own.

    Args:
        folder: Where files of scores are kept, created when missing.
        model: The model's digest: with the names and words it names the file.
        reader: The model.
        exam: The judging words.
    """
    said = [name.encode() for name in (*exam.names, "", *exam.many_names, "", *exam.labels)]
    path = folder / f"{digest_of('benchmark-scores', bytes(model), bytes(exam.features), *said).hex()[:32]}.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        stream = io.BytesIO()
        np.savez_compressed(stream, **_score(reader, exam))
        write_atomically(path, stream.getvalue())
    with np.load(path, allow_pickle=False) as arrays:
        return {
            lexicon: WordScores(
                *(arrays[f"{lexicon}_{part}"] for part in ("places", "scores")),
                _truth(_names_of(exam, lexicon), exam.labels),
                spare=lexicon == "many",
            )
            for lexicon in LEXICONS
            if f"{lexicon}_places" in arrays
        }


def _score(reader: Recogniser, exam: Exam) -> dict[str, np.ndarray]:
    lexicons = [lexicon for lexicon in LEXICONS if lexicon == "own" or len(exam.many_names) > len(exam.names)]
    indexes = {lexicon: LexiconIndex.of(_names_of(exam, lexicon)) for lexicon in lexicons}
    # One more than a reader's shortlist: it comes in when the true name is taken out.
    rooms = {"own": len(exam.names), "many": SHORTLIST + 1}
    found: dict[str, np.ndarray] = {}
    for lexicon in lexicons:
        shape = len(exam.labels), rooms[lexicon]
        found[f"{lexicon}_places"] = np.full(shape, -1, dtype=np.int32)
        found[f"{lexicon}_scores"] = np.full(shape, -np.inf)
    positions = {lexicon: {name: i for i, name in enumerate(_names_of(exam, lexicon))} for lexicon in lexicons}
    for word, log_probs in enumerate(reader.frame_log_probs(exam.features)):
        for lexicon in lexicons:
            scores = reader.name_scores(log_probs, indexes[lexicon], shortlist=rooms[lexicon])
            found[f"{lexicon}_places"][word, : len(scores)] = [positions[lexicon][name] for name in scores]
            found[f"{lexicon}_scores"][word, : len(scores)] = list(scores.values())
    return found


def _names_of(exam: Exam, lexicon: str) -> tuple[str, ...]:
    return exam.names if lexicon == "own" else exam.many_names


def _truth(names: Sequence[str], labels: Sequence[str]) -> np.ndarray:
    return np.array([names.index(label) for label in labels], dtype=np.int32)
