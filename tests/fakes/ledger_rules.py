"""The contract's rules in memory: contracts/*.sol said again, check for check and in the same order.

The chain tests run random calls on both and compare every answer, so this is the reference that the contract is held
against, and the fake that the processes are tested with. One file for each part of the contract.
"""

from __future__ import annotations

from collections.abc import Callable

from protocol import ledger_calls as calls
from protocol import ledger_events as events
from protocol.identifiers import AccountAddress
from tests.fakes.ledger_records import require
from tests.fakes.ledger_rounds import RoundRules


class ContractRules(RoundRules):
    """The contract's state. ``apply`` either changes it and returns the events, or raises and changes nothing."""

    def apply(self, sender: AccountAddress, call: calls.LedgerCall, now: int) -> list[events.LedgerEvent]:
        name = "".join("_" + letter.lower() if letter.isupper() else letter for letter in type(call).__name__)
        rule: Callable[..., events.LedgerEvent | list[events.LedgerEvent] | None] = getattr(self, name)
        result = rule(sender, call, now)
        if result is None:
            return []
        return result if isinstance(result, list) else [result]

    def _seal_suite(self, sender: AccountAddress, call: calls.SealSuite, now: int) -> events.SuiteSealed:
        self._only_governor(sender)
        self._not_sealed()
        require(call.successor_chain_id, "successorChainId")
        require(call.successor, "successor")
        self.successor = (call.successor_chain_id, call.successor)
        return events.SuiteSealed(call.successor_chain_id, call.successor)
