"""Fits the confidence of proposed names and measures it on hands and names that the fit never saw.

    nice python benchmarks/name_confidence.py --fonts fonts/node_modules --words 1000 --seed 11

Words are drawn in handwriting fonts and read with the default page reader. Every name of the shipped lexicon belongs
to one half, fit or test, by the seed; the fit's words are drawn in the demonstration sites' fonts, the test's in fonts
that no site has. One word in four is a name that the lexicon is made to forget, so that a right answer is not always
possible. Prints the coefficients of ``prescriptions/confidence.py`` and the table of name_confidence.md.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))
from demo_ink import SITE_FONTS, TEST_FONTS, draw_word

from prescriptions.confidence import confidence_terms, name_confidence
from prescriptions.lexicon import Lexicon, bundled_lexicon, parse_lexicon
from prescriptions.readers import make_reader

FORGOTTEN = 0.25
RIDGE = 1e-2
BINS = 10


@dataclass(frozen=True)
class Sample:
    engine: float
    similarity: float
    terms: tuple[float, ...]
    fitted: float
    """As ``prescriptions/confidence.py`` has it now."""
    right: bool


def without(lexicon: Lexicon, forgotten: set[str]) -> Lexicon:
    rows = [
        ",".join((m.name, "|".join(m.generics), "|".join(m.strengths), "|".join(m.forms), "|".join(m.routes)))
        for m in lexicon.medicines
        if m.name not in forgotten
    ]
    return parse_lexicon("name,generics,strengths,forms,routes\n" + "\n".join(rows), source="half")


def draw_and_read(names, fonts_folder, fonts, lexicon, count, rng) -> list[Sample]:
    reader = make_reader()
    samples = []
    for name in rng.choice(names, size=count):
        family = fonts[rng.integers(len(fonts))]
        word = str(name) if rng.random() < 0.7 else str(name).lower()
        words = reader.read(np.asarray(draw_word(fonts_folder, family, word, rng)))
        candidates = lexicon.shortlist(" ".join(word.text for word in words)) if words else ()
        if candidates:
            engine = min(word.confidence for word in words)
            right = candidates[0].name == name
            terms, now = confidence_terms(engine, candidates), name_confidence(engine, candidates)
            samples.append(Sample(engine, candidates[0].score, terms, now, right))
    return samples


def fit(samples: list[Sample]) -> np.ndarray:
    """Newton's method on the log-likelihood with a small ridge; [5], the intercept first."""
    x = np.array([(1.0, *sample.terms) for sample in samples])
    y = np.array([sample.right for sample in samples], dtype=float)
    weights = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ weights))
        gradient = x.T @ (y - p) - RIDGE * weights
        hessian = (x * (p * (1 - p))[:, None]).T @ x + RIDGE * np.eye(x.shape[1])
        weights += np.linalg.solve(hessian, gradient)
    return weights


def calibration_error(p: np.ndarray, right: np.ndarray) -> float:
    """Expected calibration error over ten bins of equal width."""
    bins = np.minimum((p * BINS).astype(int), BINS - 1)
    return sum(
        (bins == b).mean() * abs(p[bins == b].mean() - right[bins == b].mean())
        for b in range(BINS)
        if (bins == b).any()
    )


def report(samples: list[Sample], weights: np.ndarray) -> None:
    right = np.array([sample.right for sample in samples], dtype=float)
    x = np.array([(1.0, *sample.terms) for sample in samples])
    rows = {
        "engine confidence": np.array([sample.engine for sample in samples]),
        "similarity": np.array([sample.similarity for sample in samples]),
        "engine × similarity": np.array([sample.engine * sample.similarity for sample in samples]),
        "fitted, in the code": np.array([sample.fitted for sample in samples]),
        "fitted, this run": 1 / (1 + np.exp(-x @ weights)),
    }
    print(f"{len(samples)} test words, {right.mean():.3f} right")
    print("| confidence | ECE | Brier score | right at ≥ 0.9 |\n|---|---|---|---|")
    for name, p in rows.items():
        sure = p >= 0.9
        share = f"{right[sure].mean():.3f} of {sure.mean():.0%}" if sure.any() else "none"
        print(f"| {name} | {calibration_error(p, right):.3f} | {((p - right) ** 2).mean():.3f} | {share} |")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fonts", type=Path, required=True)
    parser.add_argument("--words", type=int, default=1000, help="words a half")
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args(arguments)
    rng = np.random.default_rng(options.seed)
    full = bundled_lexicon("drugsfda")
    halves = np.array_split(rng.permutation(full.names), 2)
    families = ([font for fonts in SITE_FONTS for font in fonts], list(TEST_FONTS))
    drawn = []
    for names, fonts in zip(halves, families, strict=True):
        forgotten = set(rng.choice(names, size=int(FORGOTTEN * len(names)), replace=False).tolist())
        drawn.append(draw_and_read(names, options.fonts, fonts, without(full, forgotten), options.words, rng))
    weights = fit(drawn[0])
    print(f"fitted on {len(drawn[0])} words, {np.mean([s.right for s in drawn[0]]):.3f} right")
    print(
        "intercept, engine logit, similarity, lead, logit × dissimilarity:",
        ", ".join(f"{weight:.3f}" for weight in weights),
    )
    report(drawn[1], weights)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
