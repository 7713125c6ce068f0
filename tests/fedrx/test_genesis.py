"""``fedrx genesis``: which backbone and scope a lineage is created with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import ImageFont

from fedrx import governor_setup
from learning.backbones import make_backbone, scope_of
from learning.published import ENGLISH_G2, PP_OCR_V6
from protocol.errors import ConfigError, LearningError, MalformedError
from protocol.history import History
from protocol.identifiers import lineage_id_of
from protocol.parameters import encode_parameters, parameters_digest, parse_parameters
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
        ((), PP_OCR_V6, "neck"),
        (("--backbone", "english-g2"), ENGLISH_G2, "last-conv"),
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


def restart(model: Path, lineage: str, *options: str) -> str:
    done = call(governor_app(), "genesis", "--model", model, "--lineage", lineage, *options)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A global model of pp-ocr-v6's head that some round published."""
    parameters = make_backbone(PP_OCR_V6.name, "head").initial_parameters()
    path = tmp_path / "older.safetensors"
    path.write_bytes(encode_parameters({name: values + 1 for name, values in parameters.items()}))
    return path


def test_a_lineage_goes_on_from_an_older_model_under_a_new_slug(governor: SimpleNamespace, older: Path) -> None:
    digest = parameters_digest(older.read_bytes())
    said = restart(older, "letters-2")
    assert f"genesis model {digest}" in said
    assert "backbone pp-ocr-v6, scope head" in said
    lineage = History(governor.ledger.events(0, governor.ledger.head().number)).lineages[lineage_id_of("letters-2")]
    assert (lineage.created.model_digest, lineage.head_round) == (digest, 0)
    assert lineage.created.backbone_digest == PP_OCR_V6.digest
    assert governor.block_store.holds(lineage.head_cid)
    assert "letters-2 exists" in restart(older, "letters-2")


def test_a_lineage_is_never_restarted_under_its_own_slug(governor: SimpleNamespace, older: Path) -> None:
    restart(older, "letters")
    older.write_bytes(encode_parameters(make_backbone(PP_OCR_V6.name, "head").initial_parameters()))
    with pytest.raises(ConfigError, match="letters exists with another genesis model"):
        restart(older, "letters")


def test_a_model_of_other_shapes_restarts_nothing(governor: SimpleNamespace, older: Path) -> None:
    parameters = dict(parse_parameters(older.read_bytes()))
    name = next(iter(parameters))
    older.write_bytes(encode_parameters(parameters | {name: parameters[name].ravel()[:1]}))
    with pytest.raises(LearningError, match=f"{name} must be float32"):
        restart(older, "letters")
    older.write_bytes(older.read_bytes()[:-1])
    with pytest.raises(MalformedError, match="another length"):
        restart(older, "letters")
    older.write_bytes(encode_parameters({"some.weight": parameters[name]}))
    with pytest.raises(LearningError, match="no known scope"):
        restart(older, "letters")
    assert not History(governor.ledger.events(0, governor.ledger.head().number)).lineages


def test_a_models_backbone_and_scope_are_its_own(older: Path) -> None:
    for options in (("--backbone", "english-g2"), ("--scope", "neck")):
        with pytest.raises(ConfigError, match="is a model of pp-ocr-v6, scope head"):
            restart(older, "letters", *options)


def test_round_0_is_made_from_something(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing to make round 0 from"):
        call(governor_app(), "genesis", "--lineage", "letters", "--fonts", tmp_path)
    with pytest.raises(ConfigError, match="cannot be read"):
        restart(tmp_path / "none", "letters")


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
