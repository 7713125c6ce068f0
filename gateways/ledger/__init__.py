"""The ledger door: the contract of contracts/ on any EVM chain that speaks JSON-RPC.

Way in: ``web3_ledger`` (the port), ``deploying`` (for scripts), ``signers``; ``rpc``, ``contract_abi``,
``event_reader`` and ``transactions`` are its parts.
"""
