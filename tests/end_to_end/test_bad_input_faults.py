"""Faults around a command: a full disk, an interruption, another chain, no IPFS, a wrong clock. Nothing is lost."""

from __future__ import annotations

import json
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from gateways.embedded_kubo.repository import write_swarm_key
from protocol.deployment import encode_deployment
from protocol.identifiers import AccountAddress
from tests.end_to_end.bad_input import (
    ENVIRONMENT,
    NOWHERE,
    Refusal,
    SiteFolder,
    check_all_refused,
    check_refused,
    command,
    draw_page,
    fedrx,
    fedrx_anew,
    write_passphrase,
)
from tests.fixtures_chain import ContractWorld

pytestmark = pytest.mark.slow
WORDS_A_PAGE = 3


@pytest.fixture
def site(tmp_path: Path) -> SiteFolder:
    return SiteFolder.make(tmp_path / "site")


@pytest.fixture
def pages(tmp_path: Path) -> list[Path]:
    names = ("Amoxil", "Prilosec", "Lasix")
    (tmp_path / "pages").mkdir()
    return [
        draw_page(tmp_path / "pages" / f"{number}.png", *(f"Tab. {name} {number + 1}00 mg 1+0+1" for name in names))
        for number in range(4)
    ]


def words_of(site: SiteFolder) -> list[str]:
    done = site.run("review", "list", "--json")
    assert done.returncode == 0, done.stderr
    return [row["word"] for row in json.loads(done.stdout)]


def check_import_completes(site: SiteFolder, pages: list[Path], kept: list[str]) -> None:
    """The same command goes on from where it was: what was stored is still there, and nothing comes twice."""
    done = site.run("import", *pages, "--patient", "P001")
    assert done.returncode == 0, done.stderr
    words = words_of(site)
    assert set(kept) <= set(words)
    assert len(words) == len(set(words)) == WORDS_A_PAGE * len(pages)
    assert len(list((site.folder / "originals").iterdir())) == len(pages)


def test_an_import_that_fills_the_disk_goes_on_when_there_is_space(site: SiteFolder, pages: list[Path]) -> None:
    """The limit on a file's size stands for the disk: mounting a small one would take the superuser."""
    before = {page: page.read_bytes() for page in pages}

    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    check_refused(fedrx_anew(*site.node("import", *pages, "--patient", "P001"), before=lower), 10, "store.sqlite")
    assert {page: page.read_bytes() for page in pages} == before
    check_import_completes(site, pages, words_of(site))


def test_a_keystore_that_cannot_be_written_stays_as_it_was(tmp_path: Path) -> None:
    passphrase = write_passphrase(tmp_path / "passphrase", b"open sesame")
    keygen = ("audit", "keygen", "--out", tmp_path / "auditor", "--passphrase-file", passphrase)
    assert fedrx(*keygen).returncode == 0
    before = {path: path.read_bytes() for path in (tmp_path / "auditor").iterdir()}

    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    check_refused(fedrx_anew(*keygen, before=lower), 10, "the disk is full at")
    assert {path: path.read_bytes() for path in (tmp_path / "auditor").iterdir()} == before


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_an_import_that_is_stopped_goes_on(
    site: SiteFolder, pages: list[Path], number: signal.Signals, exit_code: int
) -> None:
    running = subprocess.Popen(
        command(*site.node("import", *pages, "--patient", "P001")),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert running.stderr is not None
    assert any("intake.file" in line for line in iter(running.stderr.readline, ""))
    running.send_signal(number)
    _, said = running.communicate(timeout=60)
    assert running.returncode == exit_code, said
    assert "Traceback" not in said
    assert ("stopped by Ctrl-C" in said) is (number == signal.SIGINT)
    kept = words_of(site)
    assert 0 < len(kept) < WORDS_A_PAGE * len(pages)
    check_import_completes(site, pages, kept)


@pytest.mark.parametrize("redirection", ["| head -c 1", "| true", ">&-", "2>&-"])
def test_a_reader_that_goes_away_is_no_crash(site: SiteFolder, redirection: str) -> None:
    line = f"{' '.join(command(*site.node('sent')))} {redirection}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_output_that_cannot_be_written_is_said(site: SiteFolder) -> None:
    line = f"{' '.join(command(*site.node('sent')))} > /dev/full"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False, env=ENVIRONMENT)
    check_refused(done, 10, "the disk is full")


