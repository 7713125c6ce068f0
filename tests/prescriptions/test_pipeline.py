import importlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from paper import LINES, typed_page

from prescriptions import quarantine
from prescriptions.easyocr_reader import EasyOCRReader, check_weights
from prescriptions.lexicon import bundled_lexicon
from prescriptions.page import page_of
from prescriptions.pipeline import read_page
from prescriptions.understand import UNKNOWN_STRENGTH
from protocol.errors import PrescriptionError, QuarantinedError

LEXICON = bundled_lexicon("demo")
WANTED = [
    ("Amoxicillin", "500 mg", "tablet", "1+0+1", 7),
    ("Cetirizine", "5 mg/5 ml", "syrup", "bd", 5),
    ("Atenolol", "333 mg", "tablet", "od", 14),
]


def summary(reading):
    return [
        (line.candidates[0].name, str(line.strength), line.form, str(line.frequency), line.duration_days)
        for line in reading.prescription.lines
    ]


@pytest.fixture(scope="module")
def typed_reading(rapidocr):
    return read_page(page_of(np.asarray(typed_page())), rapidocr, LEXICON)


def test_a_typed_page_is_read_with_every_field_right(typed_reading):
    assert summary(typed_reading) == WANTED
    assert typed_reading.prescription.patient_name == "Grace Walker"
    assert typed_reading.prescription.hospital == "Lakeview Hospital"
    assert UNKNOWN_STRENGTH in typed_reading.prescription.lines[2].flags
    assert typed_reading.engine.startswith("rapidocr ")


def test_every_medicine_has_a_tight_crop_where_it_stands_on_the_page(typed_reading):
    for word, line, (top, height, _) in zip(
        typed_reading.words, typed_reading.prescription.lines, LINES[4:], strict=True
    ):
        box = word.crop.box
        assert line.candidates[0].name == word.text
        assert top - 4 <= box.top < box.bottom <= top + 1.5 * height
        assert box.width > 2 * box.height
        assert word.crop.pixels.min() < 80 < 200 < np.median(word.crop.pixels)


def test_nothing_private_but_the_name_and_the_hospital_leaves_the_pipeline(typed_reading):
    # Texts alone: any two digits may turn up in a digest or in the seconds.
    texts = [word.text for word in typed_reading.words]
    texts += [repr(typed_reading.prescription), typed_reading.engine]
    assert not any(secret in text for text in texts for secret in ("05551", "Mill", "Road", "0100", "Age"))


@pytest.mark.parametrize("turns", [1, 3])
def test_a_page_on_its_side_is_read_all_the_same(rapidocr, typed_reading, turns):
    turned = read_page(page_of(np.rot90(np.asarray(typed_page(LINES[2:5])), turns)), rapidocr, LEXICON)
    assert summary(turned) == summary(typed_reading)[:1]
    assert turned.prescription.patient_name == "Grace Walker"
    (word,) = turned.words
    assert word.crop.box.height > word.crop.box.width
    assert word.crop.pixels.shape[1] > word.crop.pixels.shape[0]


def test_a_page_upside_down_is_read_all_the_same(rapidocr, typed_reading):
    turned = read_page(page_of(np.ascontiguousarray(np.asarray(typed_page())[::-1, ::-1])), rapidocr, LEXICON)
    assert summary(turned) == summary(typed_reading)
    height, width = 820, 640
    for word, upright in zip(turned.words, typed_reading.words, strict=True):
        box = upright.crop.box
        assert abs(word.crop.box.left - (width - box.right)) <= 3
        assert abs(word.crop.box.top - (height - box.bottom)) <= 3


def test_a_blank_page_is_quarantined(rapidocr):
    with pytest.raises(QuarantinedError) as caught:
        read_page(page_of(np.full((800, 600, 3), 244, np.uint8)), rapidocr, LEXICON)
    assert caught.value.reason == quarantine.NO_TEXT


@pytest.mark.slow
def test_easyocr_reads_the_typed_page_too():
    reading = read_page(page_of(np.asarray(typed_page())), EasyOCRReader(detection_side=800), LEXICON)
    assert [line.candidates[0].name for line in reading.prescription.lines] == [name for name, *_ in WANTED]
    assert reading.engine.startswith("easyocr ")


@pytest.mark.slow
def test_easyocr_weights_with_a_flipped_byte_are_refused(tmp_path):
    config = importlib.import_module("easyocr.config")  # torch is loaded in the slow tier alone
    for file in Path(importlib.import_module("easyocr_en_models").model_dir()).glob("*.pth"):
        shutil.copy(file, tmp_path)
    check_weights(tmp_path, config)
    weights = tmp_path / "english_g2.pth"
    content = bytearray(weights.read_bytes())
    content[1000] ^= 1
    weights.write_bytes(content)
    with pytest.raises(PrescriptionError, match="english_g2"):
        check_weights(tmp_path, config)
