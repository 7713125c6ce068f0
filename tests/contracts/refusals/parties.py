"""Who and what the refused calls name."""

from __future__ import annotations

from protocol.identifiers import AccountAddress, aggregator_id_of
from tests.contracts.setting import digest

FRESH = AccountAddress(b"\x0f" * 20)
KEY = digest("any key")
CHAIR = aggregator_id_of("aggregator-0")
UNCHOSEN = aggregator_id_of("unchosen")
FOREVER = 2**40
