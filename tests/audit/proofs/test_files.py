"""Files that an auditor is handed: one that is of another kind is named, and so is who writes the right one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from audit.names import Names
from audit.proofs.checkpoint import encode_checkpoint, last_block, read_checkpoint
from audit.proofs.cosigners import read_cosigners
from audit.site_command import read_audit_key, read_sample_proof
from protocol.checkpoint import Checkpoint
from protocol.errors import ConfigError, MalformedError
from protocol.identifiers import AccountAddress, BlockHash
from tests.audit.auditor_app import app

BLOCK = Checkpoint(31337, AccountAddress(b"\x0a" * 20), 50, BlockHash(b"\x01" * 32))


@dataclass
class OneBlock:
    """A ledger that holds the one block."""

    identity: Checkpoint = BLOCK

    def block_hash(self, number: int) -> BlockHash | None:
        return BLOCK.block_hash if number == BLOCK.number else None


@pytest.mark.parametrize("read", [read_checkpoint, read_cosigners, read_sample_proof, read_audit_key])
def test_a_file_of_another_kind_is_named(tmp_path: Path, read: Callable[[Path], object]) -> None:
    path = tmp_path / "another"
    path.write_bytes(b"{}")
    with pytest.raises(MalformedError, match="another: ") as raised:
        read(path)
    assert raised.value.hint


@pytest.mark.parametrize(
    "other",
    [
        replace(BLOCK, chain_id=1),
        replace(BLOCK, contract_address=AccountAddress(b"\x0b" * 20)),
        replace(BLOCK, block_hash=BlockHash(b"\x02" * 32)),
        replace(BLOCK, number=51),
    ],
)
def test_nothing_is_proven_up_to_another_networks_checkpoint(tmp_path: Path, other: Checkpoint) -> None:
    path = tmp_path / "mark"
    path.write_bytes(encode_checkpoint(other))
    with pytest.raises(ConfigError, match="not on this chain"):
        last_block(OneBlock(), path)  # type: ignore[arg-type]
    path.write_bytes(encode_checkpoint(BLOCK))
    assert last_block(OneBlock(), path) == BLOCK  # type: ignore[arg-type]


def test_a_key_that_opens_nothing_is_not_taken_in_silence(tmp_path: Path) -> None:
    mark, proof = tmp_path / "mark", tmp_path / "proof"
    mark.write_bytes(encode_checkpoint(BLOCK))
    proof.write_text(json.dumps({}), encoding="utf-8")
    asked = ["verify", str(proof), "--checkpoint", str(mark)]
    refused = CliRunner().invoke(app, [*asked, "--auditor-key", str(tmp_path / "keystore")]).exception
    assert isinstance(refused, ConfigError)
    assert "only a bundle is opened" in str(refused)


@pytest.mark.parametrize(
    "slug", ["dhaka\x1b[2J", "dhaka\u202e", "dhaka\u200b", "dh\u0430ka", "two\nlines", "", "a" * 65]
)
def test_a_slug_that_a_terminal_would_obey_or_a_reader_mistake_is_refused(slug: str) -> None:
    with pytest.raises(ConfigError, match="is no slug") as refused:
        Names([slug])
    assert str(refused.value).isprintable()
