"""gateways/block_store.py on the real embedded core, then against endpoints that lie, stall or are not there."""

from __future__ import annotations

import itertools
import json
import os
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gateways.block_store import KuboBlockStore
from gateways.kubo_endpoint import parse_endpoint
from gateways.kubo_process import free_loopback_port
from protocol.cid import cid_of_bytes
from protocol.errors import (
    BlockStoreUnavailableError,
    ConfigError,
    ContentMismatchError,
    ContentMissingError,
    ContentTooLargeError,
    StoreError,
)
from tests.fixtures_ipfs import IPFSSwarm
from tests.gateways.block_store_behavior import BlockStoreBehavior, random_file

Answer = Callable[[BaseHTTPRequestHandler, dict[str, str]], None]


@pytest.mark.ipfs
class TestKuboBlockStoreOnEmbeddedCores(BlockStoreBehavior):
    @pytest.fixture
    def here(self, ipfs_swarm: IPFSSwarm) -> KuboBlockStore:
        return ipfs_swarm.here_store

    @pytest.fixture
    def there(self, ipfs_swarm: IPFSSwarm) -> KuboBlockStore:
        return ipfs_swarm.there_store

    def test_the_identity_names_an_address_that_peers_see(self, ipfs_swarm: IPFSSwarm) -> None:
        identity = ipfs_swarm.here_store.identity()
        assert identity.addresses == ipfs_swarm.here.peer_addresses
        assert identity.agent_version.startswith("kubo/")
        assert ipfs_swarm.here.peer_addresses[0] in ipfs_swarm.there_store.peers()

    @pytest.mark.slow
    def test_fifty_mebibytes_cross_from_one_core_to_the_other(self, ipfs_swarm: IPFSSwarm, tmp_path: Path) -> None:
        path = random_file(tmp_path, 50 << 20)
        times = [time.perf_counter()]
        cid = ipfs_swarm.here_store.add(path)
        times.append(time.perf_counter())
        ipfs_swarm.here_store.fetch(cid, tmp_path / "local", max_bytes=50 << 20, timeout_seconds=120)
        times.append(time.perf_counter())
        ipfs_swarm.there_store.fetch(cid, tmp_path / "remote", max_bytes=50 << 20, timeout_seconds=120)
        times.append(time.perf_counter())
        assert (tmp_path / "remote").read_bytes() == path.read_bytes()
        speeds = [50 / (end - start) for start, end in itertools.pairwise(times)]
        print("add {:.0f}, fetch here {:.0f}, fetch there {:.0f} MiB/s".format(*speeds))


@contextmanager
def endpoint(answer: Answer) -> Iterator[KuboBlockStore]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if self.headers.get("Transfer-Encoding") == "chunked":
                while num_bytes := int(self.rfile.readline(), 16):
                    self.rfile.read(num_bytes + 2)
                self.rfile.readline()
            query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
            answer(self, query)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield KuboBlockStore(f"http://127.0.0.1:{server.server_address[1]}")
    finally:
        server.shutdown()
        server.server_close()


