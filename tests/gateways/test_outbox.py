"""Nothing is sent twice while its fate is unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateways.journal import Journal
from gateways.outbox import Outbox
from protocol.errors import LedgerError, LedgerUnavailableError, ReceiptTimeoutError, TransactionRevertedError
from protocol.identifiers import LineageId, TxHash
from protocol.ledger_calls import AbortRound

CALL = AbortRound(LineageId(bytes(32)), 1)


class Clock:
    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


class Ledger:
    """Answers a send as a test says."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.sent: list[Any] = []

    def send(self, call: Any) -> Any:
        self.sent.append(call)
        if self.error is not None:
            raise self.error
        return type("Receipt", (), {"tx_hash": TxHash(bytes(32)), "gas_used": 1})()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outbox(ledger: Ledger, clock: Clock, tmp_path: Path) -> Outbox:
    return Outbox(ledger, Journal(tmp_path / "journal"), resend_after_seconds=60, clock=clock)


def test_a_transaction_of_unknown_fate_is_not_sent_again_until_it_was_waited_for(
    outbox: Outbox, ledger: Ledger, clock: Clock
) -> None:
    ledger.error = ReceiptTimeoutError(TxHash(bytes(32)), 1)
    assert outbox.send("abort/1", CALL) is None
    ledger.error = None
    clock.seconds += 59
    assert outbox.send("abort/1", CALL) is None
    assert len(ledger.sent) == 1
    clock.seconds += 2
    assert outbox.send("abort/1", CALL) is not None
    assert len(ledger.sent) == 2


def test_what_an_earlier_process_sent_before_it_was_killed_counts(ledger: Ledger, clock: Clock, tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    ledger.error = Killed()  # type: ignore[assignment]
    with pytest.raises(Killed):
        Outbox(ledger, Journal(tmp_path / "j"), resend_after_seconds=60, clock=clock).send("abort/1", CALL)
    ledger.error = None
    restarted = Outbox(ledger, Journal(tmp_path / "j"), resend_after_seconds=60, clock=clock)
    assert restarted.send("abort/1", CALL) is None
    clock.seconds += 61
    assert restarted.send("abort/1", CALL) is not None


@pytest.mark.parametrize(
    "error", [TransactionRevertedError("no"), LedgerUnavailableError("no"), LedgerError("the account cannot pay")]
)
def test_what_surely_is_not_under_way_may_be_sent_at_once(outbox: Outbox, ledger: Ledger, error: Exception) -> None:
    ledger.error = error
    with pytest.raises(type(error)):
        outbox.send("abort/1", CALL)
    assert not outbox.may_be_under_way("abort/1")
    ledger.error = None
    assert outbox.send("abort/1", CALL) is not None
    assert outbox.may_be_under_way("abort/1")


def test_another_effect_is_not_held_back(outbox: Outbox, ledger: Ledger) -> None:
    outbox.send("abort/1", CALL)
    assert outbox.send("abort/1", CALL) is None
    assert outbox.send("abort/2", CALL) is not None


def test_a_clock_that_was_set_back_holds_nothing_back_for_good(outbox: Outbox, clock: Clock) -> None:
    outbox.send("abort/1", CALL)
    clock.seconds -= 100_000
    assert outbox.send("abort/1", CALL) is not None
