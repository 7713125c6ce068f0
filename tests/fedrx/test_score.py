"""``fedrx audit score`` on a real chain and a real IPFS core, with real models and real words."""

from __future__ import annotations

import dataclasses
import json
import socket
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from audit.accuracy import read_scores
from audit.scores import Scores, encode_scores
from fedrx import scoring
from learning.backbones import make_backbone
from learning.evaluation import evaluate
from learning.lexicon_index import LexiconIndex
from protocol.deployment import encode_deployment
from protocol.errors import AuditError, ConfigError, LearningError, MalformedError
from protocol.identifiers import CID, Digest
from protocol.ledger_calls import SetAggregators
from protocol.parameters import encode_parameters, parameters_digest
from tests.audit.auditor_app import app
from tests.contracts.setting import (
    LINEAGE,
    Network,
    admit_aggregator,
    admit_site,
    attest_call,
    cid,
    failed_call,
    lineage_call,
)
from tests.fedrx.governance import call
from tests.fedrx.test_without import write_words
from tests.fixtures_chain import ContractWorld
from tests.fixtures_ipfs import IPFSSwarm
from tests.learning.drawn_words import NAMES, draw_word

pytestmark = [pytest.mark.chain, pytest.mark.ipfs]

SLUG = "english-g2-last-conv"


def spoiled(strength: float, seed: int) -> dict[str, np.ndarray]:
    """The published head with noise."""
    generator = np.random.default_rng(seed)
    start = make_backbone("pp-ocr-v6", "head").initial_parameters()
    return {
        name: (values + generator.normal(0, strength, values.shape)).astype(np.float32)
        for name, values in start.items()
    }


MODELS = {0: (0.0, 0), 1: (2.0, 1), 3: (0.001, 2)}
"""Noise and its seed by round; round 2 fails."""


@dataclass
class Stage:
    network: Network
    folder: Path
    swarm: IPFSSwarm
    url: str
    digests: dict[int, Digest]

    @property
    def out(self) -> Path:
        return self.folder / "scores.json"

    @property
    def scores(self) -> Scores:
        (found,) = read_scores([self.out])
        return found

    def where(self) -> list[str | Path]:
        return ["--deployment", self.folder / "deployment.json", "--rpc", self.url]

    def run(self, *options: str | Path, ipfs: str | None = None, words: Path | None = None) -> list[str]:
        given: list[str | Path] = [*self.where(), "--ipfs", ipfs or self.swarm.here.rpc_url, "--timeout", "5"]
        done = call(app, "score", *given, "--words", words or self.folder / "words", "-o", self.out, *options)
        self.talk = done.stderr
        return done.stdout.splitlines()

    def publish(self, number: int, content: bytes, *, cid_on_chain: CID | None = None) -> None:
        """A round that ends with this model; its parent is the model before."""
        self.network.closed_round(number, parent_digest=self.digests[max(self.digests)])
        named = cid_on_chain or pin(self.swarm, self.folder, content)
        self.digests[number] = parameters_digest(content)
        self.network.aggregators[0].ledger.send(attest_call(number, model_digest=self.digests[number], model_cid=named))


def pin(swarm: IPFSSwarm, folder: Path, content: bytes) -> CID:
    file = folder / "pinned"
    file.write_bytes(content)
    return swarm.here_store.add(file)


def right(number: int) -> list[bool]:
    """Which words a model of ``MODELS`` reads, without the product's file."""
    backbone = make_backbone("pp-ocr-v6", "head")
    recogniser = backbone.with_parameters(spoiled(*MODELS[number]))
    crops = [cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE) for png in drawn_words()]
    names = LexiconIndex.of(NAMES)
    return [
        evaluate(recogniser, backbone.front_features([crop]), [label], names).correct == 1
        for crop, label in zip(crops, NAMES, strict=True)
    ]


def drawn_words() -> list[bytes]:
    return [cv2.imencode(".png", draw_word(name, 34))[1].tobytes() for name in NAMES]


@pytest.fixture
def stage(contract: ContractWorld, ipfs_swarm: IPFSSwarm, tmp_path: Path) -> Stage:
    """Genesis and three rounds: the first spoils the model, the second fails, the third repairs it."""
    sites = tuple(admit_site(contract, f"site-{number}") for number in range(3))
    aggregators = (admit_aggregator(contract, "aggregator-0"),)
    contract.governor.send(SetAggregators((aggregators[0].aggregator_id,), 1))
    genesis = encode_parameters(spoiled(*MODELS[0]))
    backbone = make_backbone("pp-ocr-v6", "head").digest
    start = {"model_digest": parameters_digest(genesis), "model_cid": pin(ipfs_swarm, tmp_path, genesis)}
    contract.governor.send(lineage_call(backbone_digest=backbone, **start))
    (tmp_path / "deployment.json").write_bytes(encode_deployment(contract.deployment))
    write_words(tmp_path / "words")
    network = Network(contract, sites, aggregators)
    made = Stage(network, tmp_path, ipfs_swarm, contract.chain.url, {0: start["model_digest"]})
    made.publish(1, encode_parameters(spoiled(*MODELS[1])))
    network.closed_round(2, parent_digest=made.digests[1])
    network.aggregators[0].ledger.send(failed_call(2))
    made.publish(3, encode_parameters(spoiled(*MODELS[3])))
    return made


