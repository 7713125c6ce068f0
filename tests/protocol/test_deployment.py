"""docs/spec/deployment.md: the deployment file has one spelling, and nothing else parses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.deployment import Deployment, Predecessor, encode_deployment, parse_deployment
from protocol.errors import MalformedError
from protocol.identifiers import AccountAddress, BlockHash, Digest

ACCOUNTS = st.binary(min_size=20, max_size=20).map(AccountAddress)
INTEGERS = st.integers(1, 2**53 - 1)
HASHES = st.binary(min_size=32, max_size=32).map(BlockHash)
DIGESTS = st.binary(min_size=32, max_size=32).map(Digest)
DEPLOYMENTS = st.builds(
    Deployment,
    chain_id=INTEGERS,
    contract_address=ACCOUNTS,
    genesis_block_hash=HASHES,
    deployment_block_number=INTEGERS,
    deployment_block_hash=HASHES,
    compiler=st.just("0.8.37"),
    creation_code_digest=DIGESTS,
    runtime_code_digest=DIGESTS,
    governor=ACCOUNTS,
    predecessor=st.none() | st.builds(Predecessor, INTEGERS, ACCOUNTS),
)
EXAMPLE = Deployment(
    chain_id=31337,
    contract_address=AccountAddress(b"\xab" * 20),
    genesis_block_hash=BlockHash(b"\x01" * 32),
    deployment_block_number=1,
    deployment_block_hash=BlockHash(b"\x02" * 32),
    compiler="0.8.37",
    creation_code_digest=Digest(b"\x03" * 32),
    runtime_code_digest=Digest(b"\x04" * 32),
    governor=AccountAddress(b"\x05" * 20),
    predecessor=None,
)


@given(DEPLOYMENTS)
def test_a_deployment_comes_back_from_its_bytes(deployment: Deployment) -> None:
    assert parse_deployment(encode_deployment(deployment)) == deployment


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"chain_id":31337', b'"chain_id":0'),
        (b'"chain_id":31337', b'"chain_id":"31337"'),
        (b'"format_version":1', b'"format_version":2'),
        (b'"format_version":1,', b""),
        (b'"predecessor":null', b'"predecessor":{}'),
        (b'"predecessor":null', b'"predecessor":null,"surplus":1'),
        (b"0x" + b"ab" * 20, b"0x" + b"AB" * 20),
        (b"0x" + b"ab" * 20, b"ab" * 20),
        (b"0x" + b"ab" * 20, b"0x" + b"ab" * 19),
        (b"{", b"{ "),
    ],
)
def test_any_other_spelling_is_malformed(old: bytes, new: bytes) -> None:
    data = encode_deployment(EXAMPLE)
    assert old in data
    with pytest.raises(MalformedError):
        parse_deployment(data.replace(old, new))


def test_the_identity_is_what_envelopes_are_bound_to() -> None:
    identity = EXAMPLE.identity
    assert (identity.chain_id, identity.contract_address) == (EXAMPLE.chain_id, EXAMPLE.contract_address)
    assert identity.deployment_block_hash == EXAMPLE.deployment_block_hash
