"""A daemon's steps, one after another."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from gateways.repeating import repeat
from gateways.stopping import stoppable
from protocol.errors import BlockStoreUnavailableError, LedgerError, LedgerUnavailableError, WrongChainError


class Enough(BaseException):
    pass


def test_the_daemon_waits_longer_and_longer_while_something_is_away() -> None:
    failures = [LedgerUnavailableError("x"), BlockStoreUnavailableError("x"), LedgerUnavailableError("x")]
    answers = iter([False, *failures, LedgerUnavailableError("x"), True, False, Enough()])
    waits: list[float] = []

    def step() -> bool:
        answer = next(answers)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    away = (LedgerUnavailableError, BlockStoreUnavailableError)
    with pytest.raises(Enough):
        repeat(step, waits_for=away, poll_seconds=2, max_backoff_seconds=10, sleep=waits.append)
    assert waits == [2, 2, 4, 8, 10, 2]


@pytest.mark.parametrize("failure", [WrongChainError("another chain"), BlockStoreUnavailableError("no IPFS")])
def test_another_chain_and_what_waiting_does_not_mend_are_not_waited_for(failure: Exception) -> None:
    def step() -> bool:
        raise failure

    with pytest.raises(type(failure)):
        repeat(step, waits_for=(LedgerError,), poll_seconds=1, max_backoff_seconds=1, sleep=pytest.fail)


def test_a_signal_ends_it_in_the_middle_of_a_wait() -> None:
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    started = time.monotonic()
    with stoppable():
        repeat(lambda: False, waits_for=(), poll_seconds=30, max_backoff_seconds=30)
    assert time.monotonic() - started < 10
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
