"""learning/rendering.py, learning/genesis.py

The drawn words come from the font that Pillow carries, saved as a file.
"""

import numpy as np
import pytest
from PIL import ImageFont

from learning.evaluation import evaluate
from learning.genesis import GenesisSettings, pretrain
from learning.lexicon_index import LexiconIndex
from learning.rendering import find_fonts, render_words
from protocol.errors import ConfigError, LearningError
from tests.learning.drawn_words import NAMES


@pytest.fixture(scope="module")
def fonts_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fonts")
    content = ImageFont.load_default(20).font_bytes
    (folder / "aileron.ttf").write_bytes(content)
    deep = folder / "node_modules" / "@fontsource" / "second" / "files"
    deep.mkdir(parents=True)
    # FreeType looks at the content, so the fontsource name is all that is tested here.
    (deep / "second-latin-400-normal.woff2").write_bytes(content)
    (deep / "second-latin-ext-400-normal.woff2").write_bytes(content)
    return folder


def test_fonts_are_found_by_family(fonts_folder):
    assert [font.family for font in find_fonts(fonts_folder)] == ["aileron", "second"]
    assert [font.family for font in find_fonts(fonts_folder, ["second"])] == ["second"]


def test_a_missing_family_or_folder_is_named(fonts_folder, tmp_path):
    with pytest.raises(ConfigError, match="caveat"):
        find_fonts(fonts_folder, ["caveat"])
    with pytest.raises(ConfigError, match="any family"):
        find_fonts(tmp_path / "nowhere")


def test_a_file_that_is_no_font_is_a_config_error(tmp_path):
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    with pytest.raises(ConfigError, match="cannot be opened"):
        render_words(["Napa"], find_fonts(tmp_path), 1, seed=0)


def test_the_same_seed_draws_the_same_words_and_another_seed_others(fonts_folder):
    fonts = find_fonts(fonts_folder)
    first, again, other = (render_words(NAMES, fonts, 2, seed=seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a.crop, b.crop) for a, b in zip(first, again, strict=True))
    assert not any(np.array_equal(a.crop, b.crop) for a, b in zip(first, other, strict=True))


def test_a_word_looks_the_same_whatever_is_drawn_before_it_in_its_row(fonts_folder):
    fonts = find_fonts(fonts_folder)
    assert np.array_equal(
        render_words(["Napa"], fonts, 3, seed=1)[0].crop, render_words(["Napa", "Ace"], fonts, 1, seed=1)[0].crop
    )


def test_drawn_words_have_ink_paper_and_the_size_of_a_crop(fonts_folder):
    words = render_words(NAMES, find_fonts(fonts_folder), 2, seed=3)
    assert {word.family for word in words} == {"aileron", "second"}
    for word in words:
        assert word.crop.dtype == np.uint8
        assert 40 <= word.crop.shape[0] <= 100
        assert np.percentile(word.crop, 1) < 160 < np.median(word.crop)


def test_genesis_keeps_reading_what_it_was_drawn_for(backbone, features, fonts_folder, device):
    seen = []
    settings = GenesisSettings(renderings=2, families=("second",))
    parameters = pretrain(backbone, [*NAMES, "Napa"], fonts_folder, settings, device, seen.append)
    assert [(name, tensor.shape) for name, tensor in parameters.items()] == list(backbone.scope_tensors())
    assert any(np.any(parameters[name] != tensor) for name, tensor in backbone.initial_parameters().items())
    assert [p.stage for p in seen] == ["render", "features", "train"]
    score = evaluate(backbone.with_parameters(parameters), features, NAMES, LexiconIndex.of(NAMES))
    assert score.correct == score.total


def test_genesis_without_a_name_is_an_error(backbone, fonts_folder, device):
    with pytest.raises(LearningError, match="no name"):
        pretrain(backbone, ["নাপা", " "], fonts_folder, GenesisSettings(), device)
