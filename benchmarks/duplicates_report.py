"""Part of benchmarks/duplicates.py: what was measured, and the page that says so."""

from __future__ import annotations

import os
import platform
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from benchmarks.altered_pages import CLINICS, PAGES_A_PATIENT, PRINTING, clinic_of
from benchmarks.prescribed_again import Tally
from prescriptions.duplicates import NEAR
from prescriptions.reissue import Reissue

FULL_PAGES, FULL_ALTERED, FULL_READ = 5_000, 500, 500
_TRIED = np.arange(0.5, 1, 0.005)


@dataclass
class NearScores:
    """Likenesses that look-ups saw."""

    right: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """By alteration: with the page that it was made of; 0 where the index did not name it."""
    by_writing: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """The same by how the page was written."""
    wrong: list[float] = field(default_factory=list)
    """With any other page that the index named, and with the other pages of the same patient."""

    @classmethod
    def of(cls, scored: dict[int, dict]) -> NearScores:
        scores = cls()
        for number, result in scored.items():
            for name, found in result["right"]:
                scores.right[name].append(found)
                scores.by_writing["printed" if clinic_of(number) == PRINTING else "handwritten"].append(found)
            scores.wrong += result["wrong"] + result["others"]
        return scores

    def all_right(self) -> np.ndarray:
        return np.concatenate([np.array(found) for found in self.right.values()])

    def choose(self) -> float:
        """The threshold of the best F1; of several the middle one."""
        hits = (self.all_right()[:, None] >= _TRIED).sum(axis=0)
        alarms = (np.array(self.wrong)[:, None] >= _TRIED).sum(axis=0)
        best = 2 * hits / (hits + alarms + len(self.all_right()))
        return float(np.median(_TRIED[best == best.max()]))


@dataclass(frozen=True)
class Lookup:
    """Milliseconds of one look-up each."""

    stored: int
    build_seconds: float
    wall: list[float]
    processor: list[float]
    named: float
    """Share of the altered pages whose original is among the pages named."""
    compare: float
    """Milliseconds of processor time to compare with one of them."""


@dataclass(frozen=True)
class Measured:
    first: NearScores
    """The half on which the threshold is chosen."""
    second: NearScores
    lookup: Lookup
    chosen_on: Tally
    reported: Tally
    milliseconds: float
    kilobytes: float


def report(options, measured: Measured) -> str:
    return "\n".join((_head(options), _near(measured), _cost(measured), _again(options, measured), _LIMITS))


def _head(options) -> str:
    return f"""# Duplicates

    nice python -m benchmarks.duplicates --pages {options.pages} --altered {options.altered} \\
        --read-pages {options.read_pages} --stored {options.stored} --seed {options.seed} \\
        --out benchmarks/duplicates.md

{_size(options)}

All pages are synthetic. {options.pages:,} are drawn and fingerprinted; {options.altered} of them come again in
nine ways each ({9 * options.altered:,} pictures) and are looked up among all {options.pages:,}. {CLINICS} clinics have
a letterhead and form each; three write by hand, three hands each, and one prints; {PAGES_A_PATIENT} pages a patient,
one to six medicines a page. {platform.machine()}, Python {platform.python_version()}, one thread; the machine had
other work.
"""


def _size(options) -> str:
    if options.pages >= FULL_PAGES and options.altered >= FULL_ALTERED and options.read_pages >= FULL_READ:
        return "This is the full size."
    return (
        f"This is a small run: without options {FULL_PAGES:,} pages are drawn, {FULL_ALTERED} of them come again and "
        f"{FULL_READ} are read.\nOne page more or less moves a row of the first table by "
        f"{1 / max(1, options.altered - options.altered // 2):.3f}."
    )


