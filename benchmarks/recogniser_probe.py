"""How well words are read before and after training, and what it costs.

    python benchmarks/recogniser_probe.py read  --words DIR
    python benchmarks/recogniser_probe.py train --words DIR --epochs 2 --rate 2e-3
    python benchmarks/recogniser_probe.py genesis --words DIR --fonts fonts --lexicon LIST --epochs 1 --rate 3e-4

DIR holds <Split>/<split>_labels.csv (columns IMAGE, MEDICINE_NAME) and <Split>/<split>_words/. Settings are chosen on
Validation; no split named Testing is read here.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import time
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from learning.device import profile_device
from learning.english_g2 import EnglishG2
from learning.evaluation import evaluate
from learning.genesis import GenesisSettings, pretrain
from learning.lexicon_index import LexiconIndex
from learning.rendering import find_fonts, render_words
from learning.training import TrainingPlan, applied, train

HELD_OUT_FONTS = ("caveat", "homemade-apple", "kalam", "reenie-beanie")
THRESHOLDS = (0.3, 0.5, 0.7, 0.9)


def load_words(folder: Path, split: str, limit: int | None = None) -> tuple[list[np.ndarray], list[str]]:
    stem = split.lower()
    crops, labels = [], []
    with (folder / split / f"{stem}_labels.csv").open(encoding="utf-8", newline="") as table:
        for row in islice(csv.DictReader(table), limit):
            with Image.open(folder / split / f"{stem}_words" / row["IMAGE"]) as opened:
                image = opened.convert("RGBA")
            paper = Image.new("RGBA", image.size, "white")
            paper.alpha_composite(image)
            crops.append(np.asarray(paper.convert("L")))
            labels.append(row["MEDICINE_NAME"])
    return crops, labels


def pixels_digest(crop: np.ndarray) -> bytes:
    return hashlib.sha256(f"{crop.shape}".encode() + crop.tobytes()).digest()


def timed_features(backbone: EnglishG2, crops: list[np.ndarray], what: str) -> np.ndarray:
    started = time.monotonic()
    features = backbone.front_features(crops)
    print(f"{what}: front {1000 * (time.monotonic() - started) / len(crops):.1f} ms a crop, {len(crops)} crops")
    return features


def report_abstention(recogniser, features, labels, names):
    """Coverage and accuracy by threshold, with the true name in the lexicon and without it."""
    readings = recogniser.read(features, LexiconIndex.of(names))
    without = {name: LexiconIndex.of([other for other in names if other != name]) for name in names}
    strangers = [recogniser.read(features[i : i + 1], without[label])[0].confidence for i, label in enumerate(labels)]
    for threshold in THRESHOLDS:
        kept = [(r.name, label) for r, label in zip(readings, labels, strict=True) if r.confidence >= threshold]
        right = sum(name == label for name, label in kept) / max(1, len(kept))
        wrong = sum(confidence >= threshold for confidence in strangers) / len(strangers)
        print(f"  threshold {threshold}: answers {len(kept) / len(labels):.3f}, right {right:.3f}; ", end="")
        print(f"words not in the lexicon that get a name {wrong:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("read", "train", "genesis"))
    parser.add_argument("--words", type=Path)
    parser.add_argument("--fonts", type=Path)
    parser.add_argument("--parameters", type=Path, help="npz written by train, to be read instead of the initial scope")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--names", type=int, default=200)
    parser.add_argument("--lexicon", type=Path, help="products.csv of Drugs@FDA, for names to draw and as distractors")
    parser.add_argument("--limit", type=int, help="at most this many crops of a split, for a quick try")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    {"read": probe_read, "train": probe_train, "genesis": probe_genesis}[arguments.what](arguments)


def probe_read(arguments: argparse.Namespace) -> None:
    backbone = EnglishG2()
    parameters = backbone.initial_parameters()
    if arguments.parameters:
        with np.load(arguments.parameters, allow_pickle=False) as stored:
            parameters = {name: stored[name] for name in stored.files}
    crops, labels = load_words(arguments.words, "Validation")
    features = timed_features(backbone, crops, "Validation")
    names = sorted(set(labels))
    recogniser = backbone.with_parameters(parameters)
    started = time.monotonic()
    print("78 names:", evaluate(recogniser, features, labels, LexiconIndex.of(names)))
    print(f"read {1000 * (time.monotonic() - started) / len(labels):.1f} ms a crop")
    report_abstention(recogniser, features, labels, names)
    if arguments.lexicon:
        many = names + fda_names(arguments.lexicon, 5000)
        print(f"{len(many)} names:", evaluate(recogniser, features, labels, LexiconIndex.of(many)))


def fda_names(path: Path, count: int) -> list[str]:
    with path.open(encoding="utf-8", newline="") as table:
        found = dict.fromkeys(row["DrugName"].strip().capitalize() for row in csv.DictReader(table))
    single = [name for name in found if name.isalpha() and 4 <= len(name) <= 14]
    return [single[i] for i in sorted(np.random.default_rng(0).permutation(len(single))[:count])]


def probe_train(arguments: argparse.Namespace) -> None:
    backbone, device = EnglishG2(), profile_device()
    crops, labels = load_words(arguments.words, "Validation", arguments.limit)
    validation = timed_features(backbone, crops, "Validation")
    seen = {pixels_digest(crop) for crop in crops}
    drawn, drawn_labels = load_words(arguments.words, "Training", arguments.limit)
    keep = [i for i, crop in enumerate(drawn) if pixels_digest(crop) not in seen]
    print(f"left out of Training: {len(drawn) - len(keep)} exact copies of Validation images")
    features = timed_features(backbone, [drawn[i] for i in keep], "Training")
    parent, names = backbone.initial_parameters(), LexiconIndex.of(sorted(set(labels)))
    plan = TrainingPlan(epochs=arguments.epochs, learning_rate=arguments.rate, seed=arguments.seed)
    result = train(backbone, parent, features, [drawn_labels[i] for i in keep], plan, device)
    steps = plan.epochs * -(-len(keep) // plan.batch_size)
    print(f"{plan}: losses {result.losses}, {result.seconds:.0f} s, {1000 * result.seconds / steps:.0f} ms a batch")
    trained = applied(parent, result.delta)
    print("Validation before:", evaluate(backbone.with_parameters(parent), validation, labels, names))
    print("Validation after: ", evaluate(backbone.with_parameters(trained), validation, labels, names))
    if arguments.out:
        np.savez(arguments.out, **trained)


def exact_strings(recogniser, features, labels) -> float:
    readings = recogniser.read(features, LexiconIndex.of([]))
    return sum(reading.text == label for reading, label in zip(readings, labels, strict=True)) / len(labels)


def probe_genesis(arguments: argparse.Namespace) -> None:
    backbone, device = EnglishG2(), profile_device()
    names = fda_names(arguments.lexicon, arguments.names)
    families = tuple(f.family for f in find_fonts(arguments.fonts) if f.family not in HELD_OUT_FONTS)
    words = render_words(names, find_fonts(arguments.fonts, HELD_OUT_FONTS), 2, seed=999)
    held_out = timed_features(backbone, [word.crop for word in words], "held-out fonts")
    labels, index = [word.label for word in words], LexiconIndex.of(names)
    zero_shot = backbone.with_parameters(backbone.initial_parameters())
    print("held-out fonts, zero-shot:", evaluate(zero_shot, held_out, labels, index))
    print(f"  exact strings without a lexicon {exact_strings(zero_shot, held_out, labels):.3f}")
    crops, real_labels = load_words(arguments.words, "Validation") if arguments.words else ([], [])
    real = backbone.front_features(crops)
    started = time.monotonic()
    settings = GenesisSettings(
        learning_rate=arguments.rate, epochs=arguments.epochs, seed=arguments.seed, families=families
    )
    parameters = pretrain(backbone, names, arguments.fonts, settings, device)
    print(f"{settings}: {time.monotonic() - started:.0f} s")
    recogniser = backbone.with_parameters(parameters)
    print("held-out fonts, genesis:  ", evaluate(recogniser, held_out, labels, index))
    print(f"  exact strings without a lexicon {exact_strings(recogniser, held_out, labels):.3f}")
    if crops:
        print(
            "Validation, genesis:      ",
            evaluate(recogniser, real, real_labels, LexiconIndex.of(sorted(set(real_labels)))),
        )


if __name__ == "__main__":
    main()
