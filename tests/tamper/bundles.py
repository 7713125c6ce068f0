"""Mutations of evidence bundles whose manifest is written again to fit: the reader has a checkpoint, and no network."""

from __future__ import annotations

import dataclasses

import rlp

from audit.bundle.manifest import CHAIN_NAMES, DEPLOYMENT_NAME, HEADERS_NAME, RECEIPTS_NAME
from gateways.ledger.block_bytes import encode_receipts, parse_receipts
from protocol.deployment import encode_deployment, parse_deployment
from protocol.identifiers import AccountAddress, BlockHash, lineage_id_of
from tests.tamper.catalogue import ANYONE, VERIFY_BUNDLE, chapter
from tests.tamper.evidence import Evidence

mutation = chapter("Evidence bundles", VERIFY_BUNDLE)
CONTAINER, MEMBERS, CHECKPOINT, HEADERS, RECEIPTS, EVENTS, CONTENTS = (
    f"fails at {step}" for step in ("container", "members", "checkpoint", "headers", "receipts", "events", "contents")
)


def _lists(data: bytes) -> list[bytes]:
    """The RLP lists of a member, each whole."""
    found = []
    while data:
        _, _, length, start = rlp.codec.consume_length_prefix(data, 0)
        found.append(data[: start + length])
        data = data[start + length :]
    return found


def _headers(it: Evidence, place: slice, *new: bytes) -> None:
    headers = _lists(it.parts.contents[HEADERS_NAME])
    headers[place] = new
    it.parts.contents[HEADERS_NAME] = b"".join(headers)


def _contents(it: Evidence) -> list[str]:
    return [name for name in it.parts.contents if name not in CHAIN_NAMES]


@mutation(ANYONE, MEMBERS, "has other bytes than the manifest names")
def a_bit_of_a_member(it: Evidence) -> None:
    """One bit of a member is flipped"""
    it.fields["members"] = it.parts.manifest.members
    name = _contents(it)[1]
    content = it.parts.contents[name]
    it.parts.contents[name] = content[:-1] + bytes([content[-1] ^ 1])


@mutation(ANYONE, CONTAINER, "")
def a_bundle_cut_off(it: Evidence) -> None:
    """The bundle's end is cut off"""
    it.spoil = lambda data: data[:-512]


@mutation(ANYONE, CONTAINER, "does not end where")
def more_behind(it: Evidence) -> None:
    """Something is appended to the bundle"""
    it.spoil = lambda data: data + b"\0"


@mutation(ANYONE, CONTAINER, "does not begin with")
def no_bundle(it: Evidence) -> None:
    """The bundle's first member has another name"""
    it.spoil = lambda data: b"F" + data[1:]


@mutation(ANYONE, CHECKPOINT, "the bundle leads to block")
def another_block(it: Evidence) -> None:
    """The bundle ends at another block than the reader's checkpoint"""
    it.fields["checkpoint"] = dataclasses.replace(it.checkpoint, number=it.checkpoint.number - 1)


@mutation("chain operator", CHECKPOINT, "the bundle leads to block")
def a_rewritten_chain(it: Evidence) -> None:
    """The bundle tells a chain that was rewritten below the reader's checkpoint"""
    it.checkpoint = dataclasses.replace(it.checkpoint, block_hash=BlockHash(b"\x07" * 32))


@mutation(ANYONE, CHECKPOINT, "another chain or contract")
def another_deployment(it: Evidence) -> None:
    """The bundle's deployment is another contract's"""
    deployment = parse_deployment(it.parts.contents[DEPLOYMENT_NAME])
    other = dataclasses.replace(deployment, contract_address=AccountAddress(b"\x0c" * 20))
    it.parts.contents[DEPLOYMENT_NAME] = encode_deployment(other)


@mutation(ANYONE, HEADERS, "not that of the deployment")
def a_later_beginning(it: Evidence) -> None:
    """The bundle begins behind the deployment, so that early events are left out"""
    _headers(it, slice(0, 1))


