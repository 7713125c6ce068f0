import sys
from pathlib import Path

import pytest

from prescriptions.readers import make_reader

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def project_root():
    return Path(__file__).parents[2]


@pytest.fixture(scope="session")
def rapidocr():
    return make_reader("rapidocr")
