"""Plays the clinic's people: knows what is written on the pages, and says so through the commands that they would use.

No daemon reads the truth file: only this module does, and all that it knows goes through ``fedrx node review import``
and ``fedrx node consent grant`` as a CSV filled in by a person would.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scripts.demo.network import WITNESS, DemoNetwork, DemoSite

_LEAST_OVERLAP = 0.3


@dataclass(frozen=True, slots=True)
class WrittenWord:
    """A medicine word on a page, as the writer knows it."""

    file: str
    page: int
    name: str
    box: tuple[float, float, float, float]
    """Left, top, right, bottom in pixels of the page."""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What one site's review came to."""

    accepted: int
    fixed: int
    rejected: int
    written: int
    """Medicine words on the pages, found or not."""


def import_pages(network: DemoNetwork, site: DemoSite, pages: Path, *, single_words: bool) -> None:
    """Imports a folder of pages with its manifest."""
    words = ("--words",) if single_words else ()
    network.run("node", "import", "--manifest", pages / "manifest.csv", *words, "-c", site.config)


def review_by_user(network: DemoNetwork, site: DemoSite) -> Path:
    """Writes the review sheet and the crops for the user to fill in."""
    sheet = network.folder / f"{site.slug}-review.csv"
    network.run("node", "review", "export", sheet, "--crops", network.folder / f"{site.slug}-crops", "-c", site.config)
    return sheet


def take_sheet(network: DemoNetwork, site: DemoSite, sheet: Path) -> None:
    """Takes a filled sheet."""
    network.run("node", "review", "import", sheet, "--reviewer", WITNESS, "-c", site.config)


def review(network: DemoNetwork, site: DemoSite, truth: Path) -> Reviewed:
    """Fills in the review sheet: accepts what is right, fixes what is wrong, rejects what is no medicine."""
    sheet = network.folder / f"{site.slug}-review.csv"
    network.run("node", "review", "export", sheet, "-c", site.config)
    words = list(written_words(truth))
    with sheet.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    counts = {"accept": 0, "fix": 0, "reject": 0}
    for row in rows:
        row["action"], row["label"] = decide(row, words)
        counts[row["action"]] += 1
    with sheet.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    take_sheet(network, site, sheet)
    return Reviewed(counts["accept"], counts["fix"], counts["reject"], len(words))


def decide(row: dict[str, str], words: Iterable[WrittenWord]) -> tuple[str, str]:
    """What the clinician writes into one row of the sheet: action and label."""
    left, top, right, bottom = (float(part) for part in row["box"].split())
    best, best_share = None, _LEAST_OVERLAP
    for word in words:
        if (word.file, str(word.page)) != (row["file"], row["page"]):
            continue
        width = min(right, word.box[2]) - max(left, word.box[0])
        height = min(bottom, word.box[3]) - max(top, word.box[1])
        union = (right - left) * (bottom - top) + (word.box[2] - word.box[0]) * (word.box[3] - word.box[1])
        overlap = max(0.0, width) * max(0.0, height)
        if overlap / (union - overlap) > best_share:
            best, best_share = word, overlap / (union - overlap)
    if best is None:
        return "reject", "no medicine name"
    return ("accept", "") if row["proposal"] == best.name else ("fix", best.name)


def grant_consents(network: DemoNetwork, site: DemoSite, pages: Path) -> int:
    """Records the consent of every patient in the manifest; returns how many."""
    patients = patients_of(pages)
    network.run("node", "consent", "grant", *patients, "--witness", WITNESS, "--asked-by", WITNESS, "-c", site.config)
    return len(patients)


def withdraw(network: DemoNetwork, site: DemoSite, patient: str) -> None:
    """A patient changes their mind."""
    network.run("node", "consent", "withdraw", patient, "-c", site.config)


def patients_of(pages: Path) -> tuple[str, ...]:
    """The patients of a manifest, each once."""
    with (pages / "manifest.csv").open(encoding="utf-8", newline="") as stream:
        return tuple(sorted({row["patient"] for row in csv.DictReader(stream)}))


def written_words(truth: Path) -> Iterable[WrittenWord]:
    """The medicine words of a truth file."""
    for page in json.loads(truth.read_text(encoding="utf-8"))["pages"]:
        for medicine in page["medicines"]:
            left, top, right, bottom = medicine["box"]
            yield WrittenWord(page["file"], page["page"], medicine["name"], (left, top, right, bottom))
