"""The file around a bundle's members: any tar reader opens it, and each byte of it follows from what is in it."""

from __future__ import annotations

import dataclasses
import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.bundle.checking import verify_bundle
from audit.bundle.container import MANIFEST_NAME, Container, begins_like_a_bundle, header_of, write_container
from audit.bundle.manifest import CHAIN_NAMES, MAX_MEMBER_BYTES, Manifest, encode_manifest, parse_manifest
from audit.proofs.checkpoint import Checkpoint
from audit.replay import ReplayOptions
from protocol.cid import cid_of_bytes
from protocol.errors import AuditError, ConfigError, MalformedError
from protocol.identifiers import AccountAddress, BlockHash, RoundId, lineage_id_of
from tests.audit.bundle.stage import members_of

END = Checkpoint(31337, AccountAddress(b"\xc0" * 20), 9, BlockHash(b"\x02" * 32))
ROUND = RoundId(lineage_id_of("tests"), 1)


def written(contents: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    write_container(out, Manifest(END, ROUND, 2, members_of(contents)), (iter([c]) for c in contents.values()))
    return out.getvalue()


def contents_of(chain: list[bytes], others: list[bytes]) -> dict[str, bytes]:
    named = {f"content/{cid_of_bytes(content)}": content for content in others}
    return dict(zip(CHAIN_NAMES, chain, strict=True)) | named


CONTENTS = st.builds(
    contents_of, st.lists(st.binary(max_size=1200), min_size=3, max_size=3), st.lists(st.binary(max_size=1200))
)
SAMPLE = contents_of([b"{}", b"h" * 512, b"r" * 513], [b"", b"plan"])
in_a_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@in_a_folder
@given(contents=CONTENTS)
def test_members_come_back_as_they_were_written(contents: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    path.write_bytes(written(contents))
    assert begins_like_a_bundle(path)
    with Container(path) as container:
        assert [member.name for member in container.manifest.members] == list(contents)
        assert {name: b"".join(container.pieces(name)) for name in contents} == contents


@given(contents=CONTENTS)
def test_any_reader_of_tar_archives_opens_it(contents: dict[str, bytes]) -> None:
    with tarfile.open(fileobj=io.BytesIO(written(contents))) as archive:
        assert archive.getnames() == [MANIFEST_NAME, *contents]
        for name, content in contents.items():
            stream = archive.extractfile(name)
            assert stream is not None
            assert stream.read() == content


@in_a_folder
@given(data=st.data())
def test_no_flipped_bit_around_the_manifest_goes_through(data: st.DataObject, tmp_path: Path) -> None:
    """What the manifest itself says is held against the chain (test_bundle_vectors)."""
    honest = written(SAMPLE)
    behind = 512 + len(encode_manifest(Manifest(END, ROUND, 2, members_of(SAMPLE))))
    place = data.draw(st.integers(0, 8 * 512 - 1) | st.integers(8 * behind, 8 * len(honest) - 1))
    false = bytearray(honest)
    false[place // 8] ^= 1 << place % 8
    assert refusal(bytes(false), tmp_path) in {"container", "members"}


@in_a_folder
@given(length=st.integers(0, len(written(SAMPLE)) - 1))
def test_no_truncated_file_goes_through(length: int, tmp_path: Path) -> None:
    assert refusal(written(SAMPLE)[:length], tmp_path) == "container"


@in_a_folder
@given(tail=st.binary(min_size=1, max_size=1024))
def test_nothing_may_follow(tail: bytes, tmp_path: Path) -> None:
    assert refusal(written(SAMPLE) + tail, tmp_path) == "container"


@in_a_folder
@given(st.binary(max_size=2000))
def test_bytes_that_are_no_bundle_are_refused(tmp_path: Path, data: bytes) -> None:
    assert refusal(data, tmp_path) == "container"


def refusal(data: bytes, folder: Path) -> str:
    path = folder / "false"
    path.write_bytes(data)
    with pytest.raises(AuditError) as caught:
        verify_bundle(path, END, ReplayOptions())
    return caught.value.what.partition("at the step ")[2].partition(":")[0]


def test_a_header_has_512_bytes_that_follow_from_name_and_length() -> None:
    header = header_of("headers", MAX_MEMBER_BYTES)
    assert len(header) == 512
    assert tarfile.TarInfo.frombuf(header, "ascii", "strict").size == MAX_MEMBER_BYTES


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"fedrx-bundle/1"', b'"fedrx-bundle/2"'),
        (b'"first_round":1', b'"first_round":0'),
        (b'"last_round":2', b'"last_round":0'),
        (b'"name":"headers"', b'"name":"../../x"'),
        (b'"name":"receipts"', b'"name":"receipt"'),
        (b'"name":"content/', b'"name":"/content'),
        (b"0xc0c0", b"0xC0C0"),
        (b'"num_bytes":512', b'"num_bytes":8589934592'),
        (b'"num_bytes":512', b'"num_bytes":-1'),
        (b'{"block_hash"', b'{"a":1,"block_hash"'),
        (b'{"block_hash"', b'{ "block_hash"'),
    ],
)
def test_a_manifest_has_one_spelling(old: bytes, new: bytes) -> None:
    manifest = Manifest(END, ROUND, 2, members_of(SAMPLE))
    data = encode_manifest(manifest)
    assert parse_manifest(data) == manifest
    assert old in data
    with pytest.raises(MalformedError):
        parse_manifest(data.replace(old, new, 1))


def test_a_manifest_lists_each_member_once() -> None:
    members = members_of(SAMPLE)
    twice = Manifest(END, ROUND, 2, (*members, members[-1]))
    with pytest.raises(MalformedError, match="twice"):
        parse_manifest(encode_manifest(twice))


def test_a_name_that_does_not_fit_a_header_is_refused(tmp_path: Path) -> None:
    members = members_of(SAMPLE)
    for name in ("content/" + "x" * 100, "content/é"):
        head = encode_manifest(Manifest(END, ROUND, 2, (*members, dataclasses.replace(members[-1], name=name))))
        assert refusal(header_of(MANIFEST_NAME, len(head)) + head, tmp_path) == "container"


def test_a_file_that_is_not_there_is_the_operators_mistake(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            begins_like_a_bundle(path)


@pytest.mark.parametrize("lacking", [1534, 1600, 2000])
def test_a_file_that_was_cut_short_is_said_to_be(tmp_path: Path, lacking: int) -> None:
    path = tmp_path / "bundle"
    path.write_bytes(written(SAMPLE)[:-lacking])
    with pytest.raises(AuditError, match=r"it ends before content/\w+ does: it was cut short"), Container(path):
        pass
