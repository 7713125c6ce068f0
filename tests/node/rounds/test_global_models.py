"""node/rounds/global_models.py: what a site holds and which model it reads with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gateways.data_folder import DataFolder
from gateways.journal import Journal
from node.rounds.global_models import GlobalModels, ModelRecord
from protocol.cid import cid_of_bytes
from protocol.errors import ConfigError, ContentMismatchError, ContentMissingError, ContentTooLargeError, StoreError
from protocol.identifiers import digest_of, lineage_id_of
from protocol.parameters import encode_parameters, parameters_digest
from tests.fakes.block_store import FakeBlockStore

LINEAGE = lineage_id_of("tests")


@pytest.fixture
def models(tmp_path: Path) -> GlobalModels:
    folder = DataFolder(tmp_path / "node")
    return GlobalModels(folder, Journal(folder / "journal.sqlite"), max_model_bytes=100, timeout_seconds=1)


def seen(models: GlobalModels, number: int, *, adopted: bool = True) -> ModelRecord:
    content = b"model %d" % number
    record = ModelRecord(number, parameters_digest(content), cid_of_bytes(content), adopted, 1, 1, 2)
    models.path_of(record.digest).write_bytes(content)
    models.record(LINEAGE, record)
    return record


def test_no_model_is_in_use_before_the_first(models: GlobalModels) -> None:
    assert models.in_use(LINEAGE) is None


def test_the_newest_adopted_model_is_in_use(models: GlobalModels) -> None:
    seen(models, 0)
    second = seen(models, 1)
    seen(models, 2, adopted=False)
    assert models.in_use(LINEAGE) == second


def test_a_persons_choice_stands_until_a_newer_model_is_adopted(models: GlobalModels) -> None:
    seen(models, 0)
    seen(models, 1)
    assert models.use(LINEAGE, 0).round == 0
    assert models.in_use(LINEAGE) == models.records(LINEAGE)[0]
    seen(models, 2, adopted=False)
    assert models.in_use(LINEAGE) == models.records(LINEAGE)[0]
    third = seen(models, 3)
    assert models.in_use(LINEAGE) == third


def test_a_person_may_use_a_model_that_the_site_kept_back(models: GlobalModels) -> None:
    seen(models, 0)
    seen(models, 1, adopted=False)
    models.use(LINEAGE, 1)
    assert models.in_use(LINEAGE) == models.records(LINEAGE)[1]


def test_a_round_without_a_model_cannot_be_used(models: GlobalModels) -> None:
    seen(models, 0)
    with pytest.raises(ConfigError, match="no model of round 1"):
        models.use(LINEAGE, 1)


def test_lineages_do_not_mix(models: GlobalModels) -> None:
    seen(models, 0)
    assert models.records(lineage_id_of("other")) == []


def test_old_files_go_but_never_the_one_in_use(models: GlobalModels) -> None:
    for number in range(5):
        seen(models, number)
    models.use(LINEAGE, 1)
    models.drop_old_files(LINEAGE, 2)
    held = [record.round for record in models.records(LINEAGE) if models.path_of(record.digest).exists()]
    assert held == [1, 3, 4]
    with pytest.raises(ConfigError):
        models.use(LINEAGE, 0)


def test_a_model_is_fetched_once_and_checked_against_the_chains_digest(models: GlobalModels, tmp_path: Path) -> None:
    store = FakeBlockStore()
    (tmp_path / "m").write_bytes(b"content")
    cid = store.add(tmp_path / "m")
    path = models.fetch(store, cid, parameters_digest(b"content"))
    store.is_down = True
    assert models.fetch(store, cid, parameters_digest(b"content")) == path
    store.is_down = False
    with pytest.raises(ContentMismatchError):
        models.fetch(store, cid, digest_of("other"))
    assert [item.name for item in path.parent.iterdir()] == [path.name]


def test_a_model_over_the_limit_is_not_fetched(models: GlobalModels, tmp_path: Path) -> None:
    store = FakeBlockStore()
    (tmp_path / "m").write_bytes(bytes(101))
    with pytest.raises(ContentTooLargeError):
        models.fetch(store, store.add(tmp_path / "m"), parameters_digest(bytes(101)))


class TestADamagedFile:
    @pytest.fixture
    def record(self, models: GlobalModels) -> ModelRecord:
        content = encode_parameters({"a": np.ones(3, np.float32)})
        record = ModelRecord(4, parameters_digest(content), cid_of_bytes(content), True, 1, 1, 2)
        models.path_of(record.digest).write_bytes(content)
        models.record(LINEAGE, record)
        return record

    def test_is_never_read_and_is_removed(self, models: GlobalModels, record: ModelRecord) -> None:
        assert models.parameters_of(record)["a"].tolist() == [1, 1, 1]
        other = encode_parameters({"a": np.zeros(3, np.float32)})
        models.path_of(record.digest).write_bytes(other)
        with pytest.raises(StoreError, match="the model file of round 4 is damaged"):
            models.parameters_of(record)
        assert not models.path_of(record.digest).exists()

    def test_is_fetched_again(self, models: GlobalModels, record: ModelRecord) -> None:
        store, path = FakeBlockStore(), models.path_of(record.digest)
        assert store.add(path) == record.cid
        good = path.read_bytes()
        path.write_bytes(good[:-1] + b"\x01")
        assert models.fetch(store, record.cid, record.digest).read_bytes() == good

    def test_that_nobody_delivers_is_not_used(self, models: GlobalModels, record: ModelRecord) -> None:
        models.path_of(record.digest).write_bytes(b"")
        with pytest.raises(ContentMissingError):
            models.fetch(FakeBlockStore(), record.cid, record.digest)
        assert not models.path_of(record.digest).exists()