def test_every_model_is_scored_as_it_reads(stage: Stage) -> None:
    lines = stage.run("--lineage", SLUG)
    answers = {number: right(number) for number in MODELS}
    assert sum(answers[1]) < sum(answers[0])
    assert [line.split(" words ")[0] for line in lines] == [
        f"round {number}: {sum(answers[number])} of {len(NAMES)}" for number in MODELS
    ]
    gained = sum(new and not old for old, new in zip(answers[1], answers[3], strict=True))
    lost = sum(old and not new for old, new in zip(answers[1], answers[3], strict=True))
    assert f"more than round 1: {gained} newly right, {lost} newly wrong; " in lines[2]
    assert "than" not in lines[0].split("words")[1]
    assert stage.talk.startswith(f"Scored on {len(NAMES)} words (digest {stage.scores.exam.words_digest})")
    assert {model.round: model.model_digest for model in stage.scores.models} == stage.digests
    again = [json.loads(line) for line in stage.run("--json", ipfs="http://127.0.0.1:1")]
    assert [(one["round"], one["correct"], one["words"]) for one in again] == [
        (number, sum(found), len(NAMES)) for number, found in answers.items()
    ]
    assert (again[2]["newly_right"], again[2]["newly_wrong"]) == (gained, lost)


def test_it_goes_on_where_an_earlier_run_ended(stage: Stage) -> None:
    assert len(stage.run("--rounds", "0..1")) == 2
    first = stage.out.read_bytes()
    # The models that are scored are not fetched any more: nobody answers here.
    assert len(stage.run("--rounds", "0..1", ipfs="http://127.0.0.1:1")) == 2
    assert stage.out.read_bytes() == first
    assert len(stage.run()) == 3
    in_two_runs = stage.out.read_bytes()
    stage.out.unlink()
    stage.run()
    assert stage.out.read_bytes() == in_two_runs


