import csv
import hashlib
import json
import subprocess
import sys

import pytest

from prescriptions.box import Box
from prescriptions.lexicon import bundled_lexicon
from prescriptions.load import load_bytes, load_pages
from prescriptions.manifest import parse_manifest
from prescriptions.pipeline import read_page


def draw(root, out, *options):
    subprocess.run(
        [sys.executable, "scripts/demo_pages.py", "--out", str(out), "--fonts", "fonts/node_modules",
         "--lexicon", "prescriptions/lexicons/demo.csv", "--sites", "2", "--pages", "4", "--words", "14",
         "--test-words", "6", *options],
        cwd=root, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    return out


def digests_of(folder):
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


@pytest.fixture(scope="module")
def drawn(project_root, tmp_path_factory):
    return draw(project_root, tmp_path_factory.mktemp("demo") / "one", "--seed", "7")


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(drawn, project_root, tmp_path):
    assert digests_of(draw(project_root, tmp_path / "again", "--seed", "7")) == digests_of(drawn)
    other = digests_of(draw(project_root, tmp_path / "other", "--seed", "8"))
    assert other["site-1/page-03.png"] != digests_of(drawn)["site-1/page-03.png"]


def test_a_sites_folder_holds_pages_and_a_manifest_and_never_the_truth(drawn):
    for site in (drawn / "site-1", drawn / "site-2"):
        entries = parse_manifest((site / "manifest.csv").read_text())
        assert {str(entry.file) for entry in entries} | {"manifest.csv"} == {file.name for file in site.iterdir()}
        assert {entry.file.suffix for entry in entries} == {".pdf", ".png", ".jpg"}
        assert len({entry.patient for entry in entries}) > 1


def test_the_truth_names_at_least_the_words_asked_for_in_boxes_on_the_page(drawn):
    truth = json.loads((drawn / "truth" / "site-1.json").read_text())
    medicines = [medicine for page in truth["pages"] for medicine in page["medicines"]]
    assert len(truth["pages"]) == 4
    assert len(medicines) >= 14
    for medicine in medicines:
        left, top, right, bottom = medicine["box"]
        assert 0 <= left < right <= 800
        assert 0 <= top < bottom <= 1040


def test_sites_share_no_fonts_with_each_other_with_the_test_words_or_with_pretraining(drawn):
    roles = json.loads((drawn / "fonts.json").read_text())
    everyone = [font for fonts in roles.values() for font in fonts]
    assert len(everyone) == len(set(everyone))


def test_the_test_words_are_labelled_crops(drawn):
    with (drawn / "test-words" / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    names = set(bundled_lexicon("demo").names)
    assert len(rows) == 6
    for row in rows:
        (crop,) = load_bytes((drawn / "test-words" / row["file"]).read_bytes())
        assert row["label"] in names
        assert crop.pixels.ndim == 2
        assert 15 < crop.pixels.shape[0] < 120


def test_the_medicines_of_a_drawn_page_are_found_and_proposed(drawn, rapidocr):
    lexicon = bundled_lexicon("demo")
    truth = json.loads((drawn / "truth" / "site-1.json").read_text())["pages"][2]
    (page,) = load_pages(drawn / "site-1" / truth["file"])
    reading = read_page(page, rapidocr, lexicon)
    assert reading.prescription.hospital == truth["hospital"]
    for medicine in truth["medicines"]:
        box = Box(*(round(edge) for edge in medicine["box"]))
        near = [line for word, line in zip(reading.words, reading.prescription.lines, strict=True)
                if word.crop.box.overlap(box) >= 0.5]  # fmt: skip
        assert [line.candidates[0].name for line in near] == [medicine["name"]]


@pytest.mark.slow
def test_nine_of_ten_medicine_words_are_found_as_boxes_of_their_own(project_root, rapidocr, tmp_path):
    root = draw(project_root, tmp_path / "demo", "--sites", "4", "--pages", "6", "--words", "20", "--seed", "1")
    lexicon = bundled_lexicon("demo")
    total = found = proposed = 0
    for site in sorted(root.glob("site-*")):
        for truth in json.loads((root / "truth" / f"{site.name}.json").read_text())["pages"]:
            page = load_pages(site / truth["file"])[truth["page"] - 1]
            reading = read_page(page, rapidocr, lexicon)
            pairs = list(zip(reading.words, reading.prescription.lines, strict=True))
            for medicine in truth["medicines"]:
                box = Box(*(round(edge) for edge in medicine["box"]))
                near = [line for word, line in pairs if word.crop.box.overlap(box) >= 0.5]
                total += 1
                found += bool(near)
                proposed += any(line.candidates[0].name == medicine["name"] for line in near)
    assert total >= 80
    assert found / total >= 0.9
    # A floor against regressions, not a goal: it moves by 15 points with the few hands that 24 pages happen to show.
    assert proposed / total >= 0.7
