"""A ``FakeChain`` with the same powers over time and accounts as the real test chain (tests/fixtures_chain.py)."""

from __future__ import annotations

import hashlib
import itertools

from protocol.identifiers import AccountAddress
from tests.fakes.ledger import FakeChain, FakeLedger


def account_of(name: str) -> AccountAddress:
    return AccountAddress(hashlib.sha256(b"account" + name.encode()).digest()[:20])


class FakeWorld:
    """The fake contract, freshly deployed."""

    def __init__(self) -> None:
        governor = account_of("governor")
        self.chain = FakeChain(governor)
        self.governor = self.chain.ledger(governor)
        self._accounts = (account_of(str(number)) for number in itertools.count())

    def ledger(self, account: AccountAddress) -> FakeLedger:
        return self.chain.ledger(account)

    def fresh_account(self) -> AccountAddress:
        return next(self._accounts)

    def fresh_ledger(self) -> FakeLedger:
        return self.chain.ledger(self.fresh_account())

    def now(self) -> int:
        return self.chain.head().timestamp

    def advance(self, seconds: int) -> None:
        self.chain.advance(seconds)
