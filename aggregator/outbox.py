"""Transactions, sent once (docs/adr/0008-aggregator-recovery.md).

The chain's events say what was done; the journal only says what may be under way. A caller asks the chain first, and
the outbox holds back what was sent a short while ago and has not shown up yet.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import cast

import structlog

from gateways.journal import Journal
from protocol.canonical_json import JSONValue
from protocol.errors import LedgerUnavailableError, ReceiptTimeoutError, TransactionRevertedError
from protocol.ledger_calls import LedgerCall
from protocol.ports import Ledger, TxReceipt

logger = structlog.get_logger(__name__)


class Outbox:
    """Sends calls under a key of their own.

    Args:
        ledger: Signs as this aggregator.
        journal: Remembers what was sent, before it is sent.
        resend_after_seconds: How long a transaction of unknown fate is waited for.
        clock: Seconds since 1970. This machine's clock, not the chain's: a chain without blocks has no time.
    """

    def __init__(
        self, ledger: Ledger, journal: Journal, *, resend_after_seconds: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._ledger = ledger
        self._journal = journal
        self._resend_after_seconds = resend_after_seconds
        self._clock = clock

    def send(self, key: str, call: LedgerCall, **said: object) -> TxReceipt | None:
        """Sends a call whose effect the chain does not show.

        Args:
            key: Names the effect, such as ``open/<lineage>/7``: one key, one effect.
            call: What to send; it may differ from the one sent before under the same key.
            said: For the log.

        Returns:
            The receipt, or None while an earlier send under this key may still come into a block.

        Raises:
            TransactionRevertedError: The contract refused; nothing is under way any more.
            LedgerUnavailableError: Not sent; retry is safe.
        """
        entry = cast("dict[str, JSONValue] | None", self._journal.get(f"tx/{key}"))
        now = int(self._clock())
        # A clock that was set back must not hold a transaction back for good.
        if entry is not None and 0 <= now - cast("int", entry["at"]) < self._resend_after_seconds:
            return None
        name = type(call).__name__
        self._journal.record(f"tx/{key}", {"at": now, "call": name, "tx": ""})
        try:
            receipt = self._ledger.send(call)
        except (TransactionRevertedError, LedgerUnavailableError):
            self._journal.forget(f"tx/{key}")
            raise
        except ReceiptTimeoutError as error:
            logger.warning("tx.waiting", call=name, tx=str(error.tx_hash), **said)
            return None
        self._journal.record(f"tx/{key}", {"at": now, "call": name, "tx": str(receipt.tx_hash)})
        logger.info("tx.mined", call=name, tx=str(receipt.tx_hash), gas=receipt.gas_used, **said)
        return receipt
