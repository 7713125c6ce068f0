"""benchmarks/federated: kept scores, calibration and the agreement of two readers."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.federated import agreement, calibrate, calibration_table, data, kept_scores
from benchmarks.federated.__main__ import AGREEMENT, CALIBRATION, main, markers
from benchmarks.federated.calibrate import Answers
from benchmarks.federated.calibration_table import ReadRow
from benchmarks.federated.features import open_cache
from benchmarks.federated.kept_scores import WordScores
from benchmarks.federated.scoring import set_exam
from learning.backbones import make_backbone
from learning.calibration import Calibration
from learning.lexicon_index import LexiconIndex
from protocol.identifiers import digest_of
from tests.benchmarks.written_words import write_split
from tests.learning.drawn_words import NAMES, draw_word

OTHERS = ("Nape", "Seclor", "Monax", "Fexa", "Baclo")
PLAIN = Calibration(temperature=0.4, none_of_these=-2.5, abstain_below=0.5)
MODEL = digest_of("test-model")


def words_of(scores, truth, *, spare=False):
    """Words whose candidates are the lexicon's first names, in its order."""
    table = np.array(scores, dtype=float)
    return WordScores(np.tile(np.arange(table.shape[1]), (len(table), 1)), table, np.array(truth), spare)


def drawn_scores(count=200, seed=3):
    """Words of six names: the true one mostly scores best."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 6, count)
    scores = rng.normal(-3, 0.6, (count, 6))
    scores[np.arange(count), truth] += rng.normal(2, 0.9, count)
    return words_of(scores, truth)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("words")
    write_split(folder, "Validation", [(name, draw_word(name, 33)) for name in NAMES])
    write_split(folder, "Training", [(name, draw_word(name, 40)) for name in NAMES])
    write_split(folder, "Testing", [(name, draw_word(name, 44)) for name in NAMES])
    return folder


@pytest.fixture(scope="module")
def exam(folder, tmp_path_factory):
    backbone = make_backbone("pp-ocr-v6", "head")
    return set_exam(open_cache(tmp_path_factory.mktemp("features"), backbone), data.load(folder, "Validation"), OTHERS)


@pytest.fixture(scope="module")
def reader():
    backbone = make_backbone("pp-ocr-v6", "head")
    return backbone.with_parameters(backbone.initial_parameters())


@given(
    st.lists(st.lists(st.floats(-30, 0), min_size=4, max_size=4), min_size=1, max_size=5),
    st.floats(0.1, 3),
    st.floats(-8, 0),
)
def test_many_words_get_the_probabilities_that_a_reading_has(scores, temperature, none_of_these):
    found = calibrate.shares(np.array(scores), temperature, none_of_these)
    for word, row in zip(scores, found, strict=True):
        expected = Calibration(temperature, none_of_these, 0.5).probabilities(dict(zip("abcd", word, strict=True)))
        assert dict(zip("abcd", row, strict=False)) == pytest.approx(dict(expected), abs=1e-9)


@pytest.mark.parametrize("shortlist", [3, 50])
def test_kept_scores_say_what_the_reader_says_with_and_without_the_true_name(
    exam, reader, tmp_path, monkeypatch, shortlist
):
    monkeypatch.setattr(kept_scores, "SHORTLIST", shortlist)
    found = kept_scores.kept_scores(tmp_path, MODEL, reader, exam)
    for lexicon, names, room in (("own", exam.names, len(NAMES)), ("many", exam.many_names, shortlist)):
        words = found[lexicon]
        read = calibrate.answers(words, words.known(), reader.backbone.calibration)
        strange = calibrate.answers(words, words.strangers(), reader.backbone.calibration)
        for word, label in enumerate(exam.labels):
            features = exam.features[word : word + 1]
            (known,) = reader.read(features, LexiconIndex.of(names), shortlist=room)
            (without,) = reader.read(features, LexiconIndex.of([n for n in names if n != label]), shortlist=room)
            assert (names[read.places[word]], read.confidence[word]) == (known.name, pytest.approx(known.confidence))
            assert read.right[word] == (known.name == label)
            assert names[strange.places[word]] == without.name
            assert strange.confidence[word] == pytest.approx(without.confidence)
        assert not strange.right.any()


def test_a_model_that_was_read_is_not_read_again_and_another_is(exam, reader, tmp_path, monkeypatch):
    first = kept_scores.kept_scores(tmp_path, MODEL, reader, exam)
    assert len(list(tmp_path.iterdir())) == 1
    kept_scores.kept_scores(tmp_path, digest_of("test-other-model"), reader, exam)
    assert len(list(tmp_path.iterdir())) == 2
    monkeypatch.setattr(kept_scores, "_score", lambda *_: pytest.fail("read again"))
    again = kept_scores.kept_scores(tmp_path, MODEL, reader, exam)
    assert all(np.array_equal(first[lexicon].scores, again[lexicon].scores) for lexicon in ("own", "many"))


def test_the_last_of_a_shortlist_moves_up_only_when_the_true_name_stood_before_it():
    words = words_of([[-1, -2, -3, -4], [-1, -2, -3, -4]], [1, 9], spare=True)
    assert words.known()[0].tolist() == [-1, -2, -3, -np.inf]
    assert words.strangers().tolist() == [[-1, -np.inf, -3, -4], [-1, -2, -3, -np.inf]]


def test_no_pair_of_values_nearby_makes_the_truth_likelier():
    words = drawn_scores()
    found = calibrate.fitted({"row": [words]})
    best = calibrate.log_loss(words, found.temperature, found.none_of_these)
    assert best < calibrate.log_loss(words, PLAIN.temperature, PLAIN.none_of_these)
    for temperature in (0.8, 1.0, 1.25):
        for none_of_these in (-0.4, 0.0, 0.4):
            near = calibrate.log_loss(words, temperature * found.temperature, none_of_these + found.none_of_these)
            assert best <= near + 1e-3


def test_enough_of_the_names_given_are_right_from_the_threshold_on_and_not_just_below_it():
    words = drawn_scores()
    found = calibrate.fitted({"row": [words]})
    assert calibrate.rightness([words], found, found.abstain_below) >= calibrate.ENOUGH
    assert calibrate.rightness([words], found, found.abstain_below - 0.01) < calibrate.ENOUGH


def test_a_row_that_needs_a_higher_threshold_decides_for_all():
    clear, blurred = drawn_scores(), drawn_scores(seed=4)
    blurred = replace(blurred, scores=blurred.scores + np.random.default_rng(1).normal(0, 0.8, blurred.scores.shape))
    alone = [calibrate.threshold_of({"row": [words]}, PLAIN) for words in (clear, blurred)]
    assert alone[0] < alone[1]
    assert calibrate.threshold_of({"a": [clear], "b": [blurred]}, PLAIN) == alone[1]


@given(st.floats(0.01, 0.99), st.integers(1, 60))
@settings(max_examples=30)
def test_the_calibration_error_of_one_bin_is_its_distance_from_the_right_share(confidence, right):
    answers = Answers(np.zeros(60), np.full(60, confidence), np.arange(60) < right)
    assert calibrate.calibration_error([(1.0, answers)]) == pytest.approx(abs(confidence - right / 60))


def test_errors_in_two_bins_do_not_cancel_and_weights_count():
    high, low = (Answers(np.zeros(10), np.full(10, c), np.arange(10) < 5) for c in (0.9, 0.1))
    assert calibrate.calibration_error([(0.5, high), (0.5, low)]) == pytest.approx(0.4)
    silent = Answers(np.zeros(10), np.zeros(10), np.zeros(10, dtype=bool))
    assert calibrate.calibration_error([(0.25, high), (0.75, silent)]) == pytest.approx(0.1)


def test_copies_of_a_word_are_in_the_same_half(folder):
    samples = data.load(folder, "Validation").judged
    half = calibrate.first_half([*samples, *samples])
    assert np.array_equal(half[: len(samples)], half[len(samples) :])


def read_row(*scores, truth, calibration=PLAIN):
    return ReadRow("pp-ocr-v6", calibration, tuple({"own": words_of(s, truth)} for s in scores), {"own": 3})


AGREE, UNSURE, OTHER, LOW = [-0.1, -9, -9], [-2.6, -9, -9], [-9, -0.1, -9], [-4, -9, -9]
EVERY = np.ones(5, dtype=bool)


@pytest.fixture
def readers():
    """Both sure; one unsure; they differ; both unsure; both sure of another name than the label."""
    truth = [0, 0, 0, 0, 2]
    return [
        read_row([AGREE, AGREE, AGREE, LOW, AGREE], truth=truth),
        read_row([AGREE, UNSURE, OTHER, LOW, AGREE], truth=truth),
    ]


@pytest.mark.parametrize(
    ("rule", "covered"),
    [("alike", [True, True, False, True, True]), ("together", [True, True, False, False, True]),
     ("each", [True, False, False, False, True])],
)  # fmt: skip
def test_two_readers_agree_by_a_rule(readers, rule, covered):
    found = agreement.agreement(readers, 0, "own", rule, EVERY)
    assert found.covered.tolist() == covered
    assert found.right.tolist() == [*covered[:4], False]
    assert found.against.tolist() == [False] * 4 + [True]


def test_two_readers_that_name_a_stranger_alike_are_counted(readers):
    found = agreement.agreement(readers, 0, "own", "each", EVERY)
    # Without its name only the last word still has one that both are sure of.
    assert found.strangers.tolist() == [False] * 4 + [True]


def test_a_word_that_both_read_against_its_label_is_listed(readers):
    labels, names = ["Napa", "Napa", "Napa", "Napa", "Opton"], ["Napa", "Seclo", "Opton"]
    assert agreement.contradicted(readers, labels, names) == [
        "word 4: labelled Opton, both read Napa with 1 of 1 seeds"
    ]


def test_readers_that_never_agree_are_a_line_of_the_table_too():
    rows = [read_row([AGREE], truth=[0]), read_row([OTHER], truth=[0])]
    text = agreement.markdown({"a+b": rows}, "Validation", np.ones(1, dtype=bool))
    assert "| `a+b` | 1 | 3 | each | 0.000 | – | – | 0 |" in text


def test_the_table_of_a_split_that_chose_nothing_says_so():
    row = ReadRow("pp-ocr-v6", PLAIN, ({"own": drawn_scores(40)},), {"own": 6})
    text = calibration_table.markdown({"row": row}, "Testing", np.zeros(40, dtype=bool))
    assert "Measured on all 40 words of the split Testing" in text
    assert "fitted" not in text


@pytest.fixture
def command(folder, tmp_path, monkeypatch):
    """A command of the benchmark in a folder of its own."""

    def called(*arguments):
        places = ("--words", folder, "--features", tmp_path / "features", "--results", tmp_path / "results")
        monkeypatch.setattr(sys, "argv", [str(part) for part in ("federated", *arguments, *places)])
        main()

    return called


def test_calibration_and_agreement_are_written_between_their_markers(command, tmp_path):
    command("run", "--rows", "ppocr-head-zero-shot", "ppocr-neck-zero-shot")
    report = tmp_path / "report.md"
    parts = ["\n".join(markers(part)) for part in (CALIBRATION, AGREEMENT)]
    report.write_text("\nbetween\n".join(parts))
    rows, pair = ("ppocr-head-zero-shot", "ppocr-neck-zero-shot"), "ppocr-head-zero-shot+ppocr-neck-zero-shot"
    command("calibrate", "--rows", *rows, "--report", report)
    command("agreement", "--pairs", pair, "--report", report)
    calibration, agreed = report.read_text().split("\nbetween\n")
    assert "| `pp-ocr-v6` | fitted to `ppocr-head-zero-shot`, `ppocr-neck-zero-shot` |" in calibration
    assert f"| `{pair}` | 1 | {len(NAMES)} | each |" in agreed
    assert all(text.endswith(markers(part)[1]) for text, part in ((calibration, CALIBRATION), (agreed, AGREEMENT)))


def test_a_row_that_did_not_end_yet_is_named(command):
    with pytest.raises(SystemExit, match="ppocr-neck did not run to its end"):
        command("agreement", "--pairs", "ppocr-neck+ppocr-head")
