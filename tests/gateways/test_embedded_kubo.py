"""gateways/embedded_kubo: a real core in a process of its own, its life and its refusals."""

from __future__ import annotations

import http.client
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateways.block_store import KuboBlockStore
from gateways.block_store_choice import BlockStoreSource, LocalKuboOptions, resolve_block_store
from gateways.embedded_kubo.repository import read_swarm_key, write_swarm_key
from gateways.embedded_kubo.supervisor import EmbeddedKubo
from gateways.kubo_process import free_loopback_port
from protocol.cid import CHUNK_BYTES, cid_of_bytes
from protocol.errors import (
    BlockStoreError,
    BlockStoreUnavailableError,
    ConfigError,
    ContentMismatchError,
    ContentMissingError,
)
from protocol.identifiers import CID
from tests.fixtures_ipfs import IPFSSwarm, wait_until
from tests.gateways.block_store_behavior import random_file

pytestmark = pytest.mark.ipfs


@pytest.fixture
def swarm_key(tmp_path: Path) -> Path:
    write_swarm_key(tmp_path / "swarm.key")
    return tmp_path / "swarm.key"


@pytest.fixture
def core(tmp_path: Path, swarm_key: Path) -> Iterator[EmbeddedKubo]:
    with EmbeddedKubo(tmp_path / "repo", swarm_key) as kubo:
        yield kubo