def _near(measured: Measured) -> str:
    scores, wrong = measured.second, np.array(measured.second.wrong)
    rows = "\n".join(
        f"| {name} | {np.mean(np.array(found) >= NEAR):.3f} | {np.mean(np.array(found) > 0):.3f} | {min(found):.2f} | "
        f"{np.percentile(found, 5):.2f} |"
        for name, found in [*scores.right.items(), *((f"*all, {how}*", of) for how, of in scores.by_writing.items())]
    )
    right = scores.all_right()
    hits, alarms = int((right >= NEAR).sum()), int((wrong >= NEAR).sum())
    return f"""## Near duplicates

The threshold of the best F1 on the first half of the altered pages is {measured.first.choose():.3f};
`prescriptions.duplicates.NEAR` is {NEAR}. On the other half, at {NEAR}:

| the page comes again | recall | lined up with its original | least likeness | 5th percentile |
|---|---|---|---|---|
{rows}

Recall over all **{hits / len(right):.4f}** ({hits:,} of {len(right):,}), precision
**{hits / max(1, hits + alarms):.4f}**: of {len(wrong):,} other pairs {alarms} reach {NEAR}, and the most like of them
has {wrong.max():.2f}. The other pairs are the most alike that the index names, and all pages of one patient.
"""


def _cost(measured: Measured) -> str:
    lookup = measured.lookup

    made = f"{measured.milliseconds:.0f} ms of processor time, {measured.kilobytes:.1f} KB in the store"

    def times(took: list[float]) -> str:
        return f"median **{np.median(took):.1f} ms**, 99 % within **{np.percentile(took, 99):.1f} ms**"

    return f"""## Cost

| | |
|---|---|
| fingerprint of a prepared page | {made} |
| look-up among {lookup.stored:,} pages, by the clock | {times(lookup.wall)} |
| the same, processor time | {times(lookup.processor)} |
| the right page is among the at most four that it names | {lookup.named:.3f} |
| comparing with one of these | {lookup.compare:.0f} ms of processor time |
| building the index of {lookup.stored:,} pages | {lookup.build_seconds:.0f} s, without reading the store |

{len(lookup.wall):,} look-ups, warm, while 255 pages are not sorted in yet, which is the most that there can be. Load of
the machine over five minutes: {os.getloadavg()[1]:.0f}, on {os.cpu_count()} cores.
"""


def _again(options, measured: Measured) -> str:
    found, first = measured.reported, measured.chosen_on
    days, total = found.days, max(1, found.days.total())
    rows = "\n".join(
        f"| {reason or 'not proposed'} | {found.again[reason]} | {found.repeats[reason]} | {found.others[reason]} |"
        for reason in sorted({*found.again, *found.repeats, *found.others}, key=str)
    )
    same = found.again[Reissue.SAME_DAY]
    taken = same + found.repeats[Reissue.SAME_DAY] + found.others[Reissue.SAME_DAY]
    return f"""## One prescription written twice

Each prescription is written twice, in another hand, with another pen and photograph each time, and a third time on
another day, as it is repeated after weeks or a month. {options.read_pages // 3 * 3} pages are read by rapidocr with
the demo lexicon; every two pages of a patient are compared. The rule was chosen on one half of the prescriptions; this
is the other. Of its {found.days.total()} pages the day is read right on {days["right"] / total:.3f}, wrong on
{days["wrong"] / total:.3f}, not at all on {days["not"] / total:.3f}.

| proposed because | written twice | repeated on another day | other medicines |
|---|---|---|---|
{rows}

Recall **{found.recall():.3f}** of {found.again.total()}, precision **{found.precision():.3f}**; on the half on which
the rule was chosen {first.recall():.3f} of {first.again.total()} and {first.precision():.3f}. Pages of one day alone:
recall {same / max(1, found.again.total()):.3f}, precision {same / max(1, taken):.3f}; proposing pages whose day could
not be read finds more, and costs a look at repeats.
"""


_LIMITS = """## What this does not say

The pages are drawn: real paper bends, and is stamped and folded. The stored pages of the timing are mixed from the
features of the drawn ones: two fifths of a page's features are those of a letterhead that many pages share. A copy in
which less than a twentieth of the cells was changed is a near duplicate too: that is for a person to see. In the table,
the page that was there before is the whole one; a test has it the other way round. Precision depends on how often pages
come twice: here nine times, at a clinic seldom.
"""