@mutation(ANYONE, HEADERS, "is not the parent of the block behind it")
def a_header_dropped_from_a_bundle(it: Evidence) -> None:
    """A header in the middle of the bundle is dropped"""
    _headers(it, slice(3, 4))


@mutation(ANYONE, HEADERS, "of the checkpoint")
def the_newest_block_dropped(it: Evidence) -> None:
    """The bundle's newest block is dropped"""
    _headers(it, slice(-1, None))


@mutation(ANYONE, HEADERS, "")
def a_bit_of_a_header_of_a_bundle(it: Evidence) -> None:
    """One bit of a header of the bundle is flipped"""
    header = bytearray(_lists(it.parts.contents[HEADERS_NAME])[3])
    header[200] ^= 1
    _headers(it, slice(3, 4), bytes(header))


@mutation(ANYONE, RECEIPTS, "not all receipts of block")
def the_receipts_of_a_block_dropped(it: Evidence) -> None:
    """A block's receipts are left out, and with them a registration"""
    receipts = _lists(it.parts.contents[RECEIPTS_NAME])
    it.parts.contents[RECEIPTS_NAME] = b"".join(receipts[:5] + receipts[6:])


@mutation(ANYONE, RECEIPTS, "not all receipts of block")
def a_receipt_twice(it: Evidence) -> None:
    """A receipt of a block stands twice"""
    receipts = _lists(it.parts.contents[RECEIPTS_NAME])
    inside = parse_receipts(receipts[5])
    receipts[5] = encode_receipts((*inside, inside[-1]))
    it.parts.contents[RECEIPTS_NAME] = b"".join(receipts)


@mutation(ANYONE, RECEIPTS, "")
def a_bit_of_a_receipt_of_a_bundle(it: Evidence) -> None:
    """One bit of a receipt of the bundle is flipped"""
    data = bytearray(it.parts.contents[RECEIPTS_NAME])
    data[len(data) // 2] ^= 1
    it.parts.contents[RECEIPTS_NAME] = bytes(data)


@mutation(ANYONE, RECEIPTS, "of more blocks than there are")
def receipts_of_no_block(it: Evidence) -> None:
    """Receipts of a block that there is not are appended"""
    receipts = _lists(it.parts.contents[RECEIPTS_NAME])
    it.parts.contents[RECEIPTS_NAME] += receipts[-1]


@mutation(ANYONE, EVENTS, "first event is not the contract's deployment")
def another_governor(it: Evidence) -> None:
    """The bundle's deployment names another first governor"""
    deployment = parse_deployment(it.parts.contents[DEPLOYMENT_NAME])
    other = dataclasses.replace(deployment, governor=AccountAddress(b"\x0c" * 20))
    it.parts.contents[DEPLOYMENT_NAME] = encode_deployment(other)


@mutation(ANYONE, CONTENTS, "has other bytes than its CID names")
def another_content(it: Evidence) -> None:
    """A content's bytes are another's"""
    first, second = _contents(it)[:2]
    it.parts.contents[first] = it.parts.contents[second]


@mutation(ANYONE, CONTENTS, "or not in its place")
def two_contents_swapped(it: Evidence) -> None:
    """Two contents change their places"""
    first, second = _contents(it)[:2]
    names = [{first: second, second: first}.get(name, name) for name in it.parts.contents]
    it.parts.contents = {name: it.parts.contents[name] for name in names}


@mutation(ANYONE, "missing", "was not delivered in time")
def a_content_left_out(it: Evidence) -> None:
    """A content is left out"""
    del it.parts.contents[_contents(it)[2]]


@mutation(ANYONE, CONTENTS, "rounds that the chain does not know")
def more_rounds_than_there_are(it: Evidence) -> None:
    """The bundle is said to hold more rounds than there are"""
    it.fields["last_round"] = 9


@mutation(ANYONE, CONTENTS, "does not know the manifest's lineage")
def another_lineage(it: Evidence) -> None:
    """The bundle is said to be about another lineage"""
    it.fields["first"] = dataclasses.replace(it.parts.manifest.first, lineage_id=lineage_id_of("elsewhere"))
