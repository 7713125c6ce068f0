"""How surely a page that came before is known again, and how fast.

    nice python -m benchmarks.duplicates --pages 500 --read-pages 500 --stored 100000 --out benchmarks/duplicates.md

Draws the pages, alters each in nine ways, prepares and fingerprints all of them; chooses the threshold on one half of
the pages and reports the other; reads pairs of pages on which one prescription was written twice; times the look-up.
"""

from __future__ import annotations

import argparse
import multiprocessing
import platform
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np

from benchmarks.altered_pages import CLINICS, PAGES_A_PATIENT, altered, draw, prescription
from prescriptions.duplicates import NEAR, likeness
from prescriptions.fingerprint import Fingerprint, decode_fingerprint, encode_fingerprint, look_at
from prescriptions.fingerprint_index import FingerprintIndex
from prescriptions.lexicon import bundled_lexicon
from prescriptions.page import page_of
from prescriptions.page_date import find_page_date
from prescriptions.pipeline import examine_page
from prescriptions.preprocess import prepare
from prescriptions.readers import make_reader
from prescriptions.reissue import Prescribed, PrescribedMedicine, same_prescription
from protocol.errors import QuarantinedError

HALVES = 2


@dataclass
class Scores:
    """Likenesses that look-ups saw."""

    right: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """By alteration: with the page that it was made of; 0 where the index did not name it."""
    wrong: list[float] = field(default_factory=list)
    """With any other page that the index named, and with the other pages of the same patient."""


def fingerprint_of_page(task: tuple[int, int]) -> tuple[bytes, float]:
    number, seed = task
    cv2.setNumThreads(1)
    prepared = prepare(draw(number, seed)).grey
    started = time.process_time()
    content = encode_fingerprint(look_at(prepared).fingerprint)
    return content, time.process_time() - started


class Seen:
    """The pages of one half, in a process of its own."""

    first: int
    originals: list[Fingerprint]
    index: FingerprintIndex


def begin(contents: list[bytes], first: int) -> None:
    cv2.setNumThreads(1)
    Seen.first, Seen.originals, Seen.index = (
        first,
        [decode_fingerprint(content) for content in contents],
        FingerprintIndex(),
    )
    Seen.index.extend(Seen.originals)


def score_page(task: tuple[int, int]) -> tuple[list[tuple[str, float]], list[float], list[bytes]]:
    """Looks the alterations of a page up among the originals, and the page itself among the others."""
    number, seed = task
    own = number - Seen.first
    page = draw(number, seed)
    right, wrong, contents = [], [], []
    for name, pixels in altered(page, np.random.default_rng([seed, 4, number])):
        look = look_at(prepare(pixels).grey)
        found = {other: likeness(look, Seen.originals[other]) for other in Seen.index.candidates(look.fingerprint)}
        right.append((name, found.pop(own, 0.0)))
        wrong += found.values()
        contents.append(encode_fingerprint(look.fingerprint))
    look = look_at(prepare(page).grey)
    others = {*Seen.index.candidates(look.fingerprint, 5), *pages_of_patient(number, Seen.first, len(Seen.originals))}
    wrong += [likeness(look, Seen.originals[other]) for other in others - {own}]
    return right, wrong, contents


def pages_of_patient(number: int, first: int, count: int) -> set[int]:
    same = {n for n in range(number - 2 * CLINICS, number + 2 * CLINICS + 1, CLINICS)
            if n // CLINICS // PAGES_A_PATIENT == number // CLINICS // PAGES_A_PATIENT}  # fmt: skip
    return {n - first for n in same if first <= n < first + count}


def score_half(originals: list[bytes], first: int, options) -> tuple[Scores, list[list[bytes]]]:
    scores, altered_contents = Scores(), []
    context = multiprocessing.get_context("spawn")
    tasks = [(first + place, options.seed) for place in range(len(originals))]
    with context.Pool(options.processes, begin, (originals, first)) as pool:
        for right, wrong, contents in pool.imap(score_page, tasks):
            for name, found in right:
                scores.right[name].append(found)
            scores.wrong += wrong
            altered_contents.append(contents)
    return scores, altered_contents


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


def stored_codes(pool: np.ndarray, page: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Two fifths of its features are those of one page, as a letterhead's are; the rest are anyone's."""
    own = rng.random(len(page)) > 0.4
    codes = np.where(own[:, None], pool[rng.integers(len(pool), size=len(page))], page)
    flips = rng.random((len(page), 128)) < np.where(own, 0.2, 0.06)[:, None]
    return (codes.view(np.uint8).reshape(-1, 16) ^ np.packbits(flips, axis=1)).view(np.uint64)


def time_lookup(originals: list[bytes], contents: list[list[bytes]], options) -> dict[str, float]:
    rng = np.random.default_rng([options.seed, 5])
    pages = [decode_fingerprint(content) for content in originals]
    pool = np.concatenate([page.codes for page in pages])
    models = [pages[place] for place in rng.integers(len(pages), size=options.stored - len(pages))]
    made = [Fingerprint(model.places, stored_codes(pool, model.codes, rng), model.cells) for model in models]
    index = FingerprintIndex()
    started = time.perf_counter()
    index.extend(made)
    build = time.perf_counter() - started
    first = len(index)
    for page in pages:
        index.add(page)
    asked = [(place, content) for place, made_of_it in enumerate(contents) for content in made_of_it]
    took, named = [], 0
    chosen = rng.choice(len(asked), size=min(1000, len(asked)), replace=False)
    for place, content in [asked[number] for number in chosen]:
        fingerprint = decode_fingerprint(content)
        started = time.perf_counter()
        found = index.candidates(fingerprint)
        took.append(1000 * (time.perf_counter() - started))
        named += first + place in found
    look = look_at(prepare(draw(0, options.seed)).grey)
    started = time.perf_counter()
    for page in pages[:50]:
        likeness(look, page)
    compare = 1000 * (time.perf_counter() - started) / len(pages[:50])
    return {
        "stored": len(index), "build": build, "median": float(np.median(took)), "p99": float(np.percentile(took, 99)),
        "named": named / len(chosen), "compare": compare,
    }  # fmt: skip


def report(options, scores: Scores, chosen: float, lookup, reading, milliseconds: float, kilobytes: float) -> str:
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
copy in which less than a twentieth of the cells was changed is a near duplicate too: that is for a person to see. In
the table, the page that was there before is the whole one; a test has it the other way round.
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
    context = multiprocessing.get_context("spawn")
    with context.Pool(options.processes) as pool:
        made = pool.map(fingerprint_of_page, [(number, options.seed) for number in range(options.pages)])
    originals = [content for content, _ in made]
    middle = options.pages // HALVES
    print(f"{len(originals)} pages fingerprinted", file=sys.stderr, flush=True)
    first_scores, _ = score_half(originals[:middle], 0, options)
    chosen = choose(first_scores)
    print(f"first half scored, threshold {chosen:.3f}", file=sys.stderr, flush=True)
    scores, contents = score_half(originals[middle:], middle, options)
    lookup = time_lookup(originals[middle:], contents, options)
    print(f"look-up {lookup}", file=sys.stderr, flush=True)
    reading = read_pairs(options.read_pages // 2, options.seed)
    milliseconds, size = 1000 * np.mean([took for _, took in made]), np.mean([len(content) for content in originals])
    text = report(options, scores, chosen, lookup, reading, float(milliseconds), float(size) / 1000)
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
