import json
import math
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from benchmarks.federated import data, plots, table
from benchmarks.federated.__main__ import TABLES, main, markers
from benchmarks.federated.data import share_out, unseen_names
from benchmarks.federated.features import open_cache
from benchmarks.federated.joined import SHARES, joined_scores
from benchmarks.federated.rounds import FederatedRun
from benchmarks.federated.rows import all_rows, tuned
from benchmarks.federated.runs import NETWORK_CHECK, Bench, models_of, place_of, rounds_of, run
from benchmarks.federated.scoring import other_names, reader_of, score, set_exam
from gateways.data_folder import DataFolder
from learning.backbones import make_backbone
from learning.device import DeviceProfile
from learning.lexicon_index import LexiconIndex
from node.data.samples import TrainableSample
from protocol.dataset import TrainingSample
from protocol.envelope import sealed_length
from protocol.identifiers import digest_of
from tests.benchmarks.written_words import write_split
from tests.learning.drawn_words import NAMES, draw_word

ROW = replace(all_rows()["ppocr-head"], name="tiny", sites=3, dirichlet=None)
OTHERS = ("Nape", "Seclor", "Monax", "Fexa", "Baclo")


def sample(number, label):
    sample_id = digest_of("test-word", number.to_bytes(4, "big"))[:16]
    said = TrainingSample(sample_id, digest_of("test-content"), bytes(32), digest_of("test-receipt"))
    return TrainableSample(sample_id, np.zeros((1, 1), np.uint8), label, said)


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    folder = tmp_path_factory.mktemp("words")
    judged = [(name, draw_word(name, 33)) for name in NAMES]
    training = [(name, draw_word(name, size)) for size in (26, 30, 36, 40) for name in NAMES]
    write_split(folder, "Validation", judged)
    write_split(folder, "Training", [*training, judged[0]])
    write_split(folder, "Testing", [training[0], *((name, draw_word(name, 44)) for name in NAMES)])
    return folder


@pytest.fixture(scope="module")
def bench(words, tmp_path_factory):
    loaded = data.load(words, "Validation")
    backbone = make_backbone("pp-ocr-v6", "head")
    features = open_cache(tmp_path_factory.mktemp("features"), backbone)
    exam = set_exam(features, loaded, OTHERS)
    device = DeviceProfile(
        cores=1, memory_total_bytes=2**33, memory_available_bytes=2**32, accelerator=None, threads=1,
        torch_device="cpu", batch_size=32,
    )  # fmt: skip
    return Bench(backbone, features, device, loaded, exam, "Validation")


