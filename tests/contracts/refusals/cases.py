"""A refused call, and a table of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from protocol import reverts
from protocol.ledger_calls import LedgerCall
from tests.contracts.refusals.scene import Scene


@dataclass(frozen=True)
class Case:
    name: str
    caller: str
    call: Callable[[Scene], LedgerCall]
    refusal: Callable[[Scene], reverts.ContractError]


class CaseTable:
    """The refusals of one part of the contract. Values may be given as they are, or as functions of the scene."""

    def __init__(self) -> None:
        self.cases: list[Case] = []

    def refuse(self, name: str, caller: str, call: Any, refusal: Any) -> None:
        is_made = callable(refusal) and not isinstance(refusal, Exception)
        self.cases.append(
            Case(
                name,
                caller,
                call if callable(call) else lambda scene: call,
                refusal if is_made else lambda scene: refusal,
            )
        )

    def only_governor(self, call: Any) -> None:
        self.refuse(
            "a stranger governs nothing",
            "stranger",
            call,
            lambda scene: reverts.OwnableUnauthorizedAccountError(scene.account("stranger")),
        )

    def missing(self, caller: str, call: LedgerCall, *names: str) -> None:
        """Each named field alone is zero."""
        for name in names:
            solidity = name.split("_")[0] + "".join(word.capitalize() for word in name.split("_")[1:])
            value = getattr(call, name)
            zero = type(value)(bytes(len(value))) if isinstance(value, bytes) else 0
            self.refuse(f"{name} is zero", caller, replace(call, **{name: zero}), reverts.MissingValueError(solidity))
