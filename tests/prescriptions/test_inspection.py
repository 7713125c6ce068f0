import io

import numpy as np
import pytest
from paper import typed_page
from PIL import Image

from prescriptions.inspection import contact_sheet
from prescriptions.inspection_evidence import line_views
from prescriptions.lexicon import bundled_lexicon
from prescriptions.page import page_of
from prescriptions.pipeline import examine_page

LEXICON = bundled_lexicon("demo")
PAGE = page_of(np.asarray(typed_page()))


@pytest.fixture(scope="module")
def examined(rapidocr):
    return examine_page(PAGE, rapidocr, LEXICON, keep_views=True)


def test_every_entity_rests_on_the_words_that_say_it(examined):
    first = line_views(examined, PAGE, LEXICON)[0]
    entities = {entity.kind: entity for entity in first.entities}
    assert (entities["strength"].value, entities["duration"].value) == ("500 mg", "7 days")
    by_box = {word.box: word.text for word in examined.words}
    assert [by_box[box] for box in entities["strength"].boxes] == ["500", "mg"]
    assert [by_box[box] for box in entities["frequency"].boxes] == ["1+0+1"]
    assert [by_box[box] for box in entities["form"].boxes] == ["Tab."]
    assert all(0 < entity.confidence <= 1 for entity in first.entities)


def test_the_sheet_is_a_picture_with_every_stage_and_medicine(examined):
    lines = line_views(examined, PAGE, LEXICON)
    plain = Image.open(io.BytesIO(contact_sheet(PAGE, examined, lines)))
    assert plain.format == "PNG"
    assert plain.width == 2000
    with_model = [line.with_model("amoxil", (("Amoxil", 0.9),), 3) for line in lines]
    more = Image.open(io.BytesIO(contact_sheet(PAGE, examined, with_model)))
    # Orange is the colour of medicines, violet that of the model's reading: each is there only with its subject.
    violet = (84, 70, 190)
    assert violet in {colour for _, colour in more.convert("RGB").getcolors(1 << 24)}
    assert violet not in {colour for _, colour in plain.convert("RGB").getcolors(1 << 24)}


def test_a_page_without_a_medicine_has_a_sheet_too(rapidocr):
    page = page_of(np.asarray(typed_page([(100, 40, "Lakeview Hospital")])))
    examined = examine_page(page, rapidocr, LEXICON, keep_views=True)
    assert contact_sheet(page, examined, line_views(examined, page, LEXICON)).startswith(b"\x89PNG")
