"""One faulty update among honest ones, and its verdict."""

from __future__ import annotations

from protocol.verdicts import VerdictCode
from tests.protocol.builders import Network


def code_of(network: Network, **fault) -> VerdictCode:
    """The verdict on one faulty update among honest ones."""
    first, *others = network.sites
    network.register(first, **fault)
    for site in others:
        network.register(site)
    judgement = network.judge()
    assert [v.code for v in judgement.verdicts[1:]] == [VerdictCode.ACCEPTED] * len(others)
    return judgement.verdicts[0].code


def flip(position: int):
    def change(data: bytes) -> bytes:
        changed = bytearray(data)
        changed[position] ^= 1
        return bytes(changed)

    return change
