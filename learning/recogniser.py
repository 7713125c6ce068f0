"""From features to names: greedy CTC string, lexicon shortlist, CTC score of each candidate.

The frame probabilities know more than the string they collapse to, so the shortlist is scored on them
(A. Graves et al., "Connectionist Temporal Classification", ICML 2006, section 4.1: p(label | input)).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from learning.torch_scope import torch_threads

if TYPE_CHECKING:
    from learning.alphabet import Alphabet
    from learning.backbone import Backbone, Features, GreyCrop
    from learning.lexicon_index import LexiconEntry, LexiconIndex

_TAIL_BATCH = 32


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read from one crop. An aid to a person, never a dispensing decision."""

    text: str
    """The greedy string, free of any lexicon."""
    candidates: tuple[tuple[str, float], ...]
    """Canonical names with their probability in 0 … 1, best first; they and "none of these" sum to 1."""
    confidence: float
    """Probability of the best candidate; 0 without one."""
    abstained: bool
    """Whether the confidence is below the caller's threshold: show the text, claim no name."""

    @property
    def name(self) -> str | None:
        """The best candidate, or None when the reader abstains."""
        return None if self.abstained or not self.candidates else self.candidates[0][0]


def log_probability_of(
    spellings: Sequence[Sequence[int]], log_probs: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    """Log-likelihood ln p(spelling | crop) of each spelling, summed over all alignments.

    Args:
        spellings: Symbol indices of each, none empty.
        log_probs: float32 [frames, symbols], log-softmax of one crop.

    Returns:
        float64 [spellings]; -inf where a spelling needs more frames than there are.
    """
    frames, symbols = log_probs.shape
    losses = functional.ctc_loss(
        torch.from_numpy(log_probs)[:, None].expand(frames, len(spellings), symbols),
        torch.tensor([index for spelling in spellings for index in spelling]),
        torch.full((len(spellings),), frames),
        torch.tensor([len(spelling) for spelling in spellings]),
        reduction="none",
    )
    return -losses.numpy().astype(np.float64)


class Recogniser:
    """A backbone with one set of parameters, ready to read. Made by ``Backbone.with_parameters``.

    Args:
        backbone: Front and frozen tail.
        parameters: The scope; not changed, so a recogniser may be used from several threads.
    """

    def __init__(self, backbone: Backbone, parameters: Mapping[str, torch.Tensor]) -> None:
        self._backbone = backbone
        self._parameters = parameters

    @property
    def backbone(self) -> Backbone:
        """What it reads with."""
        return self._backbone

    def frame_log_probs(self, features: Features) -> Iterator[npt.NDArray[np.float32]]:
        """For each crop its log-softmax, float32 [frames, alphabet.size]."""
        for start in range(0, len(features), _TAIL_BATCH):
            batch = torch.from_numpy(features[start : start + _TAIL_BATCH].astype(np.float32))
            with torch_threads(self._backbone.threads), torch.inference_mode():
                logits = self._backbone.frame_logits(self._parameters, batch)
                log_probs = functional.log_softmax(logits, dim=2).numpy()
            yield from log_probs

    def read(
        self, features: Features, names: LexiconIndex, *, shortlist: int = 50, threshold: float = 0.0
    ) -> list[Reading]:
        """Reads crops whose features are known.

        Args:
            features: [crops, *feature_shape] as ``front_features`` gives them.
            names: What a crop may say. With an empty index every reading abstains.
            shortlist: Most surface forms that are scored for a crop.
            threshold: Confidence in 0 … 1 below which a reading abstains.
        """
        return [
            self.read_frames(log_probs, names, shortlist=shortlist, threshold=threshold)
            for log_probs in self.frame_log_probs(features)
        ]

    def read_crops(
        self, crops: Sequence[GreyCrop], names: LexiconIndex, *, shortlist: int = 50, threshold: float = 0.0
    ) -> list[Reading]:
        """``read`` for images.

        Raises:
            LearningError: A crop is not a non-empty uint8 [height, width] array.
        """
        features = self._backbone.front_features(crops)
        return self.read(features, names, shortlist=shortlist, threshold=threshold)

    def read_frames(
        self, log_probs: npt.NDArray[np.float32], names: LexiconIndex, *, shortlist: int = 50, threshold: float = 0.0
    ) -> Reading:
        """``read`` for one crop whose frames are known, as ``frame_log_probs`` gives them."""
        scores = self.name_scores(log_probs, names, shortlist=shortlist)
        candidates = self._backbone.calibration.probabilities(scores)
        confidence = candidates[0][1] if candidates else 0.0
        return Reading(
            self._text(log_probs), candidates, confidence, abstained=not candidates or confidence < threshold
        )

    def name_scores(
        self, log_probs: npt.NDArray[np.float32], names: LexiconIndex, *, shortlist: int = 50
    ) -> dict[str, float]:
        """What ``read_frames`` makes probabilities of: ln p of each name's best spelling, by its length.

        Args:
            log_probs: float32 [frames, symbols] of one crop, as ``frame_log_probs`` gives them.
            names: What the crop may say.
            shortlist: Most surface forms that are scored, those nearest to the greedy string.

        Returns:
            Nats a symbol by canonical name, in the order of the shortlist; names that need more frames than there are
            are left out.
        """
        return _scores_by_name(log_probs, names.nearest(self._text(log_probs), shortlist), self._backbone.alphabet)

    def _text(self, log_probs: npt.NDArray[np.float32]) -> str:
        return self._backbone.alphabet.decode_greedy(log_probs.argmax(axis=1))


def _scores_by_name(
    log_probs: npt.NDArray[np.float32], entries: Iterable[LexiconEntry], alphabet: Alphabet
) -> dict[str, float]:
    """The best spelling's ln p per symbol, for each canonical name."""
    owners: list[str] = []
    spellings: list[tuple[int, ...]] = []
    for entry in entries:
        for spelling in dict.fromkeys(alphabet.spell(form) for form in entry.spellings()):
            if spelling:
                owners.append(entry.name)
                spellings.append(alphabet.encode(spelling))
    scores: dict[str, float] = {}
    if spellings:
        # Divided by the length: the sum alone favours short names, which have fewer symbols to be wrong in.
        found = log_probability_of(spellings, log_probs) / [len(spelling) for spelling in spellings]
        for owner, score in zip(owners, found.tolist(), strict=True):
            scores[owner] = max(score, scores.get(owner, -math.inf))
    return {name: score for name, score in scores.items() if score > -math.inf}
