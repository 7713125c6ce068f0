"""``fedrx genesis``: which backbone and scope a lineage is created with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import ImageFont

from fedrx import governor_setup
from learning.backbones import scope_of
from learning.published import ENGLISH_G2, PP_OCR_V6
from protocol.errors import LearningError
from protocol.history import History
from protocol.identifiers import lineage_id_of
from protocol.parameters import parameters_digest, parse_parameters
from tests.fakes.block_store import FakeSwarm
from tests.fakes.ledger_world import FakeWorld
from tests.fedrx.governance import call, governor_app

LEXICON = "name,generics,strengths,forms,routes\nNapa,paracetamol,500 mg,tablet,oral\n"


@pytest.fixture
def governor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """An open governor on a fake chain, and what genesis is made from."""
    (tmp_path / "lexicon.csv").write_text(LEXICON)
    (tmp_path / "fonts").mkdir()
    (tmp_path / "fonts" / "aileron.ttf").write_bytes(ImageFont.load_default(20).font_bytes)
    opened = SimpleNamespace(folder=tmp_path, ledger=FakeWorld().governor, block_store=FakeSwarm().store())

    @contextmanager
    def opening(_config: Path) -> Iterator[SimpleNamespace]:
        yield opened

    monkeypatch.setattr(governor_setup, "open_governor", opening)
    return opened


def genesis(folder: Path, lineage: str, *options: str) -> str:
    words = ("--lexicon", folder / "lexicon.csv", "--fonts", folder / "fonts", "--lineage", lineage)
    done = call(governor_app(), "genesis", *words, "--renderings", "1", *options)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize(
    ("options", "published", "scope"),
    [
        ((), ENGLISH_G2, "last-conv"),
        (("--backbone", "pp-ocr-v6"), PP_OCR_V6, "neck"),
        (("--backbone", "pp-ocr-v6", "--scope", "head"), PP_OCR_V6, "head"),
    ],
)
def test_a_lineage_names_its_backbone_and_its_model_the_scope(governor, tmp_path, options, published, scope) -> None:  # type: ignore[no-untyped-def]
    said = genesis(tmp_path, "letters", *options)
    assert f"backbone {published.name}, scope {scope}" in said
    ledger = governor.ledger
    created = History(ledger.events(0, ledger.head().number)).lineages[lineage_id_of("letters")].created
    encoded = (tmp_path / "genesis-letters.safetensors").read_bytes()
    assert created.backbone_digest == published.digest
    assert created.model_digest == parameters_digest(encoded)
    assert scope_of(parse_parameters(encoded)) == (published, scope)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--backbone", "resnet"), "no backbone 'resnet'"),
        (("--backbone", "pp-ocr-v6", "--scope", "last-conv"), "pp-ocr-v6 has no scope 'last-conv'"),
    ],
)
def test_what_is_no_backbone_or_scope_is_refused_before_the_keystore_opens(
    options: tuple[str, ...], message: str
) -> None:
    words = ("--lexicon", "none.csv", "--fonts", "none", "--lineage", "letters", "--config", "none.toml")
    with pytest.raises(LearningError, match=message):
        call(governor_app(), "genesis", *words, *options)
