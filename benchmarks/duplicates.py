"""How surely a page that came before is known again, and how fast.

    nice python -m benchmarks.duplicates --pages 500 --read-pages 500 --stored 100000 --out benchmarks/duplicates.md

Draws the pages, alters each in nine ways, prepares and fingerprints all of them; chooses the threshold on one half of
the pages and reports the other; reads pairs of pages on which one prescription was written twice; times the look-up.
"""

from __future__ import annotations

import argparse
import multiprocessing
import platform
import time
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np

from benchmarks.altered_pages import CLINICS, PAGES_A_PATIENT, altered, draw, prescription
from prescriptions.duplicates import NEAR, likeness
from prescriptions.fingerprint import Fingerprint, decode_fingerprint, encode_fingerprint, fingerprint_of
from prescriptions.fingerprint_index import FingerprintIndex
from prescriptions.lexicon import bundled_lexicon
from prescriptions.page import page_of
from prescriptions.page_date import find_page_date
from prescriptions.pipeline import examine_page
from prescriptions.preprocess import prepare
from prescriptions.readers import make_reader
from prescriptions.reissue import Prescribed, PrescribedMedicine, same_prescription
from protocol.errors import QuarantinedError

ORIGINAL = "as it was"


@dataclass
class Pages:
    """The fingerprints of some pages and of what was made of them."""

    originals: list[Fingerprint] = field(default_factory=list)
    others: dict[str, list[Fingerprint]] = field(default_factory=lambda: defaultdict(list))


@dataclass
class Scores:
    """Likenesses that a look-up saw."""

    right: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """By alteration: with the page that it was made of; 0 where the index did not name it."""
    wrong: list[float] = field(default_factory=list)
    """With any other page that the index named."""


def fingerprints_of_page(task: tuple[int, int]) -> list[tuple[str, bytes, float]]:
    number, seed = task
    cv2.setNumThreads(1)
    page = draw(number, seed)
    made = []
    for name, pixels in [(ORIGINAL, page), *altered(page, np.random.default_rng([seed, 4, number]))]:
        prepared = prepare(pixels).grey
        started = time.process_time()
        fingerprint = fingerprint_of(prepared)
        made.append((name, encode_fingerprint(fingerprint), time.process_time() - started))
    return made


