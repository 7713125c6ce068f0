"""``fedrx audit without``: both scores are right, nothing stays, and it says what it is."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from audit.auditor_keys import make_auditor_key, open_auditor_keys
from fedrx import without_command
from fedrx.labelled_words import read_words
from gateways.key_ring import keystore
from gateways.key_ring.sealing import Argon2Cost
from learning.backbones import make_backbone
from learning.evaluation import evaluate
from learning.lexicon_index import LexiconIndex
from protocol import ledger_events as ev
from protocol.errors import ConfigError
from protocol.parameters import encode_parameters
from protocol.plan import PlannedTensor
from protocol.tensors import TensorShape
from protocol.update import encode_delta
from tests.audit.auditor_app import app
from tests.audit.stage import left_over, logs_of, store_of
from tests.fedrx.governance import call
from tests.learning.drawn_words import NAMES, draw_word
from tests.protocol.builders import Network, random_delta

PASSPHRASE = b"several long words"
SPOILER = "site-3"


class Lineage(Network):
    """Starts from the published head of pp-ocr-v6, under the auditor's own key."""

    def _constitute(self) -> None:
        self.model = encode_parameters(self.backbone.initial_parameters())
        self.backbone_digest = self.backbone.digest
        self.auditor_key = self.own_key
        super()._constitute()


@dataclass
class Stage:
    network: Network
    folder: Path
    deltas: list[dict[str, np.ndarray]]

    def run(self, site: str, *options: str | Path, keyless: bool = False) -> list[str]:
        words = ["--deployment", self.folder / "d", "--rpc", "http://127.0.0.1:1", "--ipfs", "http://127.0.0.1:1"]
        words += ["--words", self.folder / "words", "--work-folder", self.folder / "work"]
        if not keyless:
            words += [
                "--auditor-key",
                self.folder / "auditor.keystore",
                "--passphrase-file",
                self.folder / "passphrase",
            ]
        done = call(app, "without", site, *words, *options)
        self.talk = done.stderr
        return done.stdout.splitlines()

    def right(self, deltas: list[dict[str, np.ndarray]]) -> int:
        """How many words the mean of deltas reads, computed without the product's sum."""
        backbone, plan = make_backbone("pp-ocr-v6", "head"), self.network.plan
        assert plan is not None
        start = backbone.initial_parameters()
        count = sum(values.size for values in start.values())
        ints = [np.frombuffer(encode_delta(delta, plan)[-4 * count :], "<i4").astype(np.float64) for delta in deltas]
        mean, position, parameters = sum(ints) / len(ints) / 2.0**24, 0, {}
        for name in sorted(start):
            part = mean[position : position + start[name].size].reshape(start[name].shape)
            parameters[name] = (start[name] + part).astype(np.float32)
            position += start[name].size
        exam = read_words(self.folder / "words")
        features = backbone.front_features(exam.crops)
        return evaluate(backbone.with_parameters(parameters), features, exam.labels, LexiconIndex.of(NAMES)).correct


def write_words(folder: Path) -> None:
    folder.mkdir()
    rows = []
    for number, name in enumerate(NAMES):
        cv2.imwrite(str(folder / f"{number}.png"), draw_word(name, 34))
        rows.append((f"{number}.png", name))
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("file", "label"), *rows])


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """One round of four sites, one of whose updates makes the model read worse."""
    monkeypatch.setattr(keystore, "Argon2Cost", lambda: Argon2Cost(iterations=1, lanes=1, memory_kib=512))
    made = make_auditor_key(tmp_path, PASSPHRASE)
    (tmp_path / "passphrase").write_bytes(PASSPHRASE + b"\n")
    (tmp_path / "passphrase").chmod(0o600)
    (tmp_path / "work").mkdir()
    write_words(tmp_path / "words")
    Lineage.backbone = backbone = make_backbone("pp-ocr-v6", "head")
    (Lineage.own_key,) = open_auditor_keys(made.keystore, PASSPHRASE).keys
    tensors = tuple(PlannedTensor(TensorShape(name, shape), 24) for name, shape in backbone.scope_tensors())
    changes = {"max_norm": "100000", "scope": "head", "weighting": "equal", "max_weight": 1}
    network = Lineage(sites_count=4, tensors=tensors, plan_changes=changes)
    network.open_round()
    deltas = [random_delta(tensors, seed, 0.001) for seed in range(3)] + [random_delta(tensors, 3, 2.0)]
    for site, delta in zip(network.sites, deltas, strict=True):
        network.register(site, delta=delta)
    network.conclude()
    events = logs_of(network)
    ledger = SimpleNamespace(
        identity=network.identity, head=lambda: SimpleNamespace(number=0), events=lambda _first, _last: events
    )

    @contextmanager
    def stores(*_: object) -> Iterator[list[object]]:
        yield [store_of(network)]

    monkeypatch.setattr(without_command, "connect_ledger", lambda *_, **__: ledger)
    monkeypatch.setattr(without_command, "open_stores", stores)
    return Stage(network, tmp_path, deltas)


