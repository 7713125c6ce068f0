"""One backbone for the room."""

import pytest

from learning.device import DeviceProfile
from learning.english_g2 import EnglishG2
from tests.learning.drawn_words import NAMES, draw_word


@pytest.fixture(scope="session")
def backbone():
    return EnglishG2()


@pytest.fixture(scope="session")
def crops():
    return [draw_word(name) for name in NAMES]


@pytest.fixture(scope="session")
def features(backbone, crops):
    return backbone.front_features(crops)


@pytest.fixture(scope="session")
def device():
    return DeviceProfile(
        cores=1,
        memory_total_bytes=2**33,
        memory_available_bytes=2**32,
        accelerator=None,
        threads=1,
        torch_device="cpu",
        batch_size=32,
    )
