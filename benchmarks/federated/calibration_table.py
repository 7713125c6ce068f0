"""How far each reader's confidence can be believed, before and now, as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.federated.calibrate import (
    BEFORE,
    BINS,
    ENOUGH,
    STRANGERS,
    Answers,
    answers,
    calibration_error,
    fitted,
    rightness,
)
from benchmarks.federated.kept_scores import LEXICONS, WordScores
from benchmarks.federated.table import shown
from learning.calibration import Calibration

THRESHOLDS = (0.3, 0.5, 0.7, 0.9)

_ERRORS = f"""\
Expected calibration error, {BINS} bins of equal width: every true name in the lexicon, and one word in four a stranger.

| row | seeds | names | all known: before | now | with strangers: before | now |
|---|---|---|---|---|---|---|"""
_THRESHOLDS = f"""\
Thresholds. *Strangers named*: of words whose true name was taken out of the lexicon. *Right of all*: of the names given
when one word in four is a stranger; the bar is {ENOUGH}.

| row | names | threshold | answered | right of these | strangers named | right of all |
|---|---|---|---|---|---|---|"""


@dataclass(frozen=True, slots=True)
class ReadRow:
    """One row's models, as they read the words that judge."""

    backbone: str
    calibration: Calibration
    """As ``learning.published`` has it."""
    by_seed: tuple[Mapping[str, WordScores], ...]
    """Of each seed the words' scores by lexicon."""
    names: Mapping[str, int]
    """How many names a lexicon has."""

    def words(self, lexicon: str, which: np.ndarray) -> list[WordScores]:
        """Of each seed some words; bool [words] says which."""
        return [found[lexicon].of(which) for found in self.by_seed]

    @property
    def widest(self) -> str:
        """The lexicon with the most names: a site's own has thousands."""
        return next(lexicon for lexicon in reversed(LEXICONS) if lexicon in self.names)


def markdown(rows: Mapping[str, ReadRow], split: str, chosen_on: np.ndarray) -> str:
    """The tables of some rows.

    Args:
        rows: By name, all of the same words.
        split: Which words they are.
        chosen_on: bool [words]: those on which the values were chosen; none on a split that nothing was chosen on.
    """
    judged = ~chosen_on
    if chosen_on.any():
        said = f"Chosen on {chosen_on.sum()} words of the split {split}, measured on the other {judged.sum()}."
    else:
        said = f"Measured on all {judged.sum()} words of the split {split}; nothing was chosen on them."
    lines = [said, "", *_value_lines(rows, chosen_on), "", _ERRORS]
    lines += [line for name, row in rows.items() for line in _error_lines(name, row, judged)]
    lines += ["", _THRESHOLDS]
    lines += [line for name, row in rows.items() for line in _threshold_lines(name, row, judged)]
    return "\n".join(lines) + "\n"


def _value_lines(rows: Mapping[str, ReadRow], chosen_on: np.ndarray) -> Iterator[str]:
    yield "| backbone | values | temperature | none of these | abstain below |"
    yield "|---|---|---|---|---|"
    yield _value_line("both", "before", BEFORE)
    for backbone in dict.fromkeys(row.backbone for row in rows.values()):
        mine = {name: row for name, row in rows.items() if row.backbone == backbone}
        yield _value_line(f"`{backbone}`", "now", next(iter(mine.values())).calibration)
        if chosen_on.any():
            found = fitted({name: row.words(row.widest, chosen_on) for name, row in mine.items()})
            yield _value_line(f"`{backbone}`", f"fitted to {', '.join(f'`{name}`' for name in mine)}", found)


def _value_line(backbone: str, what: str, calibration: Calibration) -> str:
    values = f"{calibration.temperature:.2f} | {calibration.none_of_these:.2f} | {calibration.abstain_below:.2f}"
    return f"| {backbone} | {what} | {values} |"


def _error_lines(name: str, row: ReadRow, judged: np.ndarray) -> Iterator[str]:
    for lexicon, count in row.names.items():
        words = row.words(lexicon, judged)
        cells = [
            shown([_error(of_seed, calibration, strangers) for of_seed in words])
            for strangers in (0.0, STRANGERS)
            for calibration in (BEFORE, row.calibration)
        ]
        yield f"| `{name}` | {len(words)} | {count:,} | {' | '.join(cells)} |"


def _error(words: WordScores, calibration: Calibration, strangers: float) -> float:
    known, strange = _read(words, calibration)
    return calibration_error([(1 - strangers, known), (strangers, strange)])


def _threshold_lines(name: str, row: ReadRow, judged: np.ndarray) -> Iterator[str]:
    words = row.words(row.widest, judged)
    read = [_read(of_seed, row.calibration) for of_seed in words]
    for threshold in sorted({*THRESHOLDS, row.calibration.abstain_below}):
        answered = [known.named(threshold) for known, _ in read]
        cells = [
            shown([float(named.mean()) for named in answered]),
            shown([_share(known.right, named) for (known, _), named in zip(read, answered, strict=True)]),
            shown([float(strange.named(threshold).mean()) for _, strange in read]),
            f"{rightness(words, row.calibration, threshold):.3f}",
        ]
        mark = "**" if threshold == row.calibration.abstain_below else ""
        yield f"| `{name}` | {row.names[row.widest]:,} | {mark}{threshold:.2f}{mark} | {' | '.join(cells)} |"


def _read(words: WordScores, calibration: Calibration) -> Sequence[Answers]:
    return [answers(words, scores, calibration) for scores in (words.known(), words.strangers())]


def _share(right: np.ndarray, named: np.ndarray) -> float:
    return float(right[named].mean()) if named.any() else 1.0