def test_a_clock_that_is_years_off_stops_no_work_at_the_site(site: SiteFolder, pages: list[Path]) -> None:
    for offset in (-40, 40):
        far = site.copy(f"years{offset}")
        done = run_with_clock(offset, *far.node("import", pages[0], "--patient", "P001"))
        assert done.returncode == 0, done.stderr
        grant = ("consent", "grant", "P001", "--witness", "nurse", "--asked-by", "Dr Khan")
        assert run_with_clock(offset, *far.node(*grant)).returncode == 0
        listed = far.run("consent", "list", "--json")
        assert listed.returncode == 0, listed.stderr
        assert len(words_of(far)) == WORDS_A_PAGE


def run_with_clock(years: int, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """The command line in a process whose clock is off."""
    code = (
        f"import sys, time; true = time.time; time.time = lambda: true() + {years} * 31_557_600\n"
        f"sys.argv = ['fedrx', *sys.argv[1:]]\nfrom fedrx.main import main; main()"
    )
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        capture_output=True, text=True, check=False, env=ENVIRONMENT, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@contextmanager
def web_page() -> Iterator[str]:
    """An endpoint that answers everything with a page for people."""

    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the chain and IPFS are both asked by POST
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<html><body>Welcome to nginx!</body></html>")

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.chain
def test_another_chain_no_contract_and_no_ipfs_are_told_apart(site: SiteFolder, contract: ContractWorld) -> None:
    site.change(NOWHERE, contract.chain.url)
    deployment = contract.deployment

    def deployed(name: str, **changed: object) -> SiteFolder:
        made = site.copy(name)
        made.deployment.write_bytes(encode_deployment(replace(deployment, **changed)))  # type: ignore[arg-type] - by name
        return made

    def with_ipfs(name: str, line: str) -> list[str | Path]:
        made = deployed(name)
        write_swarm_key(made.folder / "swarm.key")
        made.config.write_text(f"{made.config.read_text()}[ipfs]\n{line}\n")
        return made.node("run")

    elsewhere = deployed("elsewhere", contract_address=AccountAddress(b"\x42" * 20))
    with web_page() as page, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        check_all_refused(
            [
                Refusal(deployed("chain", chain_id=5).node("status"), 4, "its chain id is"),
                Refusal(elsewhere.node("status"), 4, "no contract is at"),
                Refusal(deployed("page").change(contract.chain.url, page).node("status"), 4, "RPC endpoint"),
            ]
        )
        check_refused(fedrx(*with_ipfs("no-ipfs", f'url = "{NOWHERE}"')), 5, "the IPFS endpoint")
        check_refused(fedrx(*with_ipfs("ipfs-page", f'url = "{page}"')), 5, "the IPFS endpoint")
        check_refused(fedrx(*with_ipfs("scheme", 'url = "ftp://127.0.0.1"')), 2, "the IPFS URL")
        check_refused(fedrx(*with_ipfs("port", f"rpc_port = {port}")), 5, str(port))
    assert deployed("right").run("status").returncode == 0


def test_a_bad_word_to_the_aggregator_leaves_no_settings_behind(tmp_path: Path) -> None:
    passphrase = write_passphrase(tmp_path / "passphrase", b"open sesame")
    config = tmp_path / "aggregator.toml"
    init = ["aggregator", "init", "--config", config, "--deployment", "none.json", "--ipfs-url", NOWHERE]
    init += ["--passphrase-file", passphrase, "--lineage", "letters:last-conv", "--aggregator"]
    check_refused(fedrx(*init, "North University"), 2, "aggregator string should match")
    assert not config.exists()
    assert fedrx(*init, "north").returncode == 0
    check_refused(fedrx("aggregator", "run", "--config", config), 2, "there is no deployment file")
    check_refused(fedrx("aggregator", "status", "--config", tmp_path / "none.toml"), 2, "there is no settings file")
    config.write_bytes(b"\xff")
    check_refused(fedrx(*init, "north"), 2, "exists with other settings")
