"""The auditor's commands with an index in PostgreSQL: a real chain, processes as an auditor starts them."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from protocol.deployment import encode_deployment
from tests.architecture.tree import ROOT
from tests.audit.index.postgresql_cluster import PostgreSQLCluster
from tests.contracts.setting import attest_call, set_up
from tests.fixtures_chain import ContractWorld

pytestmark = [pytest.mark.slow, pytest.mark.chain]

A_WHILE = 120.0


@dataclass(frozen=True)
class Auditor:
    chain: list[str]
    database: str
    url: str

    def start(self, *words: str) -> subprocess.Popen[str]:
        line = [sys.executable, "-m", "fedrx", "audit", *words, *self.chain]
        return subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *words: str) -> tuple[int, str, str]:
        process = self.start(*words)
        out, said = process.communicate(timeout=A_WHILE)
        return process.returncode, out, said


@pytest.fixture
def auditor(contract: ContractWorld, postgresql: PostgreSQLCluster, tmp_path: Path) -> Auditor:
    """One round of four sites, one of them refused."""
    network = set_up(contract, sites=4)
    network.closed_round()
    network.aggregators[0].ledger.send(attest_call(codes=b"\x00\x5a\x00\x00"))
    (tmp_path / "deployment.json").write_bytes(encode_deployment(contract.deployment))
    where = ["--deployment", str(tmp_path / "deployment.json"), "--rpc", contract.chain.url]
    database = postgresql.new_database()
    return Auditor(where, database, postgresql.url(database))


def test_two_commands_that_fill_one_index_at_once_show_the_chain(
    auditor: Auditor, postgresql: PostgreSQLCluster
) -> None:
    code, true, said = auditor.run("trail", "--json")
    assert code == 0, said
    both = [auditor.start("trail", "--json", "--index", auditor.url) for _ in range(2)]
    assert [process.communicate(timeout=A_WHILE)[0] for process in both] == [true, true]
    code, out, said = auditor.run("check-index", "--index", auditor.url)
    assert (code, out) == (0, f"the index holds the chain's {len(true.splitlines())} events\n"), said
    postgresql.execute("UPDATE events SET round = 2 WHERE kind = 'round-finalized'", auditor.database)
    code, _, said = auditor.run("check-index", "--index", auditor.url)
    assert code == 11
    assert "round-finalized" in said
    assert "another round" in said


def test_a_narrow_search_finds_the_same_with_and_without_an_index(auditor: Auditor) -> None:
    asked = ["trail", "--json", "--round", "1", "--kind", "update-registered", "--newest", "3"]
    code, true, said = auditor.run(*asked)
    assert code == 0, said
    assert len(true.splitlines()) == 3
    assert auditor.run(*asked, "--index", auditor.url)[1] == true
    again = json.loads(true.splitlines()[0])
    _, of_tx, _ = auditor.run("trail", "--json", "--tx", again["tx_hash"], "--index", auditor.url)
    assert [json.loads(line) for line in of_tx.splitlines()] == [again]


@contextmanager
def explorer(auditor: Auditor) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = auditor.start("explorer", "--port", str(port), "--index", auditor.url)
    patience = threading.Timer(A_WHILE, process.kill)
    patience.start()
    try:
        assert process.stderr is not None
        yield next((each for each in process.stderr if "the explorer is at" in each), "it never said").split()[-1]
    finally:
        process.terminate()
        process.communicate(timeout=A_WHILE)
        patience.cancel()
    assert process.returncode == 0


def page_once(client: httpx.Client, url: str, unwanted: str) -> str:
    """The page as soon as it answers and does not say this any more."""
    give_up = time.monotonic() + A_WHILE
    while time.monotonic() < give_up:
        answer = client.get(url)
        if answer.status_code == 200 and unwanted not in answer.text:
            return answer.text
    raise AssertionError(answer.text)


def test_the_explorer_keeps_what_it_learned_in_postgresql(auditor: Auditor, postgresql: PostgreSQLCluster) -> None:
    with explorer(auditor) as url, httpx.Client(transport=httpx.HTTPTransport(retries=20)) as client:
        page = page_once(client, url, "are known so far")
        postgresql.stop()
        refused = client.get(url)
        assert refused.status_code == 503
        assert "Does the server run?" in refused.text
        postgresql.start()
        assert page_once(client, url, "This may be old") == page
    with explorer(auditor) as url, httpx.Client(transport=httpx.HTTPTransport(retries=20)) as client:
        assert client.get(url).text == page
