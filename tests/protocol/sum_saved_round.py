"""Judges and sums a saved round and prints what came out; run in other environments by test_same_bytes_everywhere."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import numpy as np

from protocol.aggregation import aggregate
from protocol.duplicates import scalar_products
from protocol.judgement import judge_round
from protocol.parameters import parameters_digest
from tests.protocol.saved_round import load_round


def main(folder: Path, seed: int) -> dict[str, object]:
    context, key, fetched = load_round(folder)
    judgement = judge_round(context, key, fetched)
    updates = list(judgement.accepted)
    random.Random(seed).shuffle(updates)
    with (folder / "parent").open("rb") as parent:
        model = b"".join(aggregate(parent, updates, context.plan))
    products = scalar_products(judgement.accepted, context.plan)
    return {
        "numpy": np.__version__,
        "model": parameters_digest(model).hex(),
        "codes": [int(verdict.code) for verdict in judgement.verdicts],
        "products": [str(product) for _, product in sorted(products.items())],
        "norms": [str(update.squared_norm) for update in judgement.accepted],
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]))))