def test_models_are_in_the_file_one_by_one(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a kill between two models leaves is a whole file, and the rest follows."""

    class Killed(BaseException):
        pass

    def killing(path: Path, data: bytes) -> None:
        if data.count(b'"right"') == 2:
            raise Killed
        written(path, data)

    written = scoring.write_atomically
    monkeypatch.setattr(scoring, "write_atomically", killing)
    with pytest.raises(Killed):
        call(app, "score", *stage.where(), "--ipfs", stage.swarm.here.rpc_url, "--words", stage.folder / "words",
             "-o", stage.out)  # fmt: skip
    assert [model.round for model in stage.scores.models] == [0]
    monkeypatch.setattr(scoring, "write_atomically", written)
    assert len(stage.run()) == 3


def test_a_model_that_is_missing_or_another_is_named_and_the_others_are_scored(stage: Stage) -> None:
    other = encode_parameters(spoiled(0.5, 4))
    lying = pin(stage.swarm, stage.folder, b"something else")
    stage.publish(4, other, cid_on_chain=lying)
    stage.publish(5, encode_parameters(spoiled(0.5, 5)), cid_on_chain=cid("nowhere"))
    stage.publish(6, b"no model at all")
    ipfs = ["--ipfs", stage.swarm.here.rpc_url, "--timeout", "1"]
    words = [*stage.where(), *ipfs, "--words", stage.folder / "words", "-o", stage.out]
    done = CliRunner().invoke(app, ["score", *map(str, words)])
    assert isinstance(done.exception, AuditError)
    assert done.exception.exit_code == 11
    assert str(done.exception).startswith("3 of 6 models could not be scored")
    assert [line.partition(":")[0] for line in done.stdout.splitlines()[:3]] == ["round 0", "round 1", "round 3"]
    assert done.stdout.splitlines()[3:] == [
        f"round 4: DIFFERENT: the bytes at {lying} are not the global model whose digest is on chain",
        f"round 5: MISSING: the global model ({cid('nowhere')}) was not delivered in time",
        next(line for line in done.stdout.splitlines() if line.startswith("round 6: DIFFERENT: what is published at ")),
    ]
    assert [model.round for model in stage.scores.models] == [0, 1, 3]
    as_json = CliRunner().invoke(app, ["score", *map(str, words), "--json", "--rounds", "4..5"])
    assert [json.loads(line)["outcome"] for line in as_json.stdout.splitlines()] == ["different", "missing"]


def test_another_exam_or_a_forged_file_is_not_gone_on_with(stage: Stage) -> None:
    stage.run("--rounds", "0..1")
    honest = stage.scores
    fewer = stage.folder / "fewer"
    fewer.mkdir()
    (fewer / "labels.csv").write_text("file,label\n../words/0.png,Napa\n", encoding="utf-8")
    lexicon = stage.folder / "lexicon.csv"
    lexicon.write_text("name,generics,strengths,forms,routes\nNapa,,,,\n", encoding="utf-8")
    for changed in ({"words": fewer}, {"lexicon": lexicon}):
        options = ["--lexicon", lexicon] if "lexicon" in changed else []
        with pytest.raises(ConfigError, match="scores of another exam"):
            stage.run(*options, words=changed.get("words"))
    assert stage.scores == honest
    stage.out.write_bytes(encode_scores(dataclasses.replace(honest, lineage_id=type(honest.lineage_id)(bytes(32)))))
    with pytest.raises(ConfigError, match="another deployment or lineage"):
        stage.run()
    moved = dataclasses.replace(honest.models[0], model_digest=honest.models[1].model_digest)
    stage.out.write_bytes(encode_scores(dataclasses.replace(honest, models=(moved,))))
    with pytest.raises(AuditError, match="as round 0, which published no such model"):
        stage.run()
    stage.out.write_bytes(encode_scores(honest)[:-1])
    with pytest.raises(MalformedError, match=r"scores\.json"):
        stage.run()
    scope = dataclasses.replace(honest.exam, scope="neck")
    stage.out.write_bytes(encode_scores(dataclasses.replace(honest, exam=scope)))
    with pytest.raises(ConfigError, match="another scope than head"):
        stage.run()


def test_rounds_without_a_model_and_slips_are_said(stage: Stage) -> None:
    with pytest.raises(ConfigError, match="none of these rounds published a model"):
        stage.run("--rounds", "2")
    with pytest.raises(ConfigError, match="has no lineage"):
        stage.run("--lineage", "nobody")
    assert not stage.out.exists()


def test_a_model_of_another_backbone_is_no_score(contract: ContractWorld, stage: Stage) -> None:
    other = type(LINEAGE)(b"\x07" * 32)
    genesis = encode_parameters(spoiled(*MODELS[0]))
    named = {"model_digest": parameters_digest(genesis), "model_cid": pin(stage.swarm, stage.folder, genesis)}
    contract.governor.send(lineage_call(other, **named))
    with pytest.raises(LearningError, match="round 0 cannot be scored: it is a model of pp-ocr-v6, which is not"):
        stage.run("--lineage", str(other))


def test_show_tells_how_accuracy_moved_and_whose_word_it_is(stage: Stage) -> None:
    lines = stage.run()
    moved = lines[2].removeprefix("round 3: ")
    told = call(app, "show", *stage.where(), "--round", "3", "--scores", stage.out).stdout
    assert f"It reads {moved}." in told
    assert f"(digest {stage.scores.exam.words_digest})" in told
    assert "by whoever made the scores file" in told
    model = call(app, "show", *stage.where(), "--model", str(stage.digests[3]), "--scores", stage.out).stdout
    assert [line.strip() for line in model.splitlines() if "reads" in line] == [
        f"reads {line.partition(': ')[2]}" for line in reversed(lines)
    ]
    without = call(app, "show", *stage.where(), "--round", "3").stdout
    assert "The chain does not say how well it reads: fedrx audit score tells it" in without


def test_the_report_tells_what_every_model_reads(stage: Stage) -> None:
    lines = stage.run()
    page = stage.folder / "report.html"
    call(app, "report", *stage.where(), "-o", page, "--scores", stage.out, "--name", SLUG)
    said = unescape(page.read_text(encoding="utf-8"))
    for line in lines:
        assert f"{SLUG}, {line}." in said
    assert str(stage.scores.exam.words_digest) in said


def test_scores_of_another_deployment_are_refused_by_whoever_takes_them(stage: Stage) -> None:
    stage.run("--rounds", "0")
    elsewhere = dataclasses.replace(stage.scores.identity, chain_id=1)
    stage.out.write_bytes(encode_scores(dataclasses.replace(stage.scores, identity=elsewhere)))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for words in (["show", "--round", "3"], ["report", "-o", "report.html"], ["explorer", "--port", str(port)]):
        with pytest.raises(AuditError, match="of another deployment"):
            call(app, *words, *stage.where(), "--scores", stage.out)


def test_no_word_is_in_the_file_and_whoever_has_them_can_check_that_they_are_the_same(stage: Stage) -> None:
    stage.run("--rounds", "0")
    written = stage.out.read_text(encoding="utf-8")
    assert not [name for name in NAMES if name in written]
    assert str(stage.folder) not in written
    write_words(stage.folder / "copy")
    stage.run("--rounds", "0", words=stage.folder / "copy")
    assert stage.out.read_text(encoding="utf-8") == written