def test_both_scores_are_those_of_sums_made_independently(stage: Stage) -> None:
    said = json.loads(stage.run(SPOILER, "--round", "1", "--json")[0])
    assert said["published"]["correct"] == stage.right(stage.deltas)
    assert said["without"]["correct"] == stage.right(stage.deltas[:3])
    assert said["without"]["correct"] > said["published"]["correct"]
    assert (said["exact"], said["rounds"], said["without"]["words"]) == (True, [1], len(NAMES))


def test_accuracy_is_all_that_is_printed_and_nothing_stays(stage: Stage) -> None:
    before = left_over(stage.folder)
    lines = stage.run(SPOILER, "--round", "1", "--name", "tests")
    assert left_over(stage.folder) == before
    assert lines[0] == "round 1 of tests: the model, and the same sum without site site-3"
    assert lines[1].startswith("accuracy of the published model: 0.")
    assert lines[2].startswith("accuracy without the site:       ")
    assert len(lines) == 3
    assert "is not declared on chain" in stage.talk
    assert "neither model was written or kept" in stage.talk


def test_several_rounds_are_called_a_re_summation(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    network = stage.network
    network.open_round()
    for site in network.sites:
        network.register(site, delta=random_delta(network.tensors, 10 + site.ordinal, 0.001))
    network.conclude()
    events = logs_of(network)
    ledger = without_command.connect_ledger()
    ledger.events = lambda _first, _last: events
    lines = stage.run(SPOILER, "--round", "1", "--through", "2", "--name", "tests")
    assert lines[0].startswith("rounds 1 to 2 of tests: the last model, and the same sums without site site-3")
    assert lines[0].endswith("(updates left out: 2)")
    assert "a re-summation, not a retraining" in lines[1]
    assert isinstance(network.history.lineages[network.lineage_id].rounds[2].outcome, ev.RoundFinalized)
    alone = stage.run(SPOILER, "--round", "2")
    assert alone[1].endswith("in the model that it starts from: 1")


def test_without_a_key_it_is_refused_with_a_hint(stage: Stage) -> None:
    with pytest.raises(ConfigError, match="--auditor-key KEYSTORE") as refused:
        stage.run(SPOILER, "--round", "1", keyless=True)
    assert refused.value.exit_code == 2


def test_rounds_in_the_wrong_order_are_refused(stage: Stage) -> None:
    with pytest.raises(ConfigError, match="lies before"):
        stage.run(SPOILER, "--round", "2", "--through", "1")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (None, "cannot be read"),
        ("file,name\n0.png,Napa\n", "does not begin with"),
        ("file,label\n", "lists no word"),
        ("file,label\n0.png\n", "line 2 is not a file and a label"),
        ("file,label\nmissing.png,Napa\n", r"missing\.png cannot be read"),
        ("file,label\nlabels.csv,Napa\n", r"labels\.csv is no word crop"),
        ("file,label\n\xe9,Napa\n", "no CSV in UTF-8"),
        ("file,label\n\0,Napa\n", "line 2 is not a file and a label"),
        ("file,label\npipe,Napa\n", "pipe is no word crop"),
    ],
)
def test_a_list_of_words_with_a_slip_in_it_is_one_line(tmp_path: Path, table: str | None, said: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    if table is not None:
        (tmp_path / "labels.csv").write_bytes(table.encode("latin-1"))
    with pytest.raises(ConfigError, match=said):
        read_words(tmp_path)


def test_words_are_read_in_their_order(tmp_path: Path) -> None:
    write_words(tmp_path / "words")
    exam = read_words(tmp_path / "words")
    assert exam.labels == NAMES
    assert all((crop == draw_word(name, 34)).all() for crop, name in zip(exam.crops, NAMES, strict=True))