def call(kubo: EmbeddedKubo, path: str, *, method: str = "POST", **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", int(kubo.rpc_url.rpartition(":")[2]), timeout=10)
    try:
        connection.request(method, f"/api/v0/{path}", headers=headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def damage_a_block(repo: Path) -> None:
    block = max((repo / "blocks").rglob("*.data"), key=lambda path: path.stat().st_size)
    content = bytearray(block.read_bytes())
    content[len(content) // 2] ^= 1
    block.chmod(0o644)
    block.write_bytes(content)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_a_swarm_key_is_private_parsed_back_and_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "swarm.key"
    write_swarm_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_swarm_key(path).startswith("/key/swarm/psk/1.0.0/\n/base16/\n")
    with pytest.raises(ConfigError, match="exists"):
        write_swarm_key(path)


@pytest.mark.parametrize("text", ["", "secret", "/key/swarm/psk/1.0.0/\n/base16/\nabcd\n"])
def test_what_is_no_swarm_key_is_a_config_error_before_anything_starts(tmp_path: Path, text: str) -> None:
    (tmp_path / "swarm.key").write_text(text)
    with pytest.raises(ConfigError):
        EmbeddedKubo(tmp_path / "repo", tmp_path / "swarm.key").start()
    assert not (tmp_path / "repo").exists()


def test_content_and_pins_survive_kill_9(tmp_path: Path, core: EmbeddedKubo) -> None:
    path = random_file(tmp_path, 3 * CHUNK_BYTES)
    store = KuboBlockStore(core.rpc_url)
    cid = store.add(path)
    peer_addresses = core.peer_addresses
    assert core.pid is not None
    os.kill(core.pid, signal.SIGKILL)
    wait_until(lambda: not alive(core.pid or 0))
    with pytest.raises(BlockStoreUnavailableError):
        store.holds(cid)
    core.start()
    assert core.peer_addresses == peer_addresses
    assert store.holds(cid)
    store.fetch(cid, tmp_path / "out", max_bytes=1 << 20, timeout_seconds=10)
    assert (tmp_path / "out").read_bytes() == path.read_bytes()


def test_a_core_with_another_swarm_key_cannot_connect(
    tmp_path: Path, ipfs_swarm: IPFSSwarm, core: EmbeddedKubo
) -> None:
    cid = ipfs_swarm.here_store.add(random_file(tmp_path, 1000))
    # Peers are dialled in order: once the second is connected, the first was tried.
    peers = (*ipfs_swarm.here.peer_addresses, *core.peer_addresses)
    with EmbeddedKubo(tmp_path / "stranger", tmp_path / "swarm.key", peers=peers) as other:
        stranger = KuboBlockStore(other.rpc_url)
        wait_until(lambda: bool(stranger.peers()))
        assert stranger.peers() == core.peer_addresses
        with pytest.raises(ContentMissingError):
            stranger.fetch(cid, tmp_path / "out", max_bytes=1 << 20, timeout_seconds=0.5)


def test_a_damaged_block_is_not_served_and_is_fetched_again_from_a_peer(
    tmp_path: Path, swarm_key: Path, core: EmbeddedKubo
) -> None:
    path = random_file(tmp_path, 2 * CHUNK_BYTES)
    store = KuboBlockStore(core.rpc_url)
    cid = store.add(path)
    core.stop()
    damage_a_block(tmp_path / "repo")
    core.start()
    with pytest.raises(ContentMissingError):
        store.fetch(cid, tmp_path / "out", max_bytes=1 << 20, timeout_seconds=0.5)
    with EmbeddedKubo(tmp_path / "peer", swarm_key, peers=core.peer_addresses) as peer:
        KuboBlockStore(peer.rpc_url).add(path)
        wait_until(lambda: bool(store.peers()))
        store.fetch(cid, tmp_path / "out", max_bytes=1 << 20, timeout_seconds=20)
    assert (tmp_path / "out").read_bytes() == path.read_bytes()


def test_a_flipped_bit_on_a_disk_that_the_core_does_not_check_is_found_by_the_gateway(
    tmp_path: Path, swarm_key: Path
) -> None:
    kubo = EmbeddedKubo(tmp_path / "repo", swarm_key, hash_on_read=False)
    with kubo:
        store = KuboBlockStore(kubo.rpc_url)
        cid = store.add(random_file(tmp_path, 2 * CHUNK_BYTES))
    damage_a_block(tmp_path / "repo")
    with kubo, pytest.raises(ContentMismatchError):
        store.fetch(cid, tmp_path / "out", max_bytes=1 << 20, timeout_seconds=10)
    assert not (tmp_path / "out").exists()


def test_fetches_that_nobody_waits_for_make_room_for_new_ones(tmp_path: Path, swarm_key: Path) -> None:
    with EmbeddedKubo(tmp_path / "repo", swarm_key, max_fetches=2) as kubo:
        store = KuboBlockStore(kubo.rpc_url)
        held = store.add(random_file(tmp_path, 1000))
        for _ in range(5):
            with pytest.raises(ContentMissingError):
                store.fetch(cid_of_bytes(os.urandom(8)), tmp_path / "out", max_bytes=10, timeout_seconds=0.2)
        assert store.holds(held)
        store.fetch(held, tmp_path / "out", max_bytes=1000, timeout_seconds=10)


def test_fetches_of_one_cid_are_one_fetch_and_content_that_comes_late_reaches_who_still_waits(
    tmp_path: Path, swarm_key: Path
) -> None:
    path = random_file(tmp_path, 1000)
    cid = cid_of_bytes(path.read_bytes())
    lengths: list[int] = []

    def fetch(store: KuboBlockStore, index: int) -> None:
        lengths.append(store.fetch(cid, tmp_path / f"out-{index}", max_bytes=1000, timeout_seconds=20))

    with EmbeddedKubo(tmp_path / "repo", swarm_key, max_fetches=1) as kubo:
        store = KuboBlockStore(kubo.rpc_url)
        threads = [threading.Thread(target=fetch, args=(store, index)) for index in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        assert store.add(path) == cid
        for thread in threads:
            thread.join(25)
    assert lengths == [1000, 1000, 1000]


def test_when_every_place_is_waited_for_the_next_fetch_is_refused(tmp_path: Path, swarm_key: Path) -> None:
    with EmbeddedKubo(tmp_path / "repo", swarm_key, max_fetches=1) as kubo:
        missing = cid_of_bytes(os.urandom(8))
        waiting = threading.Thread(target=call, args=(kubo, f"cat?arg={missing}&timeout=3s"))
        waiting.start()
        time.sleep(0.3)
        status, body = call(kubo, f"cat?arg={cid_of_bytes(os.urandom(8))}&timeout=3s")
        waiting.join()
    assert (status, json.loads(body)["Message"]) == (500, "1 fetches are under way; try again later")


def test_content_longer_than_the_core_allows_ends_its_download(tmp_path: Path, swarm_key: Path) -> None:
    with (
        EmbeddedKubo(tmp_path / "here", swarm_key) as here,
        EmbeddedKubo(tmp_path / "there", swarm_key, peers=here.peer_addresses, max_content_bytes=1 << 20) as there,
    ):
        cid = KuboBlockStore(here.rpc_url).add(random_file(tmp_path, 3 << 20))
        store = KuboBlockStore(there.rpc_url)
        with pytest.raises(ContentMissingError):
            store.fetch(cid, tmp_path / "out", max_bytes=10 << 20, timeout_seconds=20)
        with pytest.raises(BlockStoreError, match="longer than"):
            store.add(random_file(tmp_path, (1 << 20) + 1))
        assert store.add(random_file(tmp_path, 1000))


@pytest.mark.parametrize(
    ("path", "method", "headers", "status", "message"),
    [
        ("id", "GET", {}, 405, "Method Not Allowed"),
        ("id", "POST", {"Origin": "http://evil.example"}, 403, "web pages"),
        ("id", "POST", {"Referer": "http://evil.example/x"}, 403, "web pages"),
        ("id", "POST", {"Host": "evil.example"}, 400, "Invalid host"),
        ("shutdown", "POST", {}, 404, "Not Found"),
        ("cat?arg=../../etc/passwd", "POST", {}, 500, "is not a CIDv0"),
        ("cat?arg={cid}&offset=-1", "POST", {}, 500, "offset is not a whole number"),
        ("cat?arg={cid}&timeout=soon", "POST", {}, 500, "is not a duration"),
        ("pin/rm?arg={cid}", "POST", {}, 500, "not pinned"),
        ("pin/ls?arg={cid}", "POST", {}, 500, "is not pinned"),
        ("add?cid-version=1", "POST", {}, 500, "cid-version must be 0"),
        ("add", "POST", {}, 500, "not multipart/form-data"),
    ],
)
def test_requests_that_are_refused(
    ipfs_swarm: IPFSSwarm, path: str, method: str, headers: dict[str, str], status: int, message: str
) -> None:
    answered, body = call(ipfs_swarm.here, path.format(cid=cid_of_bytes(b"nobody has this")), method=method, **headers)
    assert answered == status
    assert message in body.decode()


def test_an_upload_that_is_cut_short_is_not_added(ipfs_swarm: IPFSSwarm, tmp_path: Path) -> None:
    port = int(ipfs_swarm.here.rpc_url.rpartition(":")[2])
    body = b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nhalf of the cont'
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", "/api/v0/add", body, {"Content-Type": "multipart/form-data; boundary=b"})
    response = connection.getresponse()
    assert (response.status, json.loads(response.read())["Message"]) == (
        500,
        "the body does not hold exactly one complete file",
    )
    connection.close()


def test_the_whole_content_comes_without_a_range_and_nothing_past_its_end(
    ipfs_swarm: IPFSSwarm, tmp_path: Path
) -> None:
    path = random_file(tmp_path, (1 << 20) + 5)
    cid = ipfs_swarm.here_store.add(path)
    assert call(ipfs_swarm.here, f"cat?arg=/ipfs/{cid}") == (200, path.read_bytes())
    assert call(ipfs_swarm.here, f"cat?arg={cid}&offset=1048580") == (200, path.read_bytes()[-1:])
    assert call(ipfs_swarm.here, f"cat?arg={cid}&offset=9999999&length=5") == (200, b"")


def test_a_second_core_in_the_same_repository_does_not_start(
    tmp_path: Path, swarm_key: Path, core: EmbeddedKubo
) -> None:
    with pytest.raises(BlockStoreUnavailableError, match="another process may run in this repository"):
        EmbeddedKubo(tmp_path / "repo", swarm_key).start()
    assert KuboBlockStore(core.rpc_url).identity()


def test_a_core_on_a_port_that_is_taken_does_not_start(tmp_path: Path, swarm_key: Path, core: EmbeddedKubo) -> None:
    port = int(core.rpc_url.rpartition(":")[2])
    with pytest.raises(BlockStoreUnavailableError, match="another IPFS process answers"):
        EmbeddedKubo(tmp_path / "other", swarm_key, rpc_port=port).start()


def test_the_core_ends_when_the_process_that_started_it_is_killed(tmp_path: Path, swarm_key: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path\n"
        "from gateways.embedded_kubo.supervisor import EmbeddedKubo\n"
        f"kubo = EmbeddedKubo(Path({str(tmp_path / 'repo')!r}), Path({str(swarm_key)!r}))\n"
        "kubo.start(); print('core', kubo.pid, flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        line = next(line for line in parent.stdout if line.startswith("core "))
        core_pid = int(line.split()[1])
        assert alive(core_pid)
        parent.kill()
    wait_until(lambda: not alive(core_pid))


def test_stopping_while_a_fetch_is_blocked_leaves_no_process(tmp_path: Path, swarm_key: Path) -> None:
    kubo = EmbeddedKubo(tmp_path / "repo", swarm_key)
    kubo.start()
    pid = kubo.pid
    assert pid is not None
    with pytest.raises(ContentMissingError):
        KuboBlockStore(kubo.rpc_url).pin(CID(os.urandom(32)), timeout_seconds=0.2)
    kubo.stop()
    assert not alive(pid)
    kubo.stop()


def test_the_configured_url_wins_over_everything(tmp_path: Path, ipfs_swarm: IPFSSwarm) -> None:
    local = LocalKuboOptions(tmp_path / "ipfs", tmp_path / "no-such-key")
    with resolve_block_store(ipfs_swarm.here.rpc_url, local) as resolved:
        assert resolved.source is BlockStoreSource.CONFIGURED
        assert resolved.store.identity().addresses == ipfs_swarm.here.peer_addresses
    assert ipfs_swarm.here_store.identity()


def test_a_configured_url_where_nothing_answers_is_an_error_and_nothing_else_starts(tmp_path: Path) -> None:
    with pytest.raises(BlockStoreUnavailableError):
        resolve_block_store(
            f"http://127.0.0.1:{free_loopback_port()}", LocalKuboOptions(tmp_path / "ipfs", tmp_path / "swarm.key")
        )
    assert not (tmp_path / "ipfs").exists()


def test_without_url_and_ipfs_program_the_embedded_core_runs(tmp_path: Path, swarm_key: Path) -> None:
    with resolve_block_store(None, LocalKuboOptions(tmp_path / "ipfs", swarm_key), search_path="/nowhere") as resolved:
        assert resolved.source is BlockStoreSource.EMBEDDED
        assert resolved.store.identity().agent_version.endswith("embedded")
    with pytest.raises(BlockStoreUnavailableError):
        resolved.store.identity()


STAND_IN_FOR_IPFS = """#!{python}
# Takes `init` and `daemon` as the ipfs program does, with the embedded core inside.
import json, os, sys
from pathlib import Path
sys.path.insert(0, {project!r})
repo = Path(os.environ["IPFS_PATH"])
if sys.argv[1] == "init":
    os.chdir(repo.parent)  # libkubo writes kubo.log into the working directory
    from gateways.embedded_kubo.core import KuboCore
    core = KuboCore(repo)
    core._library.CreateRepo(core._text(repo))
    os._exit(0)
config = json.loads((repo / "config").read_text())
assert config["AutoConf"] == {{"Enabled": False}} and config["Bootstrap"] == []
port, swarm_port = (str(a).split("/")[4] for a in (config["Addresses"]["API"], config["Addresses"]["Swarm"][0]))
os.chdir({project!r})
os.execv({python!r}, [{python!r}, "-m", "gateways.embedded_kubo", "--repo", str(repo), "--port", port,
         "--swarm-port", swarm_port, "--swarm-key", str(repo / "swarm.key")])
"""


def test_an_ipfs_program_on_the_path_is_initialised_made_private_and_run(tmp_path: Path, swarm_key: Path) -> None:
    program = tmp_path / "bin" / "ipfs"
    program.parent.mkdir()
    project = str(Path(__file__).parents[2])
    program.write_text(STAND_IN_FOR_IPFS.format(python=sys.executable, project=project))
    program.chmod(0o755)
    options = LocalKuboOptions(tmp_path / "ipfs", swarm_key)
    with resolve_block_store(None, options, search_path=str(program.parent)) as resolved:
        assert resolved.source is BlockStoreSource.STOCK
        path = random_file(tmp_path, 1000)
        cid = resolved.store.add(path)
    with resolve_block_store(None, options, search_path=str(program.parent)) as resolved:
        assert resolved.store.holds(cid)
    with pytest.raises(BlockStoreUnavailableError):
        resolved.store.identity()
