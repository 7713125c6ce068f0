"""What the demo's sites work on: synthetic pages, or the user's own."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from scripts.demo.network import SITES

ROOT = Path(__file__).resolve().parent.parent.parent
LEXICON = ROOT / "prescriptions" / "lexicons" / "demo.csv"
SEED = 1


@dataclass(frozen=True, slots=True)
class DemoData:
    """Folders by site, and what judges."""

    pages: dict[str, Path]
    """Each with ``manifest.csv``."""
    truth: dict[str, Path]
    """What is written on them, for the demo's clinician."""
    test_words: Path
    """Folder with ``labels.csv`` and crops."""
    lexicon: Path
    genesis_fonts: tuple[str, ...]
    """Font families for round 0: neither a site's nor the test's."""
    says: str
    note: str


def generated(folder: Path, fonts: Path) -> DemoData:
    """Writes synthetic pages: the same bytes for the same seed."""
    subprocess.run(
        [
            sys.executable, ROOT / "scripts" / "demo_pages.py", "--out", folder, "--fonts", fonts, "--lexicon", LEXICON,
            "--sites", str(len(SITES)), "--pages", "24", "--words", "80", "--test-words", "400", "--seed", str(SEED),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return DemoData(
        pages={slug: folder / f"site-{number}" for number, slug in enumerate(SITES, 1)},
        truth={slug: folder / "truth" / f"site-{number}.json" for number, slug in enumerate(SITES, 1)},
        test_words=folder / "test-words",
        lexicon=LEXICON,
        genesis_fonts=tuple(json.loads((folder / "fonts.json").read_text(encoding="utf-8"))["pretraining"]),
        says="synthetic, in handwriting fonts that no site has",
        note=f"Pages and words are synthetic (seed {SEED}): these figures say that the network works, not how well "
        "doctors' handwriting is read.",
    )
