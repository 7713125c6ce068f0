"""What the page tells of rounds, of what left and of a tried picture."""

from __future__ import annotations

from node.data.proposal import READERS_DISAGREE
from node.page.plot import Point, Series, line_plot
from node.page.sentences import flag_sentence, sent_sentence
from node.sent import SentItem
from prescriptions.understand import FLAGS
from protocol.errors import LedgerUnavailableError
from tests.node.page.page_world import PageWorld, draw_page, post, waiting


def test_a_round_is_seen_to_run_and_to_end(tmp_path):
    # With half of sixteen words held out no luck is needed for one to score and one to train.
    page = PageWorld(tmp_path / "data", settings={"training": {"min_examples": 1, "held_out_percent": 50}})
    client, world = page.client("olga"), page.world
    world.start()
    assert "No round is running" in client.get("/rounds").text
    world.settle()
    world.open_round()
    assert "Round 1 is running" in client.get("/rounds/now").text
    world.settle()
    text = client.get("/rounds/now").text
    assert text.count('class="done"') == 4
    assert "1 of 3 sites" in text
    world.others_register()
    world.finish()
    world.settle()
    text = client.get("/rounds").text
    assert "No round is running" in text
    assert "finalized" in text
    assert '<svg class="plot"' in text


def test_what_left_is_told_in_sentences_with_the_codes_below(page):
    client, world = page.client("nurse-rahman"), page.world
    world.start()
    world.settle()
    world.open_round()
    world.settle()
    text = client.get("/sent").text
    assert "A sealed model update" in text
    assert "No picture, no text, no name" in text
    assert "A fingerprint over all consents in force" in text
    assert str(world.view(1).registrations[0].event.envelope_cid) in text


def test_a_site_that_is_asked_takes_part_when_an_operator_says_yes(tmp_path):
    page = PageWorld(tmp_path / "data", settings={"participation": "ask"})
    world = page.world
    world.start()
    world.settle()
    world.open_round()
    world.settle()
    assert "Take part" not in page.client("rashid").get("/rounds").text
    client = page.client("olga")
    text = client.get("/rounds").text
    assert "Take part in round 1" in text
    assert post(client, "/rounds/participate", {"lineage": world.lineage_id.hex()}).status_code == 303
    world.settle()
    assert "Take part" not in client.get("/rounds").text
    assert world.view(1).registrations


def test_without_a_chain_the_page_still_works_and_says_so(page):
    def silent() -> None:
        raise LedgerUnavailableError("no answer from the RPC endpoint")

    page.parts.chain._connect = silent
    text = page.client("olga").get("/rounds").text
    assert "The chain does not answer" in text
    assert page.client("rashid").get("/pages").status_code == 200


def test_trying_the_model_stores_nothing_and_never_hides_what_it_cannot_tell(page):
    client = page.client("rashid")
    answer = post(client, "/try", files={"file": ("new.png", draw_page(), "image/png")})
    assert "Napa" in answer.text
    assert "Cannot tell: a person must read it" in answer.text
    assert "never a dispensing decision" in answer.text
    assert waiting(page) == ()


def test_every_flag_has_a_sentence_of_its_own():
    sentences = {flag_sentence(flag) for flag in (*FLAGS, READERS_DISAGREE)}
    assert len(sentences) == len(FLAGS) + 1
    assert all(flag not in sentence for flag in FLAGS for sentence in sentences)


def test_something_that_left_under_a_new_name_is_listed_all_the_same():
    assert sent_sentence(SentItem("a new kind", 0, 0, "", "", "", 0)).title == "A new kind"


def test_a_plot_draws_every_point_and_nothing_without_points():
    points = tuple(Point(number, number / 4, 0.0, 1.0) for number in range(1, 5))
    svg = str(line_plot("Shares", (Series("A", "global", points),)))
    assert svg.count("<circle") == 4
    assert svg.count("<polyline") == 1
    assert line_plot("Shares", (Series("A", "global", ()),)) == ""
    assert "&lt;b&gt;" in str(line_plot("<b>", (Series("A", "global", points),)))
