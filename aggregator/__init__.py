"""The aggregator's process.

Way in: ``coordinator`` (what is next, from the chain and the journal), ``scheduler`` (who may open, and when),
``daemon`` (builds the parts and repeats). docs/adr/0008-aggregator-recovery.md says how it survives a kill at any
instruction.
"""
