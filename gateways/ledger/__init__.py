"""The ledger door: the contract of contracts/ on any EVM chain that speaks JSON-RPC.

Way in: ``connecting`` (from settings), ``web3_ledger`` (the port), ``deploying`` (for scripts), ``signers``. Its
parts: ``rpc`` (asks), ``answers`` (checks what was said), ``chain_checks``, ``contract_abi``, ``event_reader`` and
``transactions``, which alone goes through ``web3_endpoint``.
"""
