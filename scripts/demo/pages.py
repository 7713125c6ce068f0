"""What the demo's sites work on: synthetic pages, or the user's own."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from protocol.errors import ConfigError
from scripts.demo.network import SITES

ROOT = Path(__file__).resolve().parent.parent.parent
LEXICON = ROOT / "prescriptions" / "lexicons" / "demo.csv"
SEED = 1


_WORDS_A_SITE = 120
_DIRICHLET = 0.5
_TESTED = 400


@dataclass(frozen=True, slots=True)
class DemoData:
    """Folders by site, and what judges."""

    pages: dict[str, Path]
    """Each with ``manifest.csv``."""
    truth: dict[str, Path | None]
    """What is written on them, for the demo's clinician; None where the user is the clinician."""
    single_words: bool
    """Whether each picture is one word."""
    test_words: Path | None
    """Folder with ``labels.csv`` and crops; None where nobody knows what is written."""
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
        single_words=False,
        test_words=folder / "test-words",
        lexicon=LEXICON,
        genesis_fonts=tuple(json.loads((folder / "fonts.json").read_text(encoding="utf-8"))["pretraining"]),
        says="synthetic, in handwriting fonts that no site has",
        note=f"Pages and words are synthetic (seed {SEED}): these figures say that the network works, not how well "
        "doctors' handwriting is read.",
    )


def users_own(source: Path, folder: Path) -> DemoData:
    """Shares out a user's own data among the sites.

    Args:
        source: Word crops in the layout ``Training/training_words`` + ``training_labels.csv`` and ``Validation/…``
            (IMAGE, MEDICINE_NAME), or any pages (PNG, JPG, PDF), which the user then reviews.
        folder: Takes manifests and copies; removed by the next demo.

    Raises:
        ConfigError: Nothing usable is there.
    """
    if (source / "Training" / "training_labels.csv").exists():
        return _word_crops(source, folder)
    files = sorted(path for path in source.rglob("*") if path.suffix.lower() in {".png", ".jpg", ".jpeg", ".pdf"})
    if len(files) < len(SITES):
        raise ConfigError(f"{source} holds {len(files)} pages", hint=f"give at least {len(SITES)}: one a site")
    pages = {}
    for number, slug in enumerate(SITES):
        pages[slug] = folder / slug
        pages[slug].mkdir(parents=True)
        mine = files[number :: len(SITES)]
        _write_manifest(pages[slug], [(path, f"P{index:03}") for index, path in enumerate(mine, 1)])
    return DemoData(
        pages=pages,
        truth=dict.fromkeys(SITES),
        single_words=False,
        test_words=None,
        lexicon=LEXICON.with_name("drugsfda.csv"),
        genesis_fonts=(),
        says="your own pages",
        note=f"{len(files)} pages of your own; nobody said what is written on test words, so no accuracy is shown.",
    )


def _word_crops(source: Path, folder: Path) -> DemoData:
    """Training crops without copies of Validation images go to the sites, Dirichlet 0.5 over brands."""
    rng = np.random.default_rng(SEED)
    tested = _labelled(source / "Validation" / "validation_labels.csv", source / "Validation" / "validation_words")
    copies = {_pixels_digest(path) for path, _ in tested}
    training = _labelled(source / "Training" / "training_labels.csv", source / "Training" / "training_words")
    training = [(path, name) for path, name in training if _pixels_digest(path) not in copies]
    names = sorted({name for _, name in training})
    shares = {name: rng.dirichlet([_DIRICHLET] * len(SITES)) for name in names}
    given: dict[str, list[tuple[Path, str]]] = {slug: [] for slug in SITES}
    for index in rng.permutation(len(training)):
        path, name = training[index]
        given[SITES[int(rng.choice(len(SITES), p=shares[name]))]].append((path, name))
    pages: dict[str, Path] = {}
    truth: dict[str, Path | None] = {}
    for slug in SITES:
        words = given[slug][:_WORDS_A_SITE]
        pages[slug], known = folder / slug, folder / "truth" / f"{slug}.json"
        pages[slug].mkdir(parents=True)
        known.parent.mkdir(exist_ok=True)
        _write_manifest(pages[slug], [(path, f"P{number % 12 + 1:03}") for number, (path, _) in enumerate(words)])
        entries = [
            {"file": path.name, "page": 1, "medicines": [{"name": name, "box": [0, 0, *Image.open(path).size]}]}
            for path, name in words
        ]
        known.write_text(json.dumps({"site": slug, "pages": entries}), encoding="utf-8")
        truth[slug] = known
    chosen = [tested[index] for index in sorted(rng.permutation(len(tested))[:_TESTED])]
    test_words = folder / "test-words"
    test_words.mkdir()
    _write_rows(test_words / "labels.csv", ("file", "label"), [(str(path.resolve()), name) for path, name in chosen])
    lexicon = folder / "lexicon.csv"
    _write_rows(
        lexicon, ("name", "generics", "strengths", "forms", "routes"), [(name, "", "", "", "") for name in names]
    )
    return DemoData(
        pages=pages,
        truth=truth,
        single_words=True,
        test_words=test_words,
        lexicon=lexicon,
        genesis_fonts=(),
        says=f"{len(chosen)} Validation crops",
        note=f"Word crops of {source.name} (seed {SEED}): {_WORDS_A_SITE} a site at most, Dirichlet {_DIRICHLET} over "
        f"{len(names)} brands, copies of Validation images left out.",
    )


def _write_manifest(folder: Path, files: Sequence[tuple[Path, str]]) -> None:
    """Copies files beside a manifest that names them: a manifest never reaches out of its folder."""
    rows = []
    for number, (path, patient) in enumerate(files):
        name = path.name if not (folder / path.name).exists() else f"{number}-{path.name}"
        shutil.copyfile(path, folder / name)
        rows.append((name, patient))
    _write_rows(folder / "manifest.csv", ("file", "patient"), rows)


def _labelled(labels: Path, words: Path) -> list[tuple[Path, str]]:
    with labels.open(encoding="utf-8-sig", newline="") as stream:
        return [(words / row["IMAGE"], row["MEDICINE_NAME"].strip()) for row in csv.DictReader(stream)]


def _pixels_digest(path: Path) -> bytes:
    with Image.open(path) as image:
        return hashlib.sha256(repr(image.size).encode() + image.convert("RGB").tobytes()).digest()


def _write_rows(path: Path, header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(rows)
