import numpy as np
import pytest
from paper import LINES, typed_page

from prescriptions.lexicon import bundled_lexicon
from prescriptions.page import page_of
from prescriptions.pipeline import read_page
from prescriptions.readers import make_reader
from protocol.errors import ConfigError, PrescriptionError


def test_a_typed_page_is_read_line_by_line():
    reading = read_page(page_of(np.asarray(typed_page())), make_reader("tesseract"), bundled_lexicon("demo"))
    assert [line.candidates[0].name for line in reading.prescription.lines] == ["Amoxicillin", "Cetirizine", "Atenolol"]
    assert reading.engine.startswith("tesseract ")
    for word, (top, height, _) in zip(reading.words, LINES[4:], strict=True):
        assert top - 4 <= word.crop.box.top < word.crop.box.bottom <= top + 1.5 * height


def test_a_blank_picture_has_no_words():
    assert make_reader("tesseract").read(np.full((300, 200), 245, np.uint8)) == ()


def test_a_picture_of_one_pixel_is_an_error_of_the_tree_or_no_word():
    try:
        assert make_reader("tesseract").read(np.full((1, 1), 245, np.uint8)) == ()
    except PrescriptionError as error:
        assert "tesseract" in str(error)  # noqa: PT017 - versions differ in what they say about it


def test_without_the_program_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigError, match="apt-get install tesseract-ocr"):
        make_reader("tesseract")


def test_a_program_that_fails_is_an_error_of_the_tree(tmp_path, monkeypatch):
    program = tmp_path / "tesseract"
    for script in ("#!/bin/sh\nexit 3\n", "#!/bin/sh\nprintf 'level\\tconf\\ttext\\n5\\tx\\tword\\n'\n"):
        program.write_text(script)
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
        with pytest.raises(PrescriptionError, match="tesseract"):
            make_reader("tesseract").read(np.full((30, 20), 245, np.uint8))
