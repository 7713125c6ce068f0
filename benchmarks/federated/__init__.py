"""Federated training on real handwriting, measured through the code that sites and aggregators run.

    python -m benchmarks.federated run   --words DIR --lexicon products.csv --features DIR --results DIR --rows ROW
    python -m benchmarks.federated joined --words DIR --lexicon products.csv --features DIR --results DIR
    python -m benchmarks.federated score --words DIR --split SPLIT --features DIR --results DIR
    python -m benchmarks.federated table --results DIR

DIR of ``--words`` is laid out as in benchmarks/recogniser_probe.py. Chain and IPFS are left out: the event logs that
the contract would emit are made here, all other steps are the daemons' own. ``network_check`` runs the same through
a real chain, real IPFS cores and the aggregator's daemon, and compares digests.
"""
