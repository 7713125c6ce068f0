"""How surely a page that came before is known again, and how fast.

    nice python -m benchmarks.duplicates --out benchmarks/duplicates.md

Draws the pages and fingerprints all of them; alters a sample in nine ways and looks every altered page up among all;
chooses the threshold on one half of the sample and reports the other; reads prescriptions that were written twice, and
their repeats; times the look-up. With ``--keep FOLDER`` a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import base64
import multiprocessing
import sys
import time
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks import prescribed_again
from benchmarks.altered_pages import CLINICS, PAGES_A_PATIENT, altered, draw, patient_of
from benchmarks.duplicates_report import (
    FULL_ALTERED,
    FULL_PAGES,
    FULL_READ,
    Lookup,
    Measured,
    NearScores,
    report,
)
from benchmarks.kept_work import KeptWork
from prescriptions.duplicates import likeness
from prescriptions.fingerprint import Fingerprint, decode_fingerprint, encode_fingerprint, look_at
from prescriptions.fingerprint_index import FingerprintIndex
from prescriptions.preprocess import prepare

BATCH = 1 << 14
WAITING = 255
"""Pages that the index has not sorted in yet: the most that there can be."""


def in_processes(options, task, *, begin=None, arguments=()) -> Any:
    """What ``KeptWork.results`` runs: ``task`` on every page's number and the seed."""

    def run(numbers: list[int]) -> Iterator[Any]:
        if numbers:
            with multiprocessing.get_context("spawn").Pool(options.processes, begin, arguments) as pool:
                yield from pool.imap(task, [(number, options.seed) for number in numbers])

    return run


def fingerprint_of_page(task: tuple[int, int]) -> list:
    """The fingerprint, and the processor seconds that it took."""
    cv2.setNumThreads(1)
    prepared = prepare(draw(*task)).grey
    started = time.process_time()
    content = encode_fingerprint(look_at(prepared).fingerprint)
    return [_text(content), time.process_time() - started]


class Seen:
    """The pages that came before, in a process of its own."""

    originals: list[Fingerprint]
    index: FingerprintIndex


def begin(contents: list[bytes]) -> None:
    cv2.setNumThreads(1)
    Seen.originals, Seen.index = [decode_fingerprint(content) for content in contents], FingerprintIndex()
    Seen.index.extend(Seen.originals)


def score_page(task: tuple[int, int]) -> dict:
    """Looks the alterations of a page up among all pages, and the page itself among the others."""
    number, seed = task
    page = draw(number, seed)
    right, wrong, contents = [], [], []
    for name, pixels in altered(page, np.random.default_rng([seed, 4, number])):
        look = look_at(prepare(pixels).grey)
        found = {other: likeness(look, Seen.originals[other]) for other in Seen.index.candidates(look.fingerprint)}
        right.append((name, found.pop(number, 0.0)))
        wrong += found.values()
        contents.append(_text(encode_fingerprint(look.fingerprint)))
    look = look_at(prepare(page).grey)
    others = {*Seen.index.candidates(look.fingerprint, 5), *pages_of_patient(number, len(Seen.originals))} - {number}
    return {
        "right": right, "wrong": wrong, "others": [likeness(look, Seen.originals[other]) for other in sorted(others)],
        "altered": contents,
    }  # fmt: skip


def pages_of_patient(number: int, count: int) -> set[int]:
    around = range(number - (PAGES_A_PATIENT - 1) * CLINICS, number + PAGES_A_PATIENT * CLINICS, CLINICS)
    return {other for other in around if 0 <= other < count and patient_of(other) == patient_of(number)}


def stored_pages(pages: list[Fingerprint], count: int, rng: np.random.Generator) -> Iterator[Fingerprint]:
    """Two fifths of a page's features are those of one page, as a letterhead's are; the rest are anyone's."""
    pool = np.concatenate([page.codes for page in pages])
    anyones, letterheads = noise(0.2, rng), noise(0.06, rng)
    for place in rng.integers(len(pages), size=count):
        model = pages[place]
        features = len(model.codes)
        own = (rng.random(features) > 0.4)[:, None]
        codes = np.where(own, pool[rng.integers(len(pool), size=features)], model.codes)
        codes ^= np.where(own, rng.choice(anyones, features), rng.choice(letterheads, features))
        yield Fingerprint(model.places, codes, model.cells)


