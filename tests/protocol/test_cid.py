"""protocol/cid.py against vectors of a real Kubo core (docs/spec/cid.md), and against itself cut in other pieces."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.cid import CHUNK_BYTES, MAX_LINKS, CIDBuilder, cid_of_bytes, cid_of_file
from protocol.errors import MalformedError
from protocol.identifiers import CID
from tests.fixtures_ipfs import IPFSSwarm, ipfs_swarm

__all__ = ["ipfs_swarm"]

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "cid.json").read_text())["vectors"]


def counter_content(num_bytes: int) -> bytes:
    """The rule of the vectors: 64-bit big-endian 0, 1, 2, … one after the other, cut to length."""
    return np.arange(-(-num_bytes // 8), dtype=">u8").tobytes()[:num_bytes]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_the_cid_is_that_of_the_kubo_core(vector: dict[str, str | int]) -> None:
    assert str(cid_of_bytes(counter_content(int(vector["num_bytes"])))) == vector["cid"]
    assert cid_of_bytes(counter_content(int(vector["num_bytes"]))).hex() == vector["digest"]


@pytest.mark.ipfs
@pytest.mark.parametrize(
    "vector",
    [
        pytest.param(vector, id=vector["name"], marks=[pytest.mark.slow] if vector["num_bytes"] > 1 << 20 else [])
        for vector in VECTORS
    ],
)
def test_the_running_core_still_gives_the_vectors(
    ipfs_swarm: IPFSSwarm,
    tmp_path: Path,
    vector: dict[str, str | int],
) -> None:
    path = tmp_path / "content"
    path.write_bytes(counter_content(int(vector["num_bytes"])))
    cid = ipfs_swarm.here_store.add(path)
    assert str(cid) == vector["cid"]
    assert cid == cid_of_file(path)
    ipfs_swarm.here_store.unpin(cid)


@given(st.binary(max_size=3 * CHUNK_BYTES // 1000), st.lists(st.integers(0, 800), max_size=6))
def test_small_content_in_any_pieces_has_the_same_cid(data: bytes, cuts: list[int]) -> None:
    bounds = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    builder = CIDBuilder()
    for start, end in itertools.pairwise(bounds):
        builder.update(data[start:end])
    assert builder.finish() == cid_of_bytes(data)
    assert builder.num_bytes == len(data)


LARGE = counter_content(4 * CHUNK_BYTES + 99)


@given(st.lists(st.integers(0, len(LARGE)), max_size=8))
def test_content_of_several_chunks_in_any_pieces_has_the_same_cid(cuts: list[int]) -> None:
    view = memoryview(LARGE)
    builder = CIDBuilder()
    for start, end in itertools.pairwise([0, *sorted(cuts), len(LARGE)]):
        builder.update(view[start:end])
    assert builder.finish() == cid_of_bytes(LARGE)


def test_a_builder_goes_on_after_finish() -> None:
    builder = CIDBuilder()
    assert builder.finish() == cid_of_bytes(b"")
    builder.update(LARGE[:CHUNK_BYTES])
    assert builder.finish() == cid_of_bytes(LARGE[:CHUNK_BYTES])
    builder.update(LARGE[CHUNK_BYTES:])
    assert builder.finish() == builder.finish() == cid_of_bytes(LARGE)


def test_each_bit_of_content_counts() -> None:
    flipped = bytearray(LARGE)
    flipped[-1] ^= 1
    assert cid_of_bytes(flipped) != cid_of_bytes(LARGE)
    assert cid_of_bytes(LARGE + b"\0") != cid_of_bytes(LARGE)


def test_a_file_streams_to_the_same_cid(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(LARGE)
    assert cid_of_file(tmp_path / "file") == cid_of_bytes(LARGE)


def test_the_vectors_reach_both_sides_of_every_edge() -> None:
    lengths = {int(vector["num_bytes"]) for vector in VECTORS}
    for edge in (CHUNK_BYTES, MAX_LINKS * CHUNK_BYTES):
        assert {edge - 1, edge, edge + 1} <= lengths


def test_the_text_form_parses_back_and_another_form_is_malformed() -> None:
    cid = cid_of_bytes(b"hello world\n")
    assert str(cid) == "QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o"
    assert CID.from_text(str(cid)) == cid
    for text in (
        "",
        "Qm",
        "bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e",
        str(cid) + "1",
        str(cid)[:-1],
    ):
        with pytest.raises(MalformedError):
            CID.from_text(text)
