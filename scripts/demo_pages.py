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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from demo_content import ADVICE, FORMS, HOSPITALS, LAST, Line, Patient, make_line, make_patients
from demo_ink import (
    INKS,
    PRETRAINING_FONTS,
    PRINT_FONT,
    SITE_FONTS,
    TEST_FONTS,
    Box,
    draw_word,
    load_font,
    load_hand,
    photograph,
    scribble,
    turn,
    write,
)
from PIL import Image, ImageDraw

from prescriptions.lexicon import Lexicon, load_lexicon

_PAGE = (800, 1040)
_MIN_WORDS_PER_PAGE = 3
_PAGES_PER_PATIENT = 3
_PRINT_INK = (40, 40, 48)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A finished page and what is on it."""

    image: Image.Image
    truth: dict[str, Any]


class PageArtist:
    """Draws the pages of one site, all in its stationery and its writers' hands."""

    def __init__(self, fonts: Path, site: int) -> None:
        self._fonts = fonts
        self._families = SITE_FONTS[site % len(SITE_FONTS)]
        self._site = site
        self.hospital = HOSPITALS[site % len(HOSPITALS)]

    def draw(self, patient: Patient, lines: list[Line], rng: np.random.Generator) -> Drawn:
        """One page; the boxes in its truth are those of the finished image."""
        paper = tuple(int(level) for level in 250 - rng.integers(0, 10, 3))
        canvas = Image.new("RGB", _PAGE, paper)
        pen = ImageDraw.Draw(canvas)
        family = self._families[rng.integers(len(self._families))]
        ink = INKS[rng.integers(len(INKS))]
        self._header(pen)
        self._patient_row(pen, patient, family, ink, rng)
        boxes = self._body(pen, lines, family, ink, rng)
        self._footer(pen, family, ink, rng)
        canvas, boxes = turn(canvas, float(rng.uniform(-2.5, 2.5)), boxes, paper)
        image = photograph(canvas, rng, light=float(rng.uniform(0.05, 0.35)), grain=float(rng.uniform(1.5, 5)))
        medicines = [
            {
                "name": line.name, "form": line.form, "strength": line.strength, "frequency": line.frequency,
                "box": [box.left, box.top, box.right, box.bottom],
            }
            for line, box in zip(lines, boxes, strict=True)
        ]  # fmt: skip
        return Drawn(image, {"patient": patient.patient_id, "patient_name": patient.name, "hospital": self.hospital,
                             "font": family, "medicines": medicines})  # fmt: skip

    def _print(self, pen: ImageDraw.ImageDraw, at: tuple[float, float], text: str, size: int, weight: int = 400) -> Box:
        return write(pen, at, text, load_font(self._fonts, PRINT_FONT, size, weight), _PRINT_INK)

    def _header(self, pen: ImageDraw.ImageDraw) -> None:
        self._print(pen, (50, 66), self.hospital, 32, 700)
        self._print(pen, (50, 96), f"{12 + self._site} Hospital Road   Tel 0{2000 + self._site} 555 0100", 17)
        self._print(pen, (50, 124), f"Dr. {LAST[-1 - self._site % len(LAST)]}, General Medicine", 19)
        pen.line([(50, 142), (_PAGE[0] - 50, 142)], fill=_PRINT_INK, width=2)

    def _patient_row(self, pen: ImageDraw.ImageDraw, patient: Patient, family: str, ink: tuple[int, int, int],
                     rng: np.random.Generator) -> None:  # fmt: skip
        hand = load_hand(self._fonts, family, 14)
        date = f"{rng.integers(1, 29)}/{rng.integers(1, 13)}/2024"
        rows = ((182, (("Name:", patient.name, 50), ("Age:", str(patient.age), 440), ("Date:", date, 570))),
                (224, (("Phone:", patient.phone, 50), ("Address:", patient.street, 370))))  # fmt: skip
        for baseline, fields in rows:
            for label, value, left in fields:
                end = self._print(pen, (left, baseline), label, 19).right
                write(pen, (end + 14, baseline + rng.uniform(-2, 2)), value, hand, ink)
        pen.line([(50, 246), (_PAGE[0] - 50, 246)], fill=_PRINT_INK, width=1)
        self._print(pen, (52, 312), "Rx", 46, 700)

    def _body(self, pen: ImageDraw.ImageDraw, lines: list[Line], family: str, ink: tuple[int, int, int],
              rng: np.random.Generator) -> list[Box]:  # fmt: skip
        boxes = []
        height = int(rng.integers(15, 20))
        step = min(104, 560 // len(lines))
        for number, line in enumerate(lines, start=1):
            words = [f"{number}.", FORMS[line.form], line.name, line.strength]
            hand = self._fitting_hand(pen, words, f"{line.frequency} x 14 days", family, height)
            space = hand.getlength("n") * rng.uniform(1.2, 1.7)
            left, baseline = 70 + rng.uniform(0, 14), 366 + step * (number - 1) + rng.uniform(-5, 5)
            for position, word in enumerate(filter(None, words)):
                box = write(pen, (left, baseline + rng.uniform(-2, 2)), word, hand, ink)
                left = box.right + space
                if position == 2:
                    boxes.append(box)
            dose = f"{line.frequency} x {line.days} days" if number % 2 else f"{line.frequency}  {line.days} days"
            write(pen, (max(left + space, 500 + rng.uniform(0, 20)), baseline), dose, hand, ink)
        return boxes

    def _fitting_hand(self, pen: ImageDraw.ImageDraw, words: list[str], frequency: str, family: str, height: int):  # noqa: ANN202
        """The site's hand at this size, or smaller where the line would leave the paper."""
        text = "nn".join([*words, "n", frequency])
        while height > 11 and pen.textlength(text, font=load_hand(self._fonts, family, height)) > _PAGE[0] - 160:
            height -= 1
        return load_hand(self._fonts, family, height)

    def _footer(
        self, pen: ImageDraw.ImageDraw, family: str, ink: tuple[int, int, int], rng: np.random.Generator
    ) -> None:
        hand = load_hand(self._fonts, family, 13)
        write(pen, (70, 950), ADVICE[rng.integers(len(ADVICE))], hand, ink)
        scribble(pen, (560, 950), ink, rng)
        self._print(pen, (50, 1010), "Synthetic demonstration page. No such patient exists.", 14)


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
