"""Two readers that check each other: where they agree a name is proposed as read, else a person is asked.

Three ways to agree are compared: both best names are *alike*; they are alike and *together* sure enough, with the
certainty that a site computes for two readings that agree (``node.data.proposal``); they are alike and *each* is sure
enough for its own backbone's threshold, as a site asks of its model before it takes two readers to agree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.federated.calibrate import Answers, answers
from benchmarks.federated.calibration_table import ReadRow
from benchmarks.federated.table import shown
from learning.evaluation import score_of
from node.data.agreement import SURE_TOGETHER

RULES = ("alike", "together", "each")

_HEADER = """\
| two readers | seeds | names | agree | covered | right of these | Wilson | against the label | strangers named |
|---|---|---|---|---|---|---|---|---|"""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Where two models agree on the same words."""

    covered: np.ndarray
    """bool [words]."""
    right: np.ndarray
    """bool [words]: covered, and it is the true name."""
    places: np.ndarray
    """int [words]: the first one's best name, a position in the lexicon."""
    strangers: np.ndarray
    """bool [words]: they agree although the true name was taken out of the lexicon."""

    @property
    def against(self) -> np.ndarray:
        """bool [words]: they agree, and the label is another name. Either both are wrong alike, or the label is."""
        return self.covered & ~self.right


def agreement(readers: Sequence[ReadRow], seed: int, lexicon: str, rule: str, which: np.ndarray) -> Agreement:
    """Where two readers agree.

    Args:
        readers: Two.
        seed: Position among the readers' seeds.
        lexicon: Of ``kept_scores.LEXICONS``.
        rule: Of ``RULES``.
        which: bool [words]: the words that are counted.
    """
    words = [reader.by_seed[seed][lexicon].of(which) for reader in readers]
    known, strange = (
        [answers(of, scores(of), reader.calibration) for of, reader in zip(words, readers, strict=True)]
        for scores in (lambda of: of.known(), lambda of: of.strangers())
    )
    covered = _agree(readers, known, rule)
    return Agreement(covered, covered & known[0].right, known[0].places, _agree(readers, strange, rule))


def _agree(readers: Sequence[ReadRow], said: Sequence[Answers], rule: str) -> np.ndarray:
    first, second = said
    alike = first.places == second.places
    match rule:
        case "alike":
            return alike
        case "together":
            return alike & (1 - (1 - first.confidence) * (1 - second.confidence) >= SURE_TOGETHER)
        case _:
            named = [of.named(reader.calibration.abstain_below) for reader, of in zip(readers, said, strict=True)]
            return alike & named[0] & named[1]


def markdown(pairs: Mapping[str, Sequence[ReadRow]], split: str, which: np.ndarray) -> str:
    """The table of some pairs.

    Args:
        pairs: Two readers with the same seeds, by the pair's name.
        split: Which words they read.
        which: bool [words]: those that are counted.
    """
    lines = [f"On the {which.sum()} words of the split {split} on which nothing was chosen.", "", _HEADER]
    for name, readers in pairs.items():
        for lexicon, count in readers[0].names.items():
            for rule in RULES:
                found = [agreement(readers, seed, lexicon, rule, which) for seed in range(len(readers[0].by_seed))]
                lines.append(f"| `{name}` | {len(found)} | {count:,} | {rule} | {' | '.join(_cells(found))} |")
    return "\n".join(lines) + "\n"


def _cells(found: Sequence[Agreement]) -> Sequence[str]:
    covered, right = (round(float(np.mean([getattr(a, part).sum() for a in found]))) for part in ("covered", "right"))
    against = [int(a.against.sum()) for a in found]
    return (
        shown([float(a.covered.mean()) for a in found]),
        shown([float(a.right.sum() / a.covered.sum()) for a in found if a.covered.any()]),
        f"{(wilson := score_of(right, covered)).low:.3f} to {wilson.high:.3f}" if covered else "–",
        str(against[0]) if len(set(against)) == 1 else f"{min(against)} to {max(against)}",
        shown([float(a.strangers.mean()) for a in found]),
    )


def contradicted(readers: Sequence[ReadRow], labels: Sequence[str], names: Sequence[str]) -> list[str]:
    """One line for each word that both readers surely read against its label, among the set's own names."""
    everything = np.ones(len(labels), dtype=bool)
    counts: Counter[tuple[int, str]] = Counter()
    for seed in range(len(readers[0].by_seed)):
        found = agreement(readers, seed, "own", "each", everything)
        counts.update((int(word), names[found.places[word]]) for word in np.flatnonzero(found.against))
    return [
        f"word {word}: labelled {labels[word]}, both read {name} with {times} of {len(readers[0].by_seed)} seeds"
        for (word, name), times in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]