def noise(share: float, rng: np.random.Generator) -> np.ndarray:
    """Codes of which a share of the bits is set, to be turned over."""
    return np.packbits(rng.random((1 << 14, 128)) < share, axis=1).view(np.uint64)


def time_lookup(pages: list[Fingerprint], asked: list[tuple[int, Fingerprint]], options) -> Lookup:
    """Looks altered pages up among ``options.stored`` pages: made ones, then the drawn ones."""
    rng = np.random.default_rng([options.seed, 5])
    index = FingerprintIndex()
    build, made = 0.0, options.stored - len(pages)
    before = chain(stored_pages(pages, made, rng), pages[:-WAITING])
    while batch := list(islice(before, BATCH)):
        started = time.perf_counter()
        index.extend(batch)
        build += time.perf_counter() - started
    for page in pages[-WAITING:]:
        index.add(page)
    chosen = [asked[place] for place in rng.choice(len(asked), size=min(1000, len(asked)), replace=False)]
    for _, fingerprint in chosen[:50]:
        index.candidates(fingerprint)
    wall, processor, named = [], [], 0
    for number, fingerprint in chosen:
        started, worked = time.perf_counter(), time.thread_time()
        found = index.candidates(fingerprint)
        processor.append(1000 * (time.thread_time() - worked))
        wall.append(1000 * (time.perf_counter() - started))
        named += made + number in found
    look = look_at(prepare(draw(0, options.seed)).grey)
    started = time.thread_time()
    for page in pages[:50]:
        likeness(look, page)
    compare = 1000 * (time.thread_time() - started) / len(pages[:50])
    return Lookup(len(index), build, wall, processor, named / len(chosen), compare)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def measure(options) -> Measured:
    kept = KeptWork(options.keep)
    made = dict(kept.results("originals", range(options.pages), in_processes(options, fingerprint_of_page)))
    contents = [base64.b64decode(made[number][0]) for number in range(options.pages)]
    _say(f"{len(contents)} pages fingerprinted")
    sample = np.random.default_rng([options.seed, 7]).permutation(options.pages)[: options.altered].tolist()
    scoring = in_processes(options, score_page, begin=begin, arguments=(contents,))
    scored = dict(kept.results(f"altered-of-{options.pages}", sample, scoring))
    _say(f"{len(sample)} pages altered and looked up")
    pages = [decode_fingerprint(content) for content in contents]
    asked = [
        (number, decode_fingerprint(base64.b64decode(content)))
        for number in sample
        for content in scored[number]["altered"]
    ]
    lookup = time_lookup(pages, asked, options)
    _say("look-up timed")
    triples = list(range(options.read_pages // len(prescribed_again.WRITINGS)))
    reading = in_processes(options, prescribed_again.read_three, begin=prescribed_again.begin)
    readings = dict(kept.results("read", triples, reading))
    _say(f"{len(triples)} prescriptions read")
    half = len(sample) // 2
    return Measured(
        first=NearScores.of({number: scored[number] for number in sample[:half]}),
        second=NearScores.of({number: scored[number] for number in sample[half:]}),
        lookup=lookup,
        chosen_on=prescribed_again.tally(readings, triples[: len(triples) // 2], options.seed),
        reported=prescribed_again.tally(readings, triples[len(triples) // 2 :], options.seed),
        milliseconds=1000 * float(np.mean([took for _, took in made.values()])),
        kilobytes=float(np.mean([len(content) for content in contents])) / 1000,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pages", type=int, default=FULL_PAGES)
    parser.add_argument("--altered", type=int, default=FULL_ALTERED)
    parser.add_argument("--read-pages", type=int, default=FULL_READ)
    parser.add_argument("--stored", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    text = report(options, measure(options))
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
