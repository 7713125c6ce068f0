"""Which pages may show what a new one shows: an index of feature codes in memory, a few milliseconds a look-up.

Locality-sensitive hashing by sampled bits (Indyk and Motwani, STOC 1998): each of four tables takes 18 bits of a code
as its key, so the same spot on two pictures meets in some table. Votes count the more the rarer their key is: the
features of a letterhead that every page has say nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from prescriptions.fingerprint import Fingerprint

TABLES = 4
KEY_BITS = 18
_CODE_BITS = 128
_STRIDE = 7
"""Odd, so that a table's bits are all different."""
_COMMON = 1024
"""A key that more features than this have is passed over: it costs time and tells little."""
_FRESH_PAGES = 256
"""New pages wait in a small table of their own until there are so many; then they are sorted in."""


@dataclass(slots=True, eq=False)
class _Table:
    """The pages of each key, one key after the other."""

    starts: NDArray[np.int64] = field(default_factory=lambda: np.zeros((1 << KEY_BITS) + 1, np.int64))
    """Shape [keys + 1]: where the pages of a key start; they end where those of the next key start."""
    pages: NDArray[np.uint32] = field(default_factory=lambda: np.zeros(0, np.uint32))
    fresh_keys: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    """Ascending."""
    fresh_pages: NDArray[np.uint32] = field(default_factory=lambda: np.zeros(0, np.uint32))
    """Shape [len(fresh_keys)]."""

    def add(self, keys: NDArray[np.int32], pages: NDArray[np.uint32]) -> None:
        order = np.argsort(keys, kind="stable")
        places = np.searchsorted(self.fresh_keys, keys[order], side="right")
        self.fresh_keys = np.insert(self.fresh_keys, places, keys[order])
        self.fresh_pages = np.insert(self.fresh_pages, places, pages[order])

    def sort_in(self) -> None:
        self.pages = np.insert(self.pages, self.starts[self.fresh_keys + 1], self.fresh_pages)
        grown = np.cumsum(np.bincount(self.fresh_keys, minlength=1 << KEY_BITS))
        self.starts = self.starts + np.concatenate([[0], grown])
        self.fresh_keys, self.fresh_pages = self.fresh_keys[:0], self.fresh_pages[:0]

    def runs(self, keys: NDArray[np.int32]) -> tuple[list[NDArray[np.uint32]], NDArray[np.int64]]:
        """The pages of each key that tells something, and beside each run how many features have its key."""
        starts, ends = self.starts[keys], self.starts[keys + 1]
        left, right = (np.searchsorted(self.fresh_keys, keys, side) for side in ("left", "right"))
        counts = ends - starts + right - left
        tells = (counts > 0) & (counts <= _COMMON)
        waits = tells & (right > left)
        # Slices are copied whole; picking the pages one by one takes several times as long.
        sorted_in = _slices(self.pages, starts[tells], ends[tells])
        fresh = _slices(self.fresh_pages, left[waits], right[waits])
        return sorted_in + fresh, np.concatenate([counts[tells], counts[waits]])


@dataclass(slots=True, eq=False)
class FingerprintIndex:
    """Fingerprints by number. Pages are only ever added: whoever asks drops what it no longer has.

    Memory: 16 bytes a feature, 2.8 KB a page.
    """

    _tables: list[_Table] = field(default_factory=lambda: [_Table() for _ in range(TABLES)])
    _count: int = 0
    _fresh_from: int = 0

    def __len__(self) -> int:
        return self._count

    def add(self, *fingerprints: Fingerprint) -> None:
        """Adds pages; the number of each is how many were there before it."""
        self.extend(fingerprints)

    def extend(self, fingerprints: Iterable[Fingerprint]) -> None:
        """As ``add``, for more pages than are in memory at once."""
        taken = [_keys_of(fingerprint) for fingerprint in fingerprints]
        if not taken:
            return
        counts = [keys.shape[1] for keys in taken]
        numbers = np.repeat(np.arange(self._count, self._count + len(taken), dtype=np.uint32), counts)
        for table, keys in zip(self._tables, np.concatenate(taken, axis=1), strict=True):
            table.add(keys, numbers)
        self._count += len(taken)
        if self._count - self._fresh_from >= _FRESH_PAGES:
            for table in self._tables:
                table.sort_in()
            self._fresh_from = self._count

    def candidates(self, fingerprint: Fingerprint, limit: int = 4) -> tuple[int, ...]:
        """The pages that share the most with a fingerprint, best first; at most ``limit``, none without a vote."""
        found = [table.runs(keys) for table, keys in zip(self._tables, _keys_of(fingerprint), strict=True)]
        runs = [run for of_table, _ in found for run in of_table]
        if not runs:
            return ()
        weights = np.log1p(self._count / (1 + np.concatenate([counts for _, counts in found])))
        lengths = np.fromiter(map(len, runs), np.int64, len(runs))
        votes = np.bincount(np.concatenate(runs), np.repeat(weights, lengths), minlength=self._count)
        ranked: list[int] = []
        while len(ranked) < limit and votes[best := int(votes.argmax())] > 0:
            ranked.append(best)
            votes[best] = 0
        return tuple(ranked)


def _slices(array: NDArray[np.uint32], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> list[NDArray[np.uint32]]:
    return [array[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]


def _keys_of(fingerprint: Fingerprint) -> NDArray[np.int32]:
    """Shape [TABLES, features]: each code's key in each table."""
    bits = np.unpackbits(fingerprint.codes.view(np.uint8).reshape(-1, _CODE_BITS // 8), axis=1)
    powers = 1 << np.arange(KEY_BITS, dtype=np.int32)
    taken = (np.arange(TABLES)[:, None] * KEY_BITS + np.arange(KEY_BITS)) * _STRIDE % _CODE_BITS
    return np.stack([bits[:, columns].astype(np.int32) @ powers for columns in taken])
