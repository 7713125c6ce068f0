"""A paper chain whose blocks validators sealed, as Hyperledger Besu does it, and an RPC endpoint that serves it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import rlp
from coincurve import PrivateKey
from eth_utils.crypto import keccak

from audit.proofs.seals import validators_of
from audit.proofs.validators import Validators
from gateways.ledger.block_reader import WholeBlock
from protocol.identifiers import AccountAddress
from tests.audit.paper_chain import PaperChain

MIX_HASH = b"ctical byzantine fault tolerance"
KEYS = tuple(bytes([number]) * 32 for number in range(1, 5))
"""Of four validators: three must seal a block."""
STRANGER = b"\x09" * 32
PARENT, EXTRA_DATA, MIX_HASH_PLACE = 0, 12, 13


def account(key: bytes) -> AccountAddress:
    return AccountAddress(keccak(PrivateKey(key).public_key.format(compressed=False)[1:])[12:])


VALIDATORS = tuple(sorted(account(key) for key in KEYS))


@dataclass(frozen=True)
class Sealing:
    """What validators put into a header's extra data."""

    signers: Sequence[bytes] = KEYS[:3]
    validators: Sequence[AccountAddress] = VALIDATORS
    round: int = 0
    vote: Any = None
    is_ibft: bool = False

    def items(self) -> list[Any]:
        no_vote: Any = b"" if self.is_ibft else []
        shortest = self.round.to_bytes((self.round.bit_length() + 7) // 8, "big")
        round_number = self.round.to_bytes(4, "big") if self.is_ibft else shortest
        return [bytes(32), list(self.validators), no_vote if self.vote is None else self.vote, round_number]

    def seal(self, fields: list[Any]) -> list[Any]:
        """A header's fields, with seals."""
        items = self.items()
        signed = keccak(rlp.encode(with_extra(fields, items if self.is_ibft else [*items, []])))
        seals = [PrivateKey(key).sign_recoverable(signed, hasher=None) for key in self.signers]
        return with_extra(fields, [*items, seals])

    def hash_of(self, fields: list[Any]) -> bytes:
        items = self.items()[:3]
        return keccak(rlp.encode(with_extra(fields, items if self.is_ibft else [*items, b"", []])))


def with_extra(fields: list[Any], items: list[Any]) -> list[Any]:
    return [*fields[:EXTRA_DATA], rlp.encode(items), MIX_HASH, *fields[MIX_HASH_PLACE + 1 :]]


def sealed_chain(chain: PaperChain, sealing: Sealing | None = None) -> PaperChain:
    """The same blocks, each sealed and named by its child by the hash that it has then."""
    made, parent = [], bytes(32)
    how = sealing or Sealing()
    for block in chain.blocks:
        fields = rlp.decode(block.header)
        fields[PARENT] = parent
        parent = how.hash_of(fields)
        made.append(WholeBlock(rlp.encode(how.seal(fields)), block.receipts))
    return dataclasses.replace(chain, blocks=tuple(made))


def validators_on(chain: PaperChain) -> Validators:
    """What an auditor keeps who asked this chain."""
    return validators_of(chain.blocks[-1].header, chain.deployment.identity)


def resealed(header: bytes, sealing: Sealing) -> bytes:
    """A header with other seals."""
    return bytes(rlp.encode(sealing.seal(rlp.decode(header))))


def with_items(header: bytes, change: Callable[[list[Any]], list[Any]]) -> bytes:
    """A header whose extra data was changed by somebody without a key."""
    fields = rlp.decode(header)
    return bytes(rlp.encode(with_extra(fields, change(rlp.decode(fields[EXTRA_DATA])))))
