"""Blocks and receipts as the bytes that their hashes are of, from what an RPC endpoint tells about them.

A header's hash is keccak-256 of its RLP list, of a sealed one without its seals (``bft_header``); ``receiptsRoot`` is
the root of a Merkle Patricia trie from RLP(index) to the receipt (Ethereum yellow paper, sections 4.3 and 4.4; EIP-2718
for typed receipts). Nothing an endpoint tells is believed: what it says is encoded again, and the encoding must have
the hash that it says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import rlp
from eth_utils.crypto import keccak
from trie.hexary import HexaryTrie

from gateways.ledger import answers
from gateways.ledger.bft_header import HeaderSeals, hashed_fields, seals_of
from gateways.ledger.rlp_lists import strict_list
from protocol.errors import LedgerUnavailableError, MalformedError
from protocol.identifiers import AccountAddress, BlockHash

MAX_HEADER_BYTES = 16_384
"""Of a header that 150 validators seal."""
MAX_NODE_BYTES = 16 << 20
MAX_BLOCK_RECEIPTS_BYTES = 64 << 20
NO_RECEIPTS_ROOT = keccak(b"\x80")
"""The receipts root of a block without transactions."""
_BRANCH_ITEMS, _SHORT_ITEMS, _LAST_FLAG = 17, 2, 3
_PARENT, _RECEIPTS_ROOT, _NUMBER, _TIMESTAMP = 0, 5, 8, 11
_FEWEST_FIELDS = 15
_BYTES_FIELDS = ("parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom")
_NUMBER_FIELDS = ("difficulty", "number", "gasLimit", "gasUsed", "timestamp")
_LAST_BYTES_FIELDS = ("extraData", "mixHash", "nonce")
_LATER_FIELDS = (  # in the order in which forks added them (EIP-1559, 4895, 4844, 4788, 7685)
    ("baseFeePerGas", True),
    ("withdrawalsRoot", False),
    ("blobGasUsed", True),
    ("excessBlobGas", True),
    ("parentBeaconBlockRoot", False),
    ("requestsHash", False),
)


@dataclass(frozen=True, slots=True)
class Header:
    """What is needed of a block header."""

    block_hash: BlockHash
    parent_hash: BlockHash
    number: int
    timestamp: int
    """Seconds since 1970."""
    receipts_root: bytes


@dataclass(frozen=True, slots=True)
class ReceiptLog:
    """One log of a receipt."""

    address: AccountAddress
    topics: tuple[bytes, ...]
    data: bytes


def header_bytes(block: Any) -> bytes:
    """The RLP of a block's header, from the answer to ``eth_getBlockByNumber``.

    Raises:
        LedgerUnavailableError: The answer is no block, or its fields do not have the hash that it says.
    """
    if not isinstance(block, dict):
        raise LedgerUnavailableError("the RPC endpoint has no such block")
    fields = [answers.blob(block.get(name)) for name in _BYTES_FIELDS]
    fields += [_quantity(block.get(name)) for name in _NUMBER_FIELDS]
    fields += [answers.blob(block.get(name)) for name in _LAST_BYTES_FIELDS]
    for name, is_number in _LATER_FIELDS:
        if block.get(name) is not None:
            fields.append(_quantity(block[name]) if is_number else answers.blob(block[name]))
    data = bytes(rlp.encode(fields))
    try:
        found = _hash_of(data, fields)
    except MalformedError as error:
        raise LedgerUnavailableError(
            f"a block's hash cannot be computed: {error.what}", hint="the chain seals its blocks in an unknown way"
        ) from error
    if found != answers.blob(block.get("hash")):
        raise LedgerUnavailableError(
            "a block's fields do not give its hash",
            hint="the chain's headers have fields that this software does not know, or the endpoint lies",
        )
    return data


def parse_header(data: bytes) -> Header:
    """A header from its RLP; its hash is computed, not taken.

    Raises:
        MalformedError: Not the RLP of a header.
    """
    fields = _header_fields(data)
    return Header(
        block_hash=_hash_of(data, fields),
        parent_hash=BlockHash(fields[_PARENT]),
        number=_number(fields[_NUMBER]),
        timestamp=_number(fields[_TIMESTAMP]),
        receipts_root=fields[_RECEIPTS_ROOT],
    )


def header_seals(data: bytes) -> HeaderSeals:
    """The validators' seals of a header, from its RLP.

    Raises:
        MalformedError: Not the RLP of a header that validators seal.
    """
    return seals_of(_header_fields(data))


def receipt_bytes(receipt: Any) -> bytes:
    """A receipt as its trie holds it, from the answer to ``eth_getTransactionReceipt``.

    Raises:
        LedgerUnavailableError: The answer is no receipt.
    """
    if not isinstance(receipt, dict) or not isinstance(receipt.get("logs"), list):
        raise LedgerUnavailableError("the RPC endpoint has no such receipt")
    logs = [
        [answers.blob(log.get("address")), [answers.blob(topic) for topic in log.get("topics", ())],
         answers.blob(log.get("data"))]
        for log in receipt["logs"] if isinstance(log, dict)
    ]  # fmt: skip
    content = [_quantity(receipt.get("status")), _quantity(receipt.get("cumulativeGasUsed")),
               answers.blob(receipt.get("logsBloom")), logs]  # fmt: skip
    kind = answers.count(receipt.get("type", "0x0"))
    return (bytes([kind]) if kind else b"") + bytes(rlp.encode(content))


def parse_receipt(data: bytes) -> tuple[ReceiptLog, ...]:
    """The logs of a receipt whose transaction did not revert; one that reverted has none.

    Raises:
        MalformedError: Not a receipt.
    """
    # EIP-2718: a first byte below 0x80 is the type; an RLP list begins with 0xc0 or above.
    content = strict_list(data[1:] if data[:1] < b"\x80" else data, MAX_NODE_BYTES)
    try:
        _status, _gas, _bloom, logs = content
        return tuple(
            ReceiptLog(AccountAddress(address), tuple(bytes(topic) for topic in topics), bytes(said))
            for address, topics, said in logs
        )
    except (TypeError, ValueError) as error:
        raise MalformedError("no transaction receipt") from error


def receipt_proof(receipts: Sequence[bytes], index: int, root: bytes) -> tuple[bytes, ...]:
    """The trie's nodes from the root to one receipt of a block.

    Args:
        receipts: All receipts of the block in order.
        index: Which.
        root: The header's ``receiptsRoot``.

    Raises:
        LedgerUnavailableError: These receipts do not have that root.
    """
    trie = _receipts_trie(receipts)
    if trie.root_hash != root:
        raise not_the_receipts()
    return tuple(bytes(rlp.encode(node)) for node in trie.get_proof(rlp.encode(index)))


def receipts_root(receipts: Sequence[bytes]) -> bytes:
    """The ``receiptsRoot`` that all receipts of a block, in order, give: no other receipts give it."""
    return bytes(_receipts_trie(receipts).root_hash)


def not_the_receipts() -> LedgerUnavailableError:
    """What is said of an endpoint whose receipts are not those of their block."""
    return LedgerUnavailableError(
        "a block's receipts do not give its receipts root", hint="ask another endpoint: this one lies or lags"
    )


def encode_receipts(receipts: Sequence[bytes]) -> bytes:
    """All receipts of a block as one RLP list."""
    return bytes(rlp.encode(list(receipts)))


def parse_receipts(data: bytes) -> tuple[bytes, ...]:
    """What ``encode_receipts`` wrote.

    Raises:
        MalformedError: Not such a list.
    """
    receipts = strict_list(data, MAX_BLOCK_RECEIPTS_BYTES)
    if not receipts or not all(isinstance(receipt, bytes) and receipt for receipt in receipts):
        raise MalformedError("not a list of receipts")
    return tuple(receipts)


def proven_receipt(nodes: Sequence[bytes], index: int, root: bytes) -> bytes:
    """The receipt that a proof leads to; a walk of its own, because nodes come from strangers.

    Raises:
        MalformedError: The nodes do not lead from the root to a receipt at this index.
    """
    path = [nibble for byte in rlp.encode(index) for nibble in divmod(byte, 16)]
    wanted = root
    for place, data in enumerate(nodes):
        if keccak(data) != wanted:
            break
        wanted, is_leaf = _step(strict_list(data, MAX_NODE_BYTES), path)
        if is_leaf and place == len(nodes) - 1:
            return wanted
    raise MalformedError("the nodes do not lead from the receipts root to the receipt")


def _header_fields(data: bytes) -> list[Any]:
    fields = strict_list(data, MAX_HEADER_BYTES)
    if len(fields) < _FEWEST_FIELDS or not all(isinstance(item, bytes) for item in fields):
        raise MalformedError("no block header")
    if len(fields[_PARENT]) != BlockHash.length or len(fields[_RECEIPTS_ROOT]) != BlockHash.length:
        raise MalformedError("no block header")
    return fields


def _hash_of(data: bytes, fields: list[Any]) -> BlockHash:
    hashed = hashed_fields(fields)
    return BlockHash(keccak(data if hashed is fields else rlp.encode(hashed)))


def _receipts_trie(receipts: Sequence[bytes]) -> HexaryTrie:
    trie = HexaryTrie({})
    for place, receipt in enumerate(receipts):
        trie[rlp.encode(place)] = receipt
    return trie


def _step(node: list[Any], path: list[int]) -> tuple[bytes, bool]:
    """One node's child on the path, or a leaf's value; what was walked is taken from ``path``.

    Every node of a receipts trie is named by its digest: a receipt is longer than the 32 bytes below which a node would
    lie within its parent. No key begins another, so values lie in leaves only.
    """
    if all(isinstance(item, bytes) for item in node):
        if len(node) == _BRANCH_ITEMS and path:
            return bytes(node[path.pop(0)]), False
        if len(node) == _SHORT_ITEMS and node[0]:
            flag, walked = _hex_prefix(node[0])
            is_leaf = bool(flag & 2)
            if flag <= _LAST_FLAG and path[: len(walked)] == walked and is_leaf == (len(walked) == len(path)):
                del path[: len(walked)]
                return bytes(node[1]), is_leaf
    raise MalformedError("the nodes do not lead from the receipts root to the receipt")


def _hex_prefix(data: bytes) -> tuple[int, list[int]]:
    """Flag and nibbles (yellow paper, appendix C): the low bit says that their number is odd, the next marks a leaf."""
    nibbles = [nibble for byte in data for nibble in divmod(byte, 16)]
    return nibbles[0], nibbles[1:] if nibbles[0] & 1 else nibbles[2:]


def _quantity(value: Any) -> bytes:
    number = answers.amount_wei(value)
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _number(data: bytes) -> int:
    if len(data) > 8:
        raise MalformedError("no block header")
    return int.from_bytes(data, "big")
