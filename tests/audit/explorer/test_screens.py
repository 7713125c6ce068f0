"""What the explorer's screens say, and whom they answer."""

from __future__ import annotations

import re
from collections import Counter
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient

from audit.explorer.charts import Bar, Part, bar_chart
from audit.explorer.marks import Mark, judged
from audit.explorer.timeline import window
from audit.names import Names
from protocol import ledger_events as ev
from protocol.history import History
from tests.audit.explorer.made_up import (
    ABORTED,
    AGGREGATOR,
    FAILED,
    MadeUpNetwork,
    ToldChain,
    app_of,
    chronicle_of,
    digest,
    lineage_id,
    site,
    slug,
)

ROUNDS, SITES = 12, 6
HREF = re.compile(r'href="([^"]+)"')


@pytest.fixture(scope="module")
def network() -> MadeUpNetwork:
    return MadeUpNetwork(ROUNDS, SITES)


@pytest.fixture(scope="module")
def chain(network: MadeUpNetwork) -> ToldChain:
    return ToldChain(network.events)


@pytest.fixture(scope="module")
def client(network: MadeUpNetwork, chain: ToldChain, tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    chronicle = chronicle_of(chain, tmp_path_factory.mktemp("explorer"))
    while chronicle.learn_costs():
        pass
    return TestClient(app_of(chronicle, network.names), base_url="http://127.0.0.1")


@pytest.fixture(scope="module")
def history(network: MadeUpNetwork) -> History:
    return History(network.events)


def text_of(answer: httpx.Response) -> str:
    """What a reader sees, without the marks."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def test_every_link_leads_to_a_screen(client: TestClient) -> None:
    waiting, known = ["/"], {"/"}
    while waiting:
        path = waiting.pop()
        answer = client.get(path)
        assert answer.status_code == 200, path
        for href in HREF.findall(answer.text):
            target = href.replace("&amp;", "&").partition("#")[0]
            assert not urlsplit(target).netloc, f"{path} leads out to {target}"
            if target and target not in known and not target.startswith(("/proof/", "/checkpoint")):
                known.add(target)
                waiting.append(target)
    kinds = Counter(path.split("/")[1] for path in {urlsplit(target).path for target in known})
    assert kinds["round"] == ROUNDS
    assert kinds["site"] == SITES
    assert kinds["tx"] > ROUNDS * SITES * 0.7
    assert kinds["model"] > ROUNDS / 2
    assert kinds["consent"] >= SITES


def test_the_matrix_is_a_table_with_a_letter_for_each_verdict(client: TestClient, history: History) -> None:
    table = client.get("/").text.partition('aria-labelledby="matrix"')[2].partition("</table>")[0]
    assert table.count('<th scope="row">') == SITES
    assert table.count('<th scope="col">') == ROUNDS + 1
    said = Counter(re.findall(r'<td><a class="([a-z-]+)"[^>]*>', table))
    views = history.lineages[lineage_id()].rounds.values()
    assert said == Counter(each.mark.look for view in views for each in judged(view))
    assert {Mark.ACCEPTED.look, Mark.REFUSED.look, Mark.VOID.look} <= set(said)
    letters = dict(re.findall(r'<td><a class="([a-z-]+)"[^>]*>(.)</a>', table))
    assert letters == {mark.look: mark.letter for mark in Mark if mark.look in letters}


def test_gas_and_bytes_of_a_round_are_those_of_its_transactions(
    client: TestClient, network: MadeUpNetwork, chain: ToldChain
) -> None:
    asked = {e.position.tx_hash for e in network.events if getattr(e.event, "round", None) == 3}
    costs = chain.costs(sorted(asked))
    said = text_of(client.get(f"/round/{lineage_id()}/3"))
    assert f"Gas {sum(cost.gas_used for cost in costs):,} in {len(asked)} transactions" in said
    assert f"Bytes sent {sum(cost.call_bytes for cost in costs):,} " in said


def test_a_round_says_what_became_of_every_update(client: TestClient, history: History) -> None:
    for number in (FAILED, ABORTED, ROUNDS):
        view = history.lineages[lineage_id()].rounds[number]
        said = text_of(client.get(f"/round/{lineage_id()}/{number}"))
        for each in judged(view):
            assert f"{each.says[0].upper()}{each.says[1:]}" in said
    assert "failed" in text_of(client.get(f"/round/{lineage_id()}/{FAILED}"))
    assert "the round was aborted" in text_of(client.get(f"/round/{lineage_id()}/{ABORTED}"))


def test_a_model_is_drawn_with_its_parents_and_every_update_refused_or_not(
    client: TestClient, network: MadeUpNetwork, history: History
) -> None:
    path = f"/model/{network.head}"
    shapes: Counter[str] = Counter()
    boxes = 0
    for skip in (0, 12):
        drawn = client.get(f"{path}?skip={skip}").text.partition('<svg class="lineage"')[2].partition("</svg>")[0]
        shapes.update(re.findall(r'class="letter ([a-z-]+)"', drawn))
        boxes += drawn.count('class="model"')
    made = [
        v for v in history.lineages[lineage_id()].rounds.values() if v.opened.round not in {FAILED, ABORTED, ROUNDS}
    ]
    assert boxes == len(made) + 1
    assert shapes == Counter(each.mark.look for view in made for each in judged(view))
    assert shapes[Mark.REFUSED.look]


def test_a_site_shows_its_updates_and_the_models_that_hold_them(client: TestClient, history: History) -> None:
    answer = client.get(f"/site/{site(1)}")
    heads = sum(line.outcome is not None and hasattr(line.outcome, "model_digest")
                for line in history.lineages[lineage_id()].rounds.values())  # fmt: skip
    assert f"{heads} models of last-conv hold what was accepted" in text_of(answer)
    assert "W" in re.findall(r'class="letter [a-z-]+"[^>]*>(.)<', answer.text)


def test_a_consent_root_says_whether_it_is_void_and_what_it_touched(client: TestClient) -> None:
    said = text_of(client.get(f"/consent/{digest('root', 1, 1)}"))
    assert "may be named" in said
    assert "41 from patients, 3 from guardians, 1 by ethics waiver" in said
    assert "models of last-conv hold" in said


def test_a_root_below_a_withdrawal_is_void(tmp_path: Path) -> None:
    network = MadeUpNetwork(40, 2)
    client = TestClient(app_of(chronicle_of(ToldChain(network.events), tmp_path), network.names),
                        base_url="http://127.0.0.1")  # fmt: skip
    assert ">void<" in client.get(f"/consent/{digest('root', 0, 1)}").text
    assert ">void<" not in client.get(f"/consent/{digest('root', 0, 2)}").text
    assert "Withdrew at" in text_of(client.get(f"/site/{site(0)}"))


def test_a_transaction_shows_each_field_and_what_became_of_the_update(client: TestClient, history: History) -> None:
    view = history.lineages[lineage_id()].rounds[1]
    each = next(judged(view))
    answer = client.get(f"/tx/{each.one.registration.position.tx_hash}")
    for name in each.event.__dataclass_fields__:
        value = getattr(each.event, name)
        assert f"<dt>{name}</dt>" in answer.text
        assert str(value) in answer.text
    assert f"/proof/verdict/{lineage_id()}/1/{each.event.site_id}" in answer.text
    assert "The raw logs cannot be shown" in answer.text


def test_where_accuracy_is_looked_for_it_is_said_how_to_get_it(client: TestClient, network: MadeUpNetwork) -> None:
    for path in ("/", f"/round/{lineage_id()}/1", f"/model/{network.head}"):
        assert "fedrx audit score" in text_of(client.get(path)), path


def test_rounds_come_in_windows_and_all_at_once(client: TestClient) -> None:
    few = client.get("/?last=9&rounds=4")
    assert "Rounds 6 to 9" in text_of(few)
    paths = [href.replace("&amp;", "&") for href in HREF.findall(few.text) if "last=" in href]
    beside = [re.search(r"Rounds (\d+ to \d+)", text_of(client.get(path))) for path in paths]
    assert {found[1] for found in beside if found} == {"2 to 5", "9 to 12"}
    assert "All 12" in text_of(few)
    assert window([], None, 5).numbers == ()
    assert window([3, 4, 5], 1, 5) == window([3, 4, 5], 1, 5)
    assert window([3, 4, 5], None, 2) == window([3, 4, 5], 5, 2)
    assert window([3, 4, 5], 4, 2).newer == 5
    assert window([3, 4, 5], 4, 1).older == 3


@pytest.mark.parametrize(
    ("asked", "leads_to"),
    [
        ("3", f"/round/{lineage_id()}/3"),
        (slug(2), f"/site/{site(2)}"),
        (f" {site(2)} ", f"/site/{site(2)}"),
        ("last-conv", f"/?lineage={lineage_id()}"),
        (str(digest("model", 3)), f"/model/{digest('model', 3)}"),
        (str(digest("root", 3, 1)), f"/consent/{digest('root', 3, 1)}"),
        (str(digest("tx", 9)), f"/tx/{digest('tx', 9)}"),
        ("", "/"),
    ],
)
def test_what_is_typed_is_found(client: TestClient, asked: str, leads_to: str) -> None:
    answer = client.get("/find", params={"q": asked}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, leads_to)


@pytest.mark.parametrize(
    "path",
    ["/nowhere", "/find?q=nobody", "/find?q=999", "/find?q=0x12", "/site/0x12", f"/site/{digest('nobody')}",
     f"/model/{digest('nothing')}", f"/consent/{digest('nothing')}", f"/tx/{digest('nothing')}", "/round/0x12/1",
     f"/round/{lineage_id()}/99", f"/round/{digest('nothing')}/1", "/?lineage=nobody", "/?last=x", "/?rounds=0",
     f"/proof/tx/{digest('nothing')}?block=5", f"/proof/model/{digest('nothing')}?block=5",
     f"/proof/consent/{digest('nothing')}?block=5", f"/proof/verdict/{digest('nothing')}/1/{site(1)}?block=5",
     f"/proof/verdict/{lineage_id()}/{ROUNDS}/{site(1)}?block=5", f"/round/{lineage_id()}/{2**70}",
     f"/checkpoint?block={2**70}"],
)  # fmt: skip
def test_what_is_not_there_is_said(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert 'role="alert"' in answer.text


def test_a_proof_that_the_chain_does_not_answer_for_is_no_file(client: TestClient, network: MadeUpNetwork) -> None:
    head = network.events[-1].position.block_number
    answer = client.get(f"/proof/model/{network.head}?block={head}")
    assert answer.status_code == 503
    assert "No answer from the RPC endpoint" in text_of(answer)
    beyond = client.get("/checkpoint?block=999999")
    assert beyond.status_code == 503
    assert "has no block 999999" in text_of(beyond)


def test_a_way_too_long_for_a_browser_is_refused(client: TestClient, network: MadeUpNetwork) -> None:
    answer = client.get(f"/proof/tx/{network.events[0].position.tx_hash}?block=9000000")
    assert answer.status_code == 404
    assert "fedrx audit prove" in answer.text


@pytest.mark.parametrize("host", ["explorer.example", "127.0.0.1.example", "192.168.1.20", "0.0.0.0", ""])
def test_another_name_than_this_machines_is_refused(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1:8450", "localhost:8450", "[::1]:8450", "LOCALHOST"])
def test_this_machine_is_answered(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 200


def test_the_explorer_only_shows(client: TestClient) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert client.request(method, "/").status_code == 405
    assert client.head("/").status_code == 200


def test_another_page_cannot_make_the_browser_ask(client: TestClient) -> None:
    for where in ("cross-site", "same-site"):
        headers = {"sec-fetch-site": where, "sec-fetch-mode": "no-cors"}
        assert client.get("/", headers=headers).status_code == 403
    assert client.get("/", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}).status_code == 200
    assert client.get("/", headers={"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}).status_code == 200


def test_no_screen_has_a_script_or_takes_anything_from_elsewhere(client: TestClient, network: MadeUpNetwork) -> None:
    for path in ("/", f"/model/{network.head}", "/nowhere", "/static/explorer.css"):
        answer = client.get(path)
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "script-src" not in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "<script" not in answer.text
        assert "style=" not in answer.text
        assert "http" not in answer.text.replace("http://127.0.0.1:1", "")


def test_a_name_is_text_and_never_markup(network: MadeUpNetwork, tmp_path: Path) -> None:
    class Odd(Names):
        def label(self, identifier: bytes) -> str:
            return f"<b onclick=x>{identifier.hex()[:4]}'\""

    client = TestClient(app_of(chronicle_of(ToldChain(network.events), tmp_path), Odd()), base_url="http://127.0.0.1")
    for path in ("/", f"/round/{lineage_id()}/1", f"/site/{site(1)}", f"/model/{network.head}",
                 f"/consent/{digest('root', 1, 1)}", f"/tx/{network.events[-1].position.tx_hash}"):  # fmt: skip
        answer = client.get(path)
        assert "&lt;b onclick" in answer.text
        assert "<b onclick" not in answer.text


def test_logs_that_break_a_rule_are_an_alarm_on_every_screen(
    client: TestClient, network: MadeUpNetwork, tmp_path: Path
) -> None:
    events = [e for e in network.events if e.event != ev.AggregatorSetChanged(1, 1, (AGGREGATOR,))]
    alarmed = TestClient(app_of(chronicle_of(ToldChain(events), tmp_path), network.names), base_url="http://127.0.0.1")
    tx = f"/tx/{network.events[-1].position.tx_hash}"
    for path in ("/", f"/round/{lineage_id()}/1", f"/site/{site(1)}", f"/model/{network.head}",
                 f"/consent/{digest('root', 1, 1)}", tx, "/nowhere"):  # fmt: skip
        said = text_of(alarmed.get(path))
        assert "These event logs break the contract's rules" in said, path
        assert "Lineage last-conv: a key was announced for round 1 by an aggregator outside of the set" in said
        assert re.search(r"And \d+ more", said)
        assert "break the contract's rules" not in client.get(path).text


def test_a_chain_without_a_lineage_has_a_screen(tmp_path: Path) -> None:
    network = MadeUpNetwork(1, 1)
    bare = [e for e in network.events if not hasattr(e.event, "lineage_id")]
    client = TestClient(app_of(chronicle_of(ToldChain(bare), tmp_path), network.names), base_url="http://127.0.0.1")
    assert "No lineage yet" in text_of(client.get("/"))


def test_a_chart_of_nothing_is_none_and_of_zeros_has_an_axis() -> None:
    assert bar_chart("empty", []) == ""
    drawn = bar_chart("zeros", [Bar(1, "/", "says", (Part("gas", 0),))])
    assert 'class="gas"' not in drawn
    assert ">1<" in drawn
