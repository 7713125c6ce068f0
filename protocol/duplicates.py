"""Step 10 of the verification: which updates repeat an earlier one (docs/spec/verification.md).

Fresh nonces make a copied update look new on IPFS, so copies are found after opening: exact by the delta's digest,
near by the cosine of the deltas, decided in integers. Of two duplicates the earlier registration stays.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protocol.plan import RoundPlan
from protocol.similarity import BLOCK_VALUES, gram_block, reaches_cosine
from protocol.verdicts import VerdictCode
from protocol.verification import VerifiedUpdate, scale_runs, split_runs

TILE = 8
"""Updates whose chunks are held at once, on either side of a comparison: bounds memory whatever the sites' number."""


def find_duplicates(updates: Sequence[VerifiedUpdate], plan: RoundPlan) -> dict[int, VerdictCode]:
    """The refused indices and their codes.

    Args:
        updates: All updates of the round that passed steps 1 to 9 and 11, in any order.
        plan: Holds the cosine threshold.
    """
    ordered = sorted(updates, key=lambda update: update.index)
    refused: dict[int, VerdictCode] = {}
    seen: dict[bytes, int] = {}
    for update in ordered:
        if update.manifest.delta_digest in seen:
            refused[update.index] = VerdictCode.DUPLICATE_EXACT
        else:
            seen[update.manifest.delta_digest] = update.index
    distinct = [update for update in ordered if update.index not in refused]
    products = scalar_products(distinct, plan)
    threshold = plan.cosine_threshold()
    kept: list[VerifiedUpdate] = []
    for update in distinct:
        near = any(
            reaches_cosine(products[other.index, update.index], other.squared_norm, update.squared_norm, threshold)
            for other in kept
        )
        if near:
            refused[update.index] = VerdictCode.DUPLICATE_NEAR
        else:
            kept.append(update)
    return refused


def scalar_products(updates: Sequence[VerifiedUpdate], plan: RoundPlan) -> dict[tuple[int, int], int]:
    """Exact scalar products of all pairs, by (earlier index, later index), at the plan's finest scale."""
    products: dict[tuple[int, int], int] = {}
    tiles = [updates[start : start + TILE] for start in range(0, len(updates), TILE)]
    for number, tile in enumerate(tiles):
        for other in tiles[number:]:
            _add_tile(products, tile if other is tile else [*tile, *other], plan)
    return products


def _add_tile(products: dict[tuple[int, int], int], rows: Sequence[VerifiedUpdate], plan: RoundPlan) -> None:
    if len(rows) < 2:
        return
    pairs = [(i, j) for i in range(len(rows)) for j in range(i + 1, len(rows))]
    pairs = [(i, j) for i, j in pairs if (rows[i].index, rows[j].index) not in products]
    totals = dict.fromkeys(pairs, 0)
    runs = scale_runs(plan)
    position = 0
    for chunk in range(rows[0].chunk_count):
        values = np.stack([row.values(chunk) for row in rows])
        for part, factor in split_runs(values, position, runs):
            for start in range(0, part.shape[1], BLOCK_VALUES):
                gram = gram_block(part[:, start : start + BLOCK_VALUES])
                for i, j in pairs:
                    totals[i, j] += factor * gram[i][j]
        position += values.shape[1]
        values[:] = 0
    products.update({(rows[i].index, rows[j].index): total for (i, j), total in totals.items()})
