import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prescriptions.lexicon import bundled_lexicon, load_lexicon, parse_lexicon
from prescriptions.strength import parse_strength
from protocol.errors import ConfigError

HEADER = "name,generics,strengths,forms,routes\n"
SMALL = (
    HEADER
    + "Napa,paracetamol,500 mg,tablet|syrup,oral\nAugmentin,amoxicillin|clavulanate,500 mg + 125 mg,tablet,oral\n"
)
DEMO = bundled_lexicon("demo")


@pytest.mark.parametrize(("name", "least"), [("demo", 200), ("drugsfda", 4500)])
def test_the_bundled_lexicons_load(name, least):
    lexicon = bundled_lexicon(name)
    assert len(lexicon.medicines) >= least
    assert lexicon.names == tuple(sorted(lexicon.names, key=str.casefold))


def test_other_countries_names_are_in_the_bundled_lexicon():
    paracetamol = bundled_lexicon("drugsfda").find("PARACETAMOL")
    assert paracetamol.generics == ("acetaminophen=paracetamol",)
    assert paracetamol.generic == "acetaminophen (paracetamol)"


def test_a_generic_joins_the_ingredients_of_a_combination():
    lexicon = parse_lexicon(SMALL, source="x")
    assert lexicon.find("augmentin").generic == "amoxicillin + clavulanate"
    assert parse_lexicon(HEADER + "Napa,,,,\n", source="x").find("napa").generic is None


@given(st.permutations(SMALL.splitlines()[1:]))
def test_the_digest_does_not_depend_on_the_order_of_the_file(rows):
    assert parse_lexicon(HEADER + "\n".join(rows), source="x").digest == parse_lexicon(SMALL, source="x").digest


def test_another_strength_is_another_digest():
    assert (
        parse_lexicon(SMALL.replace("500 mg,", "250 mg,"), source="x").digest != parse_lexicon(SMALL, source="x").digest
    )


@given(st.sampled_from(DEMO.names), st.sampled_from([str, str.upper, str.lower]))
def test_every_name_is_its_own_best_match(name, spell):
    first = DEMO.shortlist(spell(name))[0]
    assert (first.name, first.score) == (name, 1.0)


@given(st.text(max_size=20), st.integers(1, 10))
def test_a_shortlist_is_sorted_and_no_longer_than_asked(text, limit):
    scores = [match.score for match in DEMO.shortlist(text, limit=limit)]
    assert len(scores) <= limit
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


@pytest.mark.parametrize(
    ("written", "name"), [("Cetir1zine", "Cetirizine"), ("Amoxicilin", "Amoxicillin"), ("L0SEC", None)]
)
def test_digits_that_look_like_letters_are_read_as_letters(written, name):
    best = DEMO.shortlist(written, limit=1, floor=0.8)
    assert (best[0].name if best else None) == name


def test_a_combination_knows_its_sum_and_its_parts():
    augmentin = parse_lexicon(SMALL, source="x").find("augmentin")
    assert [augmentin.knows_strength(parse_strength(text)) for text in ("625 mg", "500 mg", "250 mg")] == [
        True,
        True,
        False,
    ]


def test_oral_liquids_stand_for_each_other():
    napa = parse_lexicon(SMALL, source="x").find("napa")
    assert [napa.knows_form(form) for form in ("suspension", "tablet", "cream")] == [True, True, False]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "first line"),
        ("name;generics\n", "first line"),
        (HEADER, "no medicine"),
        (HEADER + "Napa,,,\n", "line 2: expected 5 columns"),
        (HEADER + ",,,,\n", "line 2, column name"),
        (HEADER + "Napa,,500,,\n", "line 2, column strengths: '500' is no strength"),
        (HEADER + "Napa,,,pill,\n", "line 2, column forms: unknown form"),
        (HEADER + "Napa,a=,,,\n", "line 2, column generics"),
        (HEADER + f"Napa,,,,{'x' * 121}\n", "line 2, column routes"),
        (HEADER + "Napa,,,,\nNAPA,,,,\n", "line 3: 'NAPA' is listed twice"),
        (HEADER + '"Napa,,,,\n', "not CSV"),
    ],
)
def test_a_bad_lexicon_is_refused_with_its_line(text, says):
    with pytest.raises(ConfigError, match=says):
        parse_lexicon(text, source="own.csv")


def test_a_lexicon_that_is_not_there_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_lexicon(tmp_path / "none.csv")
    with pytest.raises(ConfigError, match="no bundled lexicon"):
        bundled_lexicon("../demo")


def test_a_shortlist_among_more_than_five_thousand_names_takes_milliseconds():
    dice = random.Random(5)
    made_up = {"".join(dice.choices("abcdeilmnoprstuxyz", k=dice.randint(5, 12))).capitalize() for _ in range(1500)}
    names = [*bundled_lexicon("drugsfda").names, *(made_up - set(bundled_lexicon("drugsfda").names))]
    large = parse_lexicon(HEADER + "".join(f"{name},,,,\n" for name in names), source="x")
    assert len(large.names) > 5000
    seconds = []
    for name in dice.choices(names, k=20):
        started = time.perf_counter()
        assert large.shortlist(name)[0].name == name
        seconds.append(time.perf_counter() - started)
    assert sorted(seconds)[len(seconds) // 2] < 0.1
