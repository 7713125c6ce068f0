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
"""New pages are searched one by one until there are so many; then they are sorted in."""


@dataclass(slots=True, eq=False)
class _Table:
    """The pages of each key, one key after the other."""

    starts: NDArray[np.int64]
    """Shape [keys + 1]: where the pages of a key start; they end where those of the next key start."""
    pages: NDArray[np.uint32]


@dataclass(slots=True, eq=False)
class FingerprintIndex:
    """Fingerprints by number. Pages are only ever added: whoever asks drops what it no longer has.

    Memory: 16 bytes a feature, 2.8 KB a page.
    """

    _tables: list[_Table] = field(default_factory=lambda: [_empty_table() for _ in range(TABLES)])
    _count: int = 0
    _fresh_keys: NDArray[np.int32] = field(default_factory=lambda: np.zeros((TABLES, 0), np.int32))
    _fresh_pages: NDArray[np.uint32] = field(default_factory=lambda: np.zeros(0, np.uint32))
    _fresh_from: int = 0

    def __len__(self) -> int:
        return self._count

    def add(self, *fingerprints: Fingerprint) -> None:
        """Adds pages; the number of each is how many were there before it."""
        self.extend(fingerprints)

    def extend(self, fingerprints: Iterable[Fingerprint]) -> None:
        """As ``add``, for more pages than are in memory at once."""
        self._take(fingerprints)
        if self._count - self._fresh_from >= _FRESH_PAGES:
            self._sort_in()

    def candidates(self, fingerprint: Fingerprint, limit: int = 4) -> tuple[int, ...]:
        """The pages that share the most with a fingerprint, best first; at most ``limit``, none without a vote."""
        found = [
            self._pages_of(table, keys, fresh)
            for table, keys, fresh in zip(self._tables, _keys_of(fingerprint), self._fresh_keys, strict=True)
        ]
        pages = np.concatenate([pages for pages, _ in found])
        if not pages.size:
            return ()
        weights = np.concatenate([weights for _, weights in found])
        votes = np.bincount(pages, weights=weights, minlength=self._count).astype(np.float32)
        best = np.argpartition(votes, -min(limit, self._count))[-limit:]
        ranked = best[np.lexsort((best, -votes[best]))]
        return tuple(int(page) for page in ranked if votes[page] > 0)

    def _pages_of(
        self, table: _Table, keys: NDArray[np.int32], fresh: NDArray[np.int32]
    ) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
        """Every page that shares a key, once for each time, and what each vote weighs."""
        starts, lengths = table.starts[keys], table.starts[keys + 1] - table.starts[keys]
        rarity = np.zeros(1 << KEY_BITS, np.float32)
        rarity[keys] = np.where(lengths <= _COMMON, np.log1p(self._count / (1 + lengths)), 0)
        useful = (lengths > 0) & (lengths <= _COMMON)
        keys, starts, lengths = keys[useful], starts[useful], lengths[useful]
        offsets = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        sorted_in = table.pages[np.repeat(starts, lengths) + offsets]
        fresh_weights = rarity[fresh]
        shared = fresh_weights > 0
        return (
            np.concatenate([sorted_in, self._fresh_pages[shared]]),
            np.concatenate([np.repeat(rarity[keys], lengths), fresh_weights[shared]]),
        )

    def _take(self, fingerprints: Iterable[Fingerprint]) -> None:
        taken = [_keys_of(fingerprint) for fingerprint in fingerprints]
        counts = [keys.shape[1] for keys in taken]
        numbers = np.repeat(np.arange(self._count, self._count + len(taken), dtype=np.uint32), counts)
        self._fresh_keys = np.concatenate([self._fresh_keys, *taken], axis=1)
        self._fresh_pages = np.concatenate([self._fresh_pages, numbers])
        self._count += len(taken)

    def _sort_in(self) -> None:
        for position, table in enumerate(self._tables):
            order = np.argsort(self._fresh_keys[position], kind="stable")
            keys = self._fresh_keys[position][order]
            pages = np.insert(table.pages, table.starts[keys + 1], self._fresh_pages[order])
            grown = np.cumsum(np.bincount(keys, minlength=1 << KEY_BITS))
            self._tables[position] = _Table(table.starts + np.concatenate([[0], grown]), pages)
        self._fresh_keys, self._fresh_pages = self._fresh_keys[:, :0], self._fresh_pages[:0]
        self._fresh_from = self._count


def _empty_table() -> _Table:
    return _Table(np.zeros((1 << KEY_BITS) + 1, np.int64), np.zeros(0, np.uint32))


def _keys_of(fingerprint: Fingerprint) -> NDArray[np.int32]:
    """Shape [TABLES, features]: each code's key in each table."""
    bits = np.unpackbits(fingerprint.codes.view(np.uint8).reshape(-1, _CODE_BITS // 8), axis=1)
    powers = 1 << np.arange(KEY_BITS, dtype=np.int32)
    taken = (np.arange(TABLES)[:, None] * KEY_BITS + np.arange(KEY_BITS)) * _STRIDE % _CODE_BITS
    return np.stack([bits[:, columns].astype(np.int32) @ powers for columns in taken])
