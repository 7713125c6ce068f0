"""A folder of word pictures, laid out as the benchmarks read it."""

import csv

from PIL import Image


def write_split(folder, split, pictures):
    stem = split.lower()
    (folder / split / f"{stem}_words").mkdir(parents=True)
    with (folder / split / f"{stem}_labels.csv").open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(("IMAGE", "MEDICINE_NAME", "GENERIC_NAME"))
        for number, (label, pixels) in enumerate(pictures):
            Image.fromarray(pixels).save(folder / split / f"{stem}_words" / f"{number}.png")
            rows.writerow((f"{number}.png", label, ""))
