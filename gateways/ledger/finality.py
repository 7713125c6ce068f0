"""Which block of a chain counts as its newest."""

from __future__ import annotations

from typing import Literal, TypeAlias

Finality: TypeAlias = Literal["latest", "finalized"]
"""``latest`` for Hardhat, QBFT and IBFT 2.0, ``finalized`` for chains whose newest blocks can change."""
