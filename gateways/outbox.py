"""Transactions of a site or an aggregator, sent once (docs/adr/0008 and 0010).

The chain's events say what was done; the journal says only what may be under way. A caller asks the chain first; the
outbox holds back what was sent a short while ago and does not show there yet.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import structlog

from protocol.errors import LedgerError, ReceiptTimeoutError

if TYPE_CHECKING:
    from gateways.journal import Journal
    from protocol.canonical_json import JSONValue
    from protocol.ledger_calls import LedgerCall
    from protocol.ports import Ledger, TxReceipt

logger = structlog.get_logger(__name__)


class Outbox:
    """Sends calls, each under a key that names its effect.

    Args:
        ledger: Signs as the party whose outbox this is.
        journal: Remembers that a call is under way, before it is sent.
        resend_after_seconds: How long a transaction of unknown fate is waited for.
        clock: Seconds since 1970 of this machine, not of the chain: a chain without blocks has no time.
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
            TransactionRevertedError: The contract refused; nothing is under way.
            LedgerUnavailableError: Not sent; a retry is safe.
            LedgerError: The account cannot pay; nothing was sent.
        """
        entry = cast("dict[str, JSONValue] | None", self._journal.get(_key(key)))
        now = int(self._clock())
        # A clock that was set back must not hold a transaction back for good.
        if entry is not None and 0 <= now - cast("int", entry["at"]) < self._resend_after_seconds:
            return None
        name = type(call).__name__
        self._journal.record(_key(key), {"at": now, "call": name})
        try:
            receipt = self._ledger.send(call)
        except ReceiptTimeoutError as error:
            logger.warning("tx.waiting", call=name, tx=str(error.tx_hash), **said)
            return None
        except LedgerError:
            self._journal.forget(_key(key))
            raise
        logger.info("tx.mined", call=name, tx=str(receipt.tx_hash), gas=receipt.gas_used, **said)
        return receipt

    def may_be_under_way(self, key: str) -> bool:
        """Whether a call was handed to the chain under this key and may be in a block, now or later."""
        return self._journal.get(_key(key)) is not None


def _key(key: str) -> str:
    return f"tx/{key}"
