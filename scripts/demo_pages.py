"""Draws synthetic prescription pages for demonstrations and tests. No patient, doctor or hospital of them exists.

    python scripts/demo_pages.py --out DIR --fonts fonts/node_modules --lexicon prescriptions/lexicons/demo.csv \
        --sites 4 --pages 24 --words 80 --test-words 400 --seed 1

Writes ``DIR/site-1 … site-N`` (page images and ``manifest.csv``), ``DIR/truth/site-N.json`` (what is on every page,
for the demonstration's reviewer alone), ``DIR/test-words`` (word crops in fonts that no site has, and ``labels.csv``),
``DIR/fonts.json`` and ``DIR/README.md``. The same arguments give the same bytes with the same library versions.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from demo_artist import Drawn, PageArtist
from demo_content import make_line, make_patients
from demo_ink import PRETRAINING_FONTS, PRINT_FONT, SITE_FONTS, TEST_FONTS, draw_word

from prescriptions.lexicon import Lexicon, load_lexicon

if TYPE_CHECKING:
    from PIL import Image

_MIN_WORDS_PER_PAGE = 3
_PAGES_PER_PATIENT = 3


def share_out(pages: int, words: int) -> list[int]:
    """How many medicines each page has: at least three, and at least ``words`` in all."""
    total = max(words, pages * _MIN_WORDS_PER_PAGE)
    return [total // pages + (1 if page < total % pages else 0) for page in range(pages)]


def make_site(folder: Path, truth_file: Path, fonts: Path, lexicon: Lexicon, options: argparse.Namespace,
              site: int) -> None:  # fmt: skip
    """One site's folder, and its truth beside the folders."""
    rng = np.random.default_rng([options.seed, 1, site])
    artist = PageArtist(fonts, site)
    patients = make_patients(-(-options.pages // _PAGES_PER_PATIENT), rng)
    # Every site prescribes everything, but each has its favourites: the sites' samples are not alike.
    taste = rng.dirichlet(np.full(len(lexicon.medicines), 0.7))
    folder.mkdir(parents=True)
    truths, manifest = [], []
    held: list[Drawn] = []
    for page, count in enumerate(share_out(options.pages, options.words)):
        patient = patients[page // _PAGES_PER_PATIENT]
        chosen = rng.choice(len(lexicon.medicines), size=count, replace=False, p=taste)
        drawn = artist.draw(patient, [make_line(lexicon.medicines[index], rng) for index in chosen], rng)
        if page < 2:  # the first patient's first two pages come as one PDF
            held.append(drawn)
            if page + 1 == min(2, options.pages):
                _save_pdf(folder / "page-01.pdf", [one.image for one in held])
                manifest.append(("page-01.pdf", patient.patient_id))
                truths += [{"file": "page-01.pdf", "page": index, **one.truth} for index, one in enumerate(held, 1)]
            continue
        file = f"page-{page + 1:02}." + ("png" if page % 3 == 2 else "jpg")
        drawn.image.save(folder / file, **({"quality": 90} if file.endswith("jpg") else {"compress_level": 1}))
        manifest.append((file, patient.patient_id))
        truths.append({"file": file, "page": 1, **drawn.truth})
    _save_csv(folder / "manifest.csv", ("file", "patient"), manifest)
    _save_json(truth_file, {"site": folder.name, "pages": truths})


def make_test_words(folder: Path, fonts: Path, lexicon: Lexicon, options: argparse.Namespace) -> None:
    """Single words in hands that no site has; every name of the lexicon before any comes twice."""
    rng = np.random.default_rng([options.seed, 2])
    folder.mkdir(parents=True)
    order: list[int] = []
    while len(order) < options.test_words:
        order += rng.permutation(len(lexicon.medicines)).tolist()
    labels = []
    for number, index in enumerate(order[: options.test_words], start=1):
        name = lexicon.medicines[index].name
        file = f"word-{number:04}.png"
        draw_word(fonts, TEST_FONTS[rng.integers(len(TEST_FONTS))], name, rng).save(folder / file, compress_level=1)
        labels.append((file, name))
    _save_csv(folder / "labels.csv", ("file", "label"), labels)


def _save_pdf(path: Path, images: list[Image.Image]) -> None:
    epoch = time.gmtime(0)  # Pillow would write the clock, and the bytes would differ from run to run
    images[0].save(path, save_all=True, append_images=images[1:], resolution=200, quality=92, title=path.stem,
                   creationDate=epoch, modDate=epoch)  # fmt: skip


def _save_csv(path: Path, header: tuple[str, ...], rows: list[tuple[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _save_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _readme(options: argparse.Namespace) -> str:
    return (
        "# Synthetic prescription pages\n\n"
        "Every page and word here is drawn by `scripts/demo_pages.py`. The patients, doctors, hospitals, telephone\n"
        "numbers and addresses are made up, the handwriting is fonts, and the choice of medicines has no medical\n"
        "meaning. Accuracy on these pages says little about real handwriting.\n\n"
        "`truth/` is for the demonstration's reviewer and for tests: a site never reads it.\n"
        f"Seed {options.seed}, {options.sites} sites, lexicon `{options.lexicon.name}`.\n"
    )


def main(arguments: list[str]) -> int:
    """Draws everything below ``--out``, which must not exist or be empty."""
    parser = argparse.ArgumentParser(description="draw synthetic prescription pages")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--fonts", type=Path, required=True, help="node_modules folder with the @fontsource packages")
    parser.add_argument("--lexicon", type=Path, required=True)
    parser.add_argument("--sites", type=int, default=4)
    parser.add_argument("--pages", type=int, default=24, help="pages a site")
    parser.add_argument("--words", type=int, default=80, help="medicine words a site, at least")
    parser.add_argument("--test-words", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    if not (options.fonts / "@fontsource" / PRINT_FONT).is_dir():
        parser.error(f"{options.fonts} holds no @fontsource packages: run npm ci in fonts/")
    if options.out.exists() and any(options.out.iterdir()):
        parser.error(f"{options.out} is not empty: give a new folder")
    lexicon = load_lexicon(options.lexicon)
    fonts = options.fonts.resolve()
    for site in range(options.sites):
        name = f"site-{site + 1}"
        make_site(options.out / name, options.out / "truth" / f"{name}.json", fonts, lexicon, options, site)
    make_test_words(options.out / "test-words", fonts, lexicon, options)
    roles = {f"site-{site + 1}": SITE_FONTS[site % len(SITE_FONTS)] for site in range(options.sites)}
    _save_json(options.out / "fonts.json", {**roles, "test": TEST_FONTS, "pretraining": PRETRAINING_FONTS})
    (options.out / "README.md").write_text(_readme(options), encoding="utf-8")
    print(f"{options.out}: {options.sites} sites of {options.pages} pages, {options.test_words} test words")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