def score(pages: Pages) -> Scores:
    """Looks every altered page up among the originals, and every original among the others."""
    index, scores = FingerprintIndex(), Scores()
    for fingerprint in pages.originals:
        index.add(fingerprint)
    for name, fingerprints in pages.others.items():
        for number, fingerprint in enumerate(fingerprints):
            named = index.candidates(fingerprint)
            found = {other: likeness(fingerprint, pages.originals[other]) for other in named}
            scores.right[name].append(found.pop(number, 0.0))
            scores.wrong += found.values()
    for number, fingerprint in enumerate(pages.originals):
        others = set(index.candidates(fingerprint, 5)) - {number}
        others |= {other for other in range(len(pages.originals)) if other // 3 == number // 3 and other != number}
        scores.wrong += [likeness(fingerprint, pages.originals[other]) for other in others]
    return scores


def choose(scores: Scores) -> float:
    """The threshold of the best F1; of several the middle one."""
    right, wrong = np.concatenate(list(scores.right.values())), np.array(scores.wrong)
    tried = np.arange(0.5, 1, 0.005)
    hits, alarms = (right[:, None] >= tried).sum(axis=0), (wrong[:, None] >= tried).sum(axis=0)
    best = 2 * hits / (hits + alarms + len(right))
    return float(np.median(tried[best == best.max()]))


def read_prescribed(reader, lexicon, number: int, seed: int, writing: int) -> Prescribed:
    try:
        page = examine_page(page_of(draw(number, seed, writing)), reader, lexicon)
    except QuarantinedError:
        return Prescribed(None, ())
    lines: dict[int, list[str]] = defaultdict(list)
    for word in page.words:
        lines[word.line].append(word.text)
    medicines = tuple(
        PrescribedMedicine(line.candidates[0].name, str(line.strength or ""), str(line.frequency or ""))
        for line in page.prescription.lines
        if line.candidates
    )
    return Prescribed(find_page_date(list(lines.values())), medicines)


def read_pairs(pairs: int, seed: int) -> dict[str, float]:
    """Two writings of each prescription, read by the engine; compared within each patient's pages."""
    reader, lexicon = make_reader("rapidocr"), bundled_lexicon("demo")
    started = time.monotonic()
    patients: dict[tuple[int, int], list[tuple[int, Prescribed]]] = defaultdict(list)
    right_days = pages = 0
    for number in range(pairs):
        clinic, _, day, _ = prescription(number, seed)
        for writing in (1, 2):
            found = read_prescribed(reader, lexicon, number, seed, writing)
            right_days += found.written_on == day
            pages += 1
            patients[clinic, number // CLINICS // PAGES_A_PATIENT].append((number, found))
    seconds = time.monotonic() - started
    compared = [pair for of_one in patients.values() for pair in combinations(of_one, 2)]
    flagged = [one[0] == other[0] for one, other in compared if same_prescription(one[1], other[1])]
    return {
        "pages": pages, "days": right_days / pages, "recall": flagged.count(True) / pairs,
        "false": flagged.count(False), "others": len(compared) - pairs, "seconds": seconds / pages,
    }  # fmt: skip


def stored_fingerprint(pool: list[Fingerprint], rng: np.random.Generator) -> Fingerprint:
    """Two fifths of its features are those of one page of the pool, as a letterhead's are; the rest are anyone's."""
    model = pool[rng.integers(len(pool))]
    codes = model.codes.view(np.uint8).reshape(-1, 16).copy()
    own = rng.random(len(codes)) > 0.4
    for row in np.flatnonzero(own):
        donor = pool[rng.integers(len(pool))].codes
        codes[row] = donor[rng.integers(len(donor))].view(np.uint8)
    flips = rng.random((len(codes), 128)) < np.where(own, 0.2, 0.06)[:, None]
    return Fingerprint(model.places, (codes ^ np.packbits(flips, axis=1)).view(np.uint64), model.ink)


def time_lookup(pages: Pages, stored: int, seed: int) -> dict[str, float]:
    rng = np.random.default_rng([seed, 5])
    index = FingerprintIndex()
    made = [stored_fingerprint(pages.originals, rng) for _ in range(stored - len(pages.originals))]
    started = time.perf_counter()
    index.extend(made)
    build = time.perf_counter() - started
    first = len(index)
    for fingerprint in pages.originals:
        index.add(fingerprint)
    asked = [(n, f) for fingerprints in pages.others.values() for n, f in enumerate(fingerprints)]
    chosen = [asked[i] for i in rng.choice(len(asked), size=min(500, len(asked)), replace=False)]
    took, named = [], 0
    for number, fingerprint in chosen:
        started = time.perf_counter()
        found = index.candidates(fingerprint)
        took.append(1000 * (time.perf_counter() - started))
        named += first + number in found
    compare = []
    for number, fingerprint in chosen[:100]:
        started = time.perf_counter()
        likeness(fingerprint, pages.originals[number])
        compare.append(1000 * (time.perf_counter() - started))
    return {
        "stored": len(index), "build": build, "median": float(np.median(took)), "p99": float(np.percentile(took, 99)),
        "named": named / len(chosen), "compare": float(np.median(compare)),
    }  # fmt: skip


def report(options, halves: list[Scores], chosen: float, lookup, reading, milliseconds: float, kilobytes: float) -> str:
    scores = halves[1]
    wrong = np.array(scores.wrong)
    alarms = int((wrong >= NEAR).sum())
    hits = sum(int((np.array(found) >= NEAR).sum()) for found in scores.right.values())
    total = sum(map(len, scores.right.values()))
    rows = "\n".join(
        f"| {name} | {np.mean(np.array(found) >= NEAR):.3f} | {np.mean(np.array(found) > 0):.3f} | {min(found):.2f} | "
        f"{np.percentile(found, 5):.2f} |"
        for name, found in scores.right.items()
    )
    return f"""# Duplicates

    nice python -m benchmarks.duplicates --pages {options.pages} --read-pages {options.read_pages} \
        --stored {options.stored} --seed {options.seed} --out benchmarks/duplicates.md

{options.pages} pages of {CLINICS} clinics and nine alterations of each: {10 * options.pages} pictures prepared and
fingerprinted. One letterhead, form and set of hands a clinic, three pages a patient, one to six medicines a page.
{platform.machine()}, Python {platform.python_version()}, one thread each; the machine had other work.

## Near duplicates

The threshold of the best F1 on the first half of the pages is {chosen:.3f}; `prescriptions.duplicates.NEAR` is {NEAR}.
On the other half, at {NEAR}:

| the page comes again | recall | named by the index | least likeness | 5th percentile |
|---|---|---|---|---|
{rows}

Recall over all **{hits / total:.4f}** ({hits} of {total}), precision **{hits / max(1, hits + alarms):.4f}**: of
{len(wrong)} other pairs {alarms} reach {NEAR}, and the most like of them has {wrong.max():.2f}. The other pairs are
the most alike that the index names, and all pages of one patient.

## Cost

| | |
|---|---|
| fingerprint of a prepared page | {milliseconds:.0f} ms of processor time, {kilobytes:.1f} KB in the store |
| look-up among {lookup["stored"]:,} pages | **median {lookup["median"]:.1f} ms**, 99 % within {lookup["p99"]:.1f} ms |
| the right page is among the at most four that it names | {lookup["named"]:.3f} |
| comparing with one of these | {lookup["compare"]:.0f} ms |
| building the index of {lookup["stored"]:,} pages | {lookup["build"]:.0f} s, without reading the store |

## One prescription written twice

Each of {reading["pages"] / 2:.0f} prescriptions written twice, each time in another hand; {reading["pages"]:.0f} pages
read by rapidocr with the demo lexicon, {reading["seconds"]:.1f} s a page. The day is read right on
{reading["days"]:.3f} of them. Recall of the pairs **{reading["recall"]:.3f}**; of {reading["others"]:.0f} other pairs
of one patient's pages {reading["false"]:.0f} are taken for one prescription. A pair is found only where the day of both
was read, and read alike.

## What this does not say

The pages are drawn: real paper bends, and is stamped and folded. The stored pages of the timing are mixed from the
features of the drawn ones: two fifths of a page's features are those of a letterhead that hundreds of pages share. A
copy in which less than a twentieth of the cells was changed is a near duplicate too: that is for a person to see.
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pages", type=int, default=500)
    parser.add_argument("--read-pages", type=int, default=500)
    parser.add_argument("--stored", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    halves, seconds, sizes = [Pages(), Pages()], [], []
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        tasks = [(number, options.seed) for number in range(options.pages)]
        for number, made in enumerate(pool.imap(fingerprints_of_page, tasks)):
            pages = halves[number * 2 // options.pages]
            for name, content, took in made:
                fingerprint = decode_fingerprint(content)
                (pages.originals if name == ORIGINAL else pages.others[name]).append(fingerprint)
                seconds.append(took)
                sizes.append(len(content))
    scores = [score(pages) for pages in halves]
    chosen = choose(scores[0])
    lookup = time_lookup(halves[1], options.stored, options.seed)
    reading = read_pairs(options.read_pages // 2, options.seed)
    text = report(options, scores, chosen, lookup, reading, 1000 * float(np.mean(seconds)), np.mean(sizes) / 1000)
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
