"""What every party must agree on. Pure: bytes and ``now`` in, values out.

Way in: ``identifiers`` (the nouns), ``ledger_events`` and ``ledger_calls`` (what the chain says and is told),
``ports`` (what the outside world promises), ``verification`` and ``aggregation`` (what an auditor recomputes).
"""
