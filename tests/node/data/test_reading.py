"""node/data/reading.py: a page or a word read with the model that the site adopted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from gateways.journal import Journal
from learning.backbone import Backbone
from learning.backbones import OpenBackbones
from learning.published import ENGLISH_G2, PP_OCR_V6
from node.data.model_reader import SecondReader, open_model_reader
from node.data.other_readings import OtherReading
from node.data.proposal import READERS_DISAGREE
from node.data.reading import MODELS_DISAGREE, MedicineReading, explain_image, read_image
from node.rounds.global_models import GlobalModels, ModelRecord
from node.settings import NodeSettings
from node.site import Site, models_of
from prescriptions.box import Box
from prescriptions.reading import ReadWord
from prescriptions.understand import UNKNOWN_STRENGTH
from protocol.cid import cid_of_bytes
from protocol.errors import ConfigError, QuarantinedError, StoreError
from protocol.identifiers import LineageId, lineage_id_of
from protocol.parameters import encode_parameters, parameters_digest
from tests.learning.drawn_words import draw_word

PAGE = (900, 600)
SIDES = ("left", "top", "right", "bottom")
LINEAGE = lineage_id_of("tests")
LEXICON = """name,generics,strengths,forms,routes
Azithrocin,azithromycin,500 mg,tablet,oral
Baclofen,baclofen,10 mg,tablet,oral
Ketoral,ketoconazole,200 mg,tablet,oral
"""


class DrawnReader:
    """A page reader that knows what stands where; ``says`` may differ from what is drawn."""

    name = "drawn 1"
    turned_below = 0.0

    def __init__(self, words: tuple[ReadWord, ...]) -> None:
        self.words = words

    def read(self, image: np.ndarray) -> tuple[ReadWord, ...]:
        # The page was scaled before it is read: what stands where is scaled with it.
        scale = image.shape[1] / PAGE[0]
        return tuple(
            replace(word, box=Box(*(round(getattr(word.box, side) * scale) for side in SIDES))) for word in self.words
        )


@pytest.fixture(scope="module")
def backbones() -> OpenBackbones:
    return OpenBackbones()


@pytest.fixture
def backbone(backbones: OpenBackbones) -> Backbone:
    return backbones.of(ENGLISH_G2.digest, "last-conv")


@pytest.fixture
def site(tmp_path: Path, backbones: OpenBackbones) -> Site:
    (tmp_path / "lexicon.csv").write_text(LEXICON)
    values: dict[str, Any] = {
        "site": "dhaka-general",
        "data_folder": tmp_path / "node",
        "deployment": tmp_path / "deployment.json",
        "lineages": ["tests"],
        "chain": {"rpc_url": "http://127.0.0.1:1"},
        "reading": {"lexicon": tmp_path / "lexicon.csv", "abstain_below": 0.4},
    }
    site = Site(NodeSettings.model_validate(values))
    site.__dict__.update(backbones=backbones, journal=Journal(site.folder / "journal.sqlite"))
    return site


@pytest.fixture
def models(site: Site, backbone: Backbone) -> GlobalModels:
    models = models_of(site)
    remember(models, LINEAGE, backbone)
    return models


def remember(models: GlobalModels, lineage_id: LineageId, backbone: Backbone) -> None:
    content = encode_parameters(backbone.initial_parameters())
    record = ModelRecord(0, parameters_digest(content), cid_of_bytes(content), True, 0, -1, 0)
    models.path_of(record.digest).write_bytes(content)
    models.record(lineage_id, record)


def save(folder: Path, pixels: np.ndarray) -> Path:
    path = folder / "image.png"
    Image.fromarray(pixels).save(path)
    return path


def page_with(site: Site, drawn: str, *, says: str = "", strength: str = "500mg") -> Path:
    """A page with a form, a medicine word and a strength; the page reader says what it is told to say."""
    picture = Image.new("L", PAGE, 245)
    pen = ImageDraw.Draw(picture)
    face = ImageFont.load_default(44)
    words, left = [], 60
    for number, text in enumerate(("Tab.", drawn, strength, "1+0+1")):
        pen.text((left, 250), text, fill=30, font=face)
        box = tuple(int(side) for side in pen.textbbox((left, 250), text, font=face))
        words.append(ReadWord(says if number == 1 and says else text, 0.95, Box(*box), 0))
        left = box[2] + 40
    site.__dict__["page_reader"] = DrawnReader(tuple(words))
    return save(site.folder.path, np.asarray(picture))


def read(site: Site, models: GlobalModels, path: Path, *, as_word: bool = False) -> tuple[MedicineReading, ...]:
    return read_image(site, models, path, LINEAGE, as_word=as_word)


def test_a_word_is_read_with_its_alternatives(site: Site, models: GlobalModels) -> None:
    (found,) = read(site, models, save(site.folder.path, draw_word("Baclofen")), as_word=True)
    assert (found.medicine, found.page, found.line) == ("Baclofen", 1, 0)
    assert found.alternatives[0] == ("Baclofen", found.confidence)
    assert found.confidence > 0.4


def test_a_colour_picture_of_a_word_is_read_too(site: Site, models: GlobalModels) -> None:
    grey = draw_word("Baclofen")
    colour = np.stack([grey, grey, grey], axis=2)
    (found,) = read(site, models, save(site.folder.path, colour), as_word=True)
    assert found.medicine == "Baclofen"


def test_a_site_that_sets_no_threshold_has_its_backbones(site: Site, models: GlobalModels) -> None:
    assert open_model_reader(site, models, LINEAGE).threshold == 0.4
    reading = site.settings.reading.model_copy(update={"abstain_below": None})
    site.settings = site.settings.model_copy(update={"reading": reading})
    assert open_model_reader(site, models, LINEAGE).threshold == ENGLISH_G2.calibration.abstain_below


def test_a_word_that_is_no_medicine_is_not_named(site: Site, models: GlobalModels) -> None:
    (found,) = read(site, models, save(site.folder.path, draw_word("Wxyzq")), as_word=True)
    assert found.medicine is None
    assert found.confidence < 0.4
    assert found.alternatives


def test_a_page_gives_medicine_strength_form_and_frequency(site: Site, models: GlobalModels) -> None:
    (found,) = read(site, models, page_with(site, "Azithrocin"))
    assert (found.medicine, found.line, found.strength, found.form) == ("Azithrocin", 1, "500 mg", "tablet")
    assert found.frequency
    assert found.flags == ()


def test_a_strength_that_the_lexicon_does_not_know_for_the_medicine_is_flagged(
    site: Site, models: GlobalModels
) -> None:
    (found,) = read(site, models, page_with(site, "Baclofen", strength="500mg"))
    assert UNKNOWN_STRENGTH in found.flags


def test_where_two_readers_disagree_no_name_is_claimed(site: Site, models: GlobalModels) -> None:
    (found,) = read(site, models, page_with(site, "Azithrocin", says="Ketoral"))
    assert found.medicine is None
    assert found.alternatives[0] == ("Azithrocin", found.confidence)
    assert READERS_DISAGREE in found.flags
    assert found.engine_text == "Ketoral"
    assert found.engine_candidates[0][0] == "Ketoral"


def test_the_model_of_another_lineage_reads_the_same_word(site: Site, models: GlobalModels, tmp_path: Path) -> None:
    site.settings = site.settings.model_copy(update={"lineages": ("tests", "second", "without-a-model")})
    remember(models, lineage_id_of("second"), site.backbones.of(PP_OCR_V6.digest, "head"))
    (found,) = read(site, models, save(tmp_path, draw_word("Baclofen")), as_word=True)
    (other,) = found.others
    assert (other.lineage, other.round, other.medicine, other.text) == ("second", 0, "Baclofen", "Baclofen")
    assert MODELS_DISAGREE not in found.flags
    (found,) = read_image(site, models, tmp_path / "image.png", lineage_id_of("second"), as_word=True)
    assert [(other.lineage, other.medicine) for other in found.others] == [("tests", "Baclofen")]


def test_an_import_reads_with_every_lineage_that_has_a_model(site: Site, models: GlobalModels) -> None:
    site.settings = site.settings.model_copy(update={"lineages": ("without-a-model", "tests", "second")})
    second = SecondReader(site, models)
    assert second.others() == {}
    remember(models, lineage_id_of("second"), site.backbones.of(PP_OCR_V6.digest, "head"))
    assert list(second.others()) == ["second"]
    first, other = second(), second.others()["second"]
    assert first is not None
    assert (first.recogniser.backbone.name, other.recogniser.backbone.name) == (ENGLISH_G2.name, PP_OCR_V6.name)
    assert second() is first
    assert second.others()["second"] is other


@pytest.mark.parametrize(("says", "flagged"), [("Baclofen", False), (None, False), ("Ketoral", True)])
def test_where_models_name_different_medicines_none_is_claimed(
    site: Site, models: GlobalModels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str | None, flagged: bool
) -> None:
    other = OtherReading("second", 3, says, 0.9, "?")
    monkeypatch.setattr("node.data.reading.other_readings", lambda _readers, crops: [(other,)] * len(crops))
    (found,) = read(site, models, save(tmp_path, draw_word("Baclofen")), as_word=True)
    assert (MODELS_DISAGREE in found.flags) is flagged
    assert found.medicine == (None if flagged else "Baclofen")
    assert found.others == (other,)


def test_a_page_without_text_is_quarantined(site: Site, models: GlobalModels) -> None:
    site.__dict__["page_reader"] = DrawnReader(())
    with pytest.raises(QuarantinedError) as caught:
        read(site, models, save(site.folder.path, np.full((400, 300), 250, np.uint8)))
    assert caught.value.reason == "no-text"


def test_a_file_that_is_no_image_is_quarantined(site: Site, models: GlobalModels) -> None:
    path = site.folder / "image.png"
    path.write_bytes(b"no image")
    with pytest.raises(QuarantinedError):
        read(site, models, path, as_word=True)


def test_without_a_model_it_says_to_start_the_daemon(site: Site) -> None:
    with pytest.raises(ConfigError, match="start the daemon"):
        read(site, models_of(site), site.folder / "nothing.png")


def test_another_lineage_is_refused(site: Site, models: GlobalModels) -> None:
    with pytest.raises(ConfigError, match="no part"):
        read_image(site, models, site.folder / "nothing.png", lineage_id_of("other"), as_word=True)


def test_nothing_of_the_page_is_stored(site: Site, models: GlobalModels) -> None:
    path = page_with(site, "Azithrocin")
    before = sorted(item.name for item in site.folder.path.rglob("*"))
    read(site, models, path)
    assert sorted(item.name for item in site.folder.path.rglob("*")) == before


def test_an_explained_page_has_the_same_readings_and_a_place_for_each_letter(site: Site, models: GlobalModels) -> None:
    path = page_with(site, "Azithrocin")
    (found,) = explain_image(site, models, path, LINEAGE, as_word=False)
    (plain,) = read(site, models, path)
    assert found.reading == plain
    assert found.where == "page 1, medicine 1"
    assert (found.explanation.first.name, found.explanation.first.share) == ("Azithrocin", plain.confidence)
    letters = found.explanation.first.letters
    assert "".join(seen.letter for seen in letters).lower() == "azithrocin"
    ends = [edge for seen in letters for edge in (seen.left, seen.right)]
    assert ends == sorted(ends)
    assert 0 <= ends[0] < ends[-1] <= found.explanation.crop.shape[1]
    assert np.mean([seen.probability for seen in letters]) > 0.5


def test_a_word_that_is_not_named_is_explained_by_the_letters_read(site: Site, models: GlobalModels) -> None:
    path = save(site.folder.path, draw_word("Wxyzq"))
    (found,) = explain_image(site, models, path, LINEAGE, as_word=True)
    assert not found.explanation.claimed
    assert "".join(seen.letter for seen in found.explanation.first.letters) == found.reading.text
    assert found.explanation.others


@pytest.mark.slow
def test_a_typed_page_is_read_with_the_default_page_reader(site: Site, models: GlobalModels) -> None:
    path = page_with(site, "Azithrocin")
    del site.__dict__["page_reader"]
    (found,) = read(site, models, path)
    assert (found.medicine, found.strength) == ("Azithrocin", "500 mg")


def test_a_model_file_that_was_changed_is_not_read_with(site: Site, models: GlobalModels) -> None:
    record = models.in_use(LINEAGE)
    assert record is not None
    models.path_of(record.digest).write_bytes(b"another model")
    picture = save(site.folder.path, draw_word("Baclofen"))
    with pytest.raises(StoreError, match="the model file of round 0 is damaged"):
        read(site, models, picture, as_word=True)
    with pytest.raises(ConfigError, match="holds no global model"):
        read(site, models, picture, as_word=True)