def reply(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def range_of(content: bytes, query: dict[str, str]) -> bytes:
    offset = int(query["offset"])
    return content[offset : offset + int(query["length"])]


def test_a_flipped_bit_in_what_the_endpoint_delivers_is_a_mismatch(tmp_path: Path) -> None:
    cid = cid_of_bytes(b"content")
    with (
        endpoint(lambda handler, query: reply(handler, range_of(b"contenu", query))) as store,
        pytest.raises(ContentMismatchError),
    ):
        store.fetch(cid, tmp_path / "out", max_bytes=100, timeout_seconds=5)
    assert list(tmp_path.iterdir()) == []


def test_ranges_that_come_back_short_are_put_together(tmp_path: Path) -> None:
    content = os.urandom(1000)
    with endpoint(lambda handler, query: reply(handler, range_of(content, query)[:300])) as store:
        store.fetch(cid_of_bytes(content), tmp_path / "out", max_bytes=5000, timeout_seconds=5)
    assert (tmp_path / "out").read_bytes() == content


def test_an_endpoint_that_ignores_the_range_and_never_ends_is_cut_off(tmp_path: Path) -> None:
    sent = 0

    def answer(handler: BaseHTTPRequestHandler, _query: dict[str, str]) -> None:
        nonlocal sent
        handler.send_response(200)
        handler.end_headers()
        while sent < 1 << 30:
            try:
                sent += handler.wfile.write(bytes(1 << 16))
            except OSError:
                return

    with endpoint(answer) as store, pytest.raises(ContentMismatchError):
        store.fetch(cid_of_bytes(b"x"), tmp_path / "out", max_bytes=1000, timeout_seconds=10)
    assert sent < 1 << 26


def test_the_length_limit_holds_while_content_of_unknown_length_streams(tmp_path: Path) -> None:
    asked: list[int] = []

    def answer(handler: BaseHTTPRequestHandler, query: dict[str, str]) -> None:
        asked.append(int(query["length"]))
        reply(handler, bytes(int(query["length"])))

    with endpoint(answer) as store, pytest.raises(ContentTooLargeError):
        store.fetch(cid_of_bytes(b"x"), tmp_path / "out", max_bytes=6 << 20, timeout_seconds=10)
    assert sum(asked) == (6 << 20) + 1


def test_a_short_answer_to_an_error_is_missing_content_and_another_status_is_no_kubo(tmp_path: Path) -> None:
    def fetch(status: int, body: bytes) -> None:
        with endpoint(lambda handler, _query: reply(handler, body, status)) as store:
            store.fetch(cid_of_bytes(b"x"), tmp_path / "out", max_bytes=10, timeout_seconds=5)

    with pytest.raises(ContentMissingError):
        fetch(500, b'{"Message": "context deadline exceeded"}')
    with pytest.raises(ContentMissingError):
        fetch(500, b"oops")
    with pytest.raises(BlockStoreUnavailableError):
        fetch(307, b"")


def test_an_endpoint_that_takes_the_request_and_says_nothing_delivers_nothing_in_time(tmp_path: Path) -> None:
    release = threading.Event()
    with endpoint(lambda _handler, _query: release.wait(30) and None) as store:
        started = time.monotonic()
        with pytest.raises(ContentMissingError):
            store.fetch(cid_of_bytes(b"x"), tmp_path / "out", max_bytes=10, timeout_seconds=0.2)
        assert time.monotonic() - started < 10
        release.set()


def trickling(handler: BaseHTTPRequestHandler, _query: dict[str, str]) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(60):
        try:
            handler.wfile.write(b" ")
            handler.wfile.flush()
        except OSError:
            return
        time.sleep(0.2)


def test_content_that_trickles_in_too_slowly_is_given_up(tmp_path: Path) -> None:
    with endpoint(trickling) as store:
        started = time.monotonic()
        with pytest.raises(ContentMissingError):
            store.fetch(cid_of_bytes(b"x"), tmp_path / "out", max_bytes=1000, timeout_seconds=0.3)
        assert time.monotonic() - started < 8


def test_any_answer_that_trickles_in_too_slowly_is_given_up() -> None:
    with endpoint(trickling) as store:
        started = time.monotonic()
        with pytest.raises(ContentMissingError):
            store.pin(cid_of_bytes(b"x"), timeout_seconds=0.3)
        assert time.monotonic() - started < 8


def test_an_answer_without_end_is_not_read_to_it() -> None:
    def endless(handler: BaseHTTPRequestHandler, _query: dict[str, str]) -> None:
        handler.send_response(200)
        handler.end_headers()
        with suppress(OSError):
            while True:
                handler.wfile.write(b" " * 65_536)

    with endpoint(endless) as store, pytest.raises(BlockStoreUnavailableError, match="something else than Kubo"):
        store.holds(cid_of_bytes(b"x"))


@pytest.mark.parametrize("text", ["QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH", "bafy", ""])
def test_an_endpoint_that_answers_an_add_with_another_cid_is_a_mismatch(tmp_path: Path, text: str) -> None:
    body = json.dumps({"Name": "x", "Hash": text, "Size": "7"}).encode()
    with endpoint(lambda handler, _query: reply(handler, body)) as store, pytest.raises(ContentMismatchError):
        store.add(random_file(tmp_path, 1000))


@pytest.mark.parametrize(("status", "body"), [(200, b"<html>a login page</html>"), (404, b"not here"), (200, b"{}")])
def test_an_endpoint_that_is_not_kubo_is_unavailable(status: int, body: bytes) -> None:
    with (
        endpoint(lambda handler, _query: reply(handler, body, status)) as store,
        pytest.raises(BlockStoreUnavailableError),
    ):
        store.identity()


def test_where_nothing_listens_the_store_is_unavailable(tmp_path: Path) -> None:
    store = KuboBlockStore(f"http://127.0.0.1:{free_loopback_port()}")
    cid = cid_of_bytes(b"x")
    path = random_file(tmp_path, 10)
    calls: list[Callable[[], object]] = [
        lambda: store.add(path),
        lambda: store.fetch(cid, tmp_path / "out", max_bytes=10, timeout_seconds=1),
        lambda: store.pin(cid, timeout_seconds=1),
        lambda: store.unpin(cid),
        lambda: store.holds(cid),
        store.peers,
        store.identity,
    ]
    for call in calls:
        with pytest.raises(BlockStoreUnavailableError, match="does not answer"):
            call()


def test_files_that_cannot_be_read_or_written_are_store_errors(tmp_path: Path) -> None:
    with endpoint(lambda handler, query: reply(handler, range_of(b"content", query))) as store:
        with pytest.raises(StoreError):
            store.add(tmp_path / "no-such-file")
        with pytest.raises(StoreError):
            store.fetch(cid_of_bytes(b"content"), tmp_path / "no" / "out", max_bytes=10, timeout_seconds=5)


def test_what_a_killed_fetch_left_behind_is_swept_and_a_running_one_is_not(tmp_path: Path) -> None:
    old, young = tmp_path / ".out.aaaa.partial", tmp_path / ".out.bbbb.partial"
    old.touch()
    young.touch()
    os.utime(old, (1, 1))
    with endpoint(lambda handler, query: reply(handler, range_of(b"content", query))) as store:
        store.fetch(cid_of_bytes(b"content"), tmp_path / "out", max_bytes=10, timeout_seconds=5)
    assert {path.name for path in tmp_path.iterdir()} == {"out", ".out.bbbb.partial"}


@pytest.mark.parametrize(
    ("url", "multiaddr"),
    [
        ("http://127.0.0.1:5001", "/ip4/127.0.0.1/tcp/5001/http"),
        ("http://[::1]:5001/", "/ip6/::1/tcp/5001/http"),
        ("https://ipfs.example", "/dns/ipfs.example/tcp/443/https"),
        ("/ip4/127.0.0.1/tcp/5001/http", "/ip4/127.0.0.1/tcp/5001/http"),
    ],
)
def test_urls_and_multiaddresses_name_an_endpoint(url: str, multiaddr: str) -> None:
    assert parse_endpoint(url).multiaddr == multiaddr
    assert parse_endpoint(multiaddr) == parse_endpoint(url)
    assert KuboBlockStore(url).url == url


@pytest.mark.parametrize(
    "url",
    ["", "127.0.0.1:5001", "ftp://x:1", "http://x:99999", "http://x:1/api", "http://u:p@x:1", "/ip4/1/tcp/1", "/junk"],
)
def test_what_names_no_endpoint_is_a_config_error(url: str) -> None:
    with pytest.raises(ConfigError):
        KuboBlockStore(url)