@pytest.fixture(scope="module")
def results(bench, tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    run(bench, ROW, 1, folder)
    return folder


@given(st.integers(1, 20), st.none() | st.sampled_from([0.1, 0.5, 100.0]), st.integers(0, 2**32), st.integers(0, 60))
@settings(max_examples=40)
def test_every_word_goes_to_one_site(sites, dirichlet, seed, count):
    samples = [sample(number, NAMES[number % len(NAMES)]) for number in range(count)]
    shares = share_out(samples, sites, dirichlet, seed)
    given_out = [word.sample_id for mine in shares.values() for word in mine]
    assert len(shares) == sites
    assert sorted(given_out) == sorted(word.sample_id for word in samples)
    assert all(list(mine) == sorted(mine, key=lambda word: word.sample_id) for mine in shares.values())


def test_the_same_seed_gives_the_same_shares_and_another_gives_others():
    samples = [sample(number, NAMES[number % len(NAMES)]) for number in range(80)]
    again = [{slug: [w.sample_id for w in mine] for slug, mine in share_out(samples, 5, 0.5, seed).items()}
             for seed in (1, 1, 2)]  # fmt: skip
    assert again[0] == again[1]
    assert again[0] != again[2]


def test_even_shares_differ_by_one_word_at_most():
    sizes = [len(mine) for mine in share_out([sample(n, "Napa") for n in range(83)], 5, None, 1).values()]
    assert max(sizes) - min(sizes) == 1


def test_a_small_concentration_gives_a_brand_to_few_sites():
    samples = [sample(number, str(number % 40)) for number in range(4000)]

    def largest(dirichlet):
        shares = share_out(samples, 5, dirichlet, 1)
        found = [[sum(word.label == str(brand) for word in mine) for mine in shares.values()] for brand in range(40)]
        return np.mean([max(counts) / sum(counts) for counts in found])

    assert largest(0.1) > largest(0.5) + 0.1 > largest(100.0) + 0.2


def test_copies_of_judging_words_do_not_train(words, bench):
    assert bench.words.left_out == 1
    assert len(bench.words.training) == 4 * len(NAMES)
    assert len(bench.words.judged) == len(NAMES)
    other = data.load(words, "Validation", keep_judged_whole=False)
    assert (len(other.training), len(other.judged)) == (4 * len(NAMES) + 1, len(NAMES) - 1)


def test_a_word_cut_a_little_differently_is_not_apart(tmp_path):
    other = np.asarray(Image.effect_noise((90, 40), 80))
    write_split(tmp_path, "Training", [("Napa", np.pad(draw_word("Napa"), 3, constant_values=240))])
    write_split(tmp_path, "Validation", [("Napa", draw_word("Napa")), ("Seclo", other)])
    assert data.load(tmp_path, "Validation").apart == (False, True)


def test_a_run_seals_sums_and_scores_every_round(bench, results):
    rounds = rounds_of(place_of(results, "tiny", 1))
    assert [written["round"] for written in rounds] == [1, 2]
    floats = sum(math.prod(shape) for _, shape in bench.backbone.scope_tensors())
    for written in rounds:
        assert {site["verdict"] for site in written["sites"].values()} == {"ACCEPTED"}
        assert sum(site["num_examples"] for site in written["sites"].values()) == len(bench.words.training)
        sizes = {site["sealed_bytes"] for site in written["sites"].values()}
        assert len(sizes) == 1
        assert sizes.pop() > sealed_length(4 * floats, 2)
        assert written["scores"]["global"]["own"][1] == len(NAMES)
    assert rounds[0]["models"] != rounds[1]["models"]
    assert rounds[-1]["scores"]["global"]["many_names"] == [len(NAMES) + len(OTHERS)]


def test_training_moves_the_model_away_from_what_was_published(bench, results):
    (model,) = models_of(DataFolder(place_of(results, "tiny", 1)), rounds_of(place_of(results, "tiny", 1))[-1]).values()
    trained = reader_of(bench.backbone, model.path).frame_log_probs(bench.exam.features)
    published = bench.backbone.with_parameters(bench.backbone.initial_parameters())
    assert not np.array_equal(next(trained), next(published.frame_log_probs(bench.exam.features)))


def test_a_killed_run_goes_on_to_the_same_model(bench, results, tmp_path, monkeypatch):
    whole = FederatedRun.round

    def killed(self, number):
        if number == 2:
            raise KeyboardInterrupt
        return whole(self, number)

    monkeypatch.setattr(FederatedRun, "round", killed)
    with pytest.raises(KeyboardInterrupt):
        run(bench, ROW, 1, tmp_path)
    monkeypatch.setattr(FederatedRun, "round", whole)
    assert len(rounds_of(place_of(tmp_path, "tiny", 1))) == 1
    run(bench, ROW, 1, tmp_path)
    first, second = (rounds_of(place_of(folder, "tiny", 1)) for folder in (results, tmp_path))
    assert [written["models"] for written in first] == [written["models"] for written in second]
    deltas = [[site["delta_digest"] for site in written["sites"].values()] for written in (*first, *second)]
    assert deltas[:2] == deltas[2:]


def test_a_finished_run_is_not_run_again(bench, results, monkeypatch):
    monkeypatch.setattr(FederatedRun, "round", lambda *_: pytest.fail("ran again"))
    run(bench, ROW, 1, results)


def test_rounds_of_other_settings_are_not_gone_on_with(bench, results):
    with pytest.raises(SystemExit, match="other words or settings"):
        run(bench, replace(ROW, rounds=3), 1, results)


def test_a_changed_model_file_is_noticed(bench, tmp_path):
    run(bench, replace(ROW, rounds=1), 1, tmp_path)
    place = place_of(tmp_path, "tiny", 1)
    (path,) = (place / "models").glob("Qm*")
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    with pytest.raises(SystemExit, match="not the model"):
        models_of(DataFolder(place), rounds_of(place)[-1])


def test_unseen_brands_train_nowhere_and_are_scored_on_their_own(bench, tmp_path):
    row = replace(ROW, name="unseen", rounds=1, unseen_brands=2)
    run(bench, row, 1, tmp_path)
    (written,) = rounds_of(place_of(tmp_path, "unseen", 1))
    assert set(written["unseen"]) == unseen_names(bench.words.names, 2, 1)
    assert sum(site["num_examples"] for site in written["sites"].values()) == 4 * (len(NAMES) - 2)
    assert written["scores"]["global"]["unseen"][1] == 2


def test_sites_alone_end_with_models_of_their_own(bench, tmp_path):
    run(bench, replace(ROW, name="alone", mode="alone"), 1, tmp_path)
    rounds = rounds_of(place_of(tmp_path, "alone", 1))
    assert rounds[0]["scores"] == {}
    assert set(rounds[1]["scores"]) == {"site-1", "site-2", "site-3"}
    assert len({entry["digest"] for entry in rounds[1]["models"].values()}) == 3
    assert table.accuracy(rounds[1]["scores"], "own") is not None


def test_an_untrained_row_scores_what_was_published(bench, tmp_path):
    row = replace(ROW, name="zero", rounds=0, mode="alone", sites=1)
    run(bench, row, 1, tmp_path)
    (written,) = rounds_of(place_of(tmp_path, "zero", 1))
    reader = bench.backbone.with_parameters(bench.backbone.initial_parameters())
    assert written["scores"]["global"] == score(reader, bench.exam, frozenset(), with_many=True)


def test_two_readers_with_all_weight_on_one_read_as_that_one(bench, results):
    place = place_of(results, "tiny", 1)
    (model,) = models_of(DataFolder(place), rounds_of(place)[-1]).values()
    readers = (
        reader_of(bench.backbone, model.path),
        bench.backbone.with_parameters(bench.backbone.initial_parameters()),
    )
    found = joined_scores(readers, (bench.exam, bench.exam))
    for reader, share in zip(readers, ("0.0", "1.0"), strict=True):
        names = LexiconIndex.of(bench.exam.names)
        readings = reader.read(bench.exam.features, names, shortlist=len(names.entries))
        right = sum(r.name == label for r, label in zip(readings, bench.exam.labels, strict=True))
        assert found["own"][share] == right
    assert set(found["many"]) == {str(share) for share in SHARES}


def test_distractors_can_be_written_and_are_no_brand_of_the_set(bench, tmp_path):
    products = tmp_path / "products.csv"
    products.write_text("ApplNo,DrugName\n1,NAPA\n2,ZOLOFT\n3,zoloft\n4,AB\n5,A VERY LONG NAME THAT NOBODY WRITES\n")
    assert other_names(products, bench.words.names, 10, bench.backbone) == ["Zoloft"]


def test_another_rate_has_a_name_of_its_own():
    row = all_rows()["ppocr-neck"]
    assert tuned(row, "0.003", None).name == "ppocr-neck-rate-0-003"
    assert tuned(row, row.learning_rate, row.rounds) == row


def test_the_interval_is_students():
    mean, half = table.interval([0.94, 0.95, 0.96, 0.95, 0.95])
    assert mean == pytest.approx(0.95)
    assert half == pytest.approx(2.776 * math.sqrt(0.00005) / math.sqrt(5), rel=1e-3)
    assert math.isnan(table.interval([0.9])[1])


@pytest.fixture
def command(words, tmp_path, monkeypatch):
    """A command of the benchmark in a folder of its own."""

    def called(*arguments):
        places = ("--words", words, "--features", tmp_path / "features") if arguments[0] != "table" else ()
        line = ["federated", *arguments, *places, "--results", tmp_path / "results"]
        monkeypatch.setattr(sys, "argv", [str(part) for part in line])
        main()

    return called


def test_a_split_that_was_not_there_is_scored_afterwards(command, tmp_path, capsys):
    command("run", "--rows", "ppocr-head-central", "--rounds", 1, "--seeds", 1)
    command("run", "--rows", "ppocr-head-zero-shot")
    command("score", "--split", "Testing")
    command("joined", "--first", "ppocr-head-central-rounds-1", "--second", "ppocr-head-zero-shot", "--seeds", 1)
    command("joined", "--first", "ppocr-head-central-rounds-1", "--second", "ppocr-head-zero-shot", "--seeds", 1,
            "--split", "Testing")  # fmt: skip
    scored = place_of(tmp_path / "results", "ppocr-head-central-rounds-1", 1) / "score-Testing.json"
    # The word that a training picture repeats is not counted.
    assert json.loads(scored.read_bytes())["scores"]["site-1"]["own"][1] == len(NAMES)
    report = tmp_path / "report.md"
    begin, end = markers(TABLES)
    report.write_text(f"before\n{begin}\n{end}\nafter\n")
    command("table", "--split", "Testing", "--report", report)
    text = report.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "| `ppocr-head-central-rounds-1` | all words in one place; rate 0.005 | 1 | 1 |" in text
    assert "| `ppocr-head-central-rounds-1+ppocr-head-zero-shot` | 1 |" in text
    assert "33 words train, 8 judge, 1 copies left out" in capsys.readouterr().out


def test_the_table_says_what_a_real_network_confirmed(results, tmp_path):
    shutil.copytree(results, tmp_path, dirs_exist_ok=True)
    assert "real network" not in table.markdown(tmp_path, "Validation")
    (place_of(tmp_path, "tiny", 1) / NETWORK_CHECK).write_text(json.dumps({"rounds": 2, "model_digest": "ab" * 32}))
    assert "`tiny`, seed 1: 2 rounds through a real network" in table.markdown(tmp_path, "Validation")


def test_the_table_and_the_plots_are_the_same_each_time(results, tmp_path):
    shown = table.markdown(results, "Validation")
    assert "| `tiny` | 3 sites, evenly, weighted; rate 0.005 | 1 | 2 |" in shown
    assert shown == table.markdown(results, "Validation")
    written = json.loads(json.dumps(rounds_of(place_of(results, "tiny", 1))))
    named = tmp_path / "ppocr-head" / "seed-1"
    named.mkdir(parents=True)
    for number, entry in enumerate(written, start=1):
        (named / f"round-{number:03}.json").write_text(json.dumps(entry))
    pictures = [[path.read_bytes() for path in plots.draw(tmp_path, tmp_path)] for _ in range(2)]
    assert pictures[0] == pictures[1]
    assert b"ppocr-head" in pictures[0][0]
