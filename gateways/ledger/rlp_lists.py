"""RLP lists from strangers (yellow paper, appendix B)."""

from __future__ import annotations

from typing import Any, cast

import rlp
from rlp.exceptions import RLPException
from rlp.lazy import LazyList, decode_lazy

from protocol.errors import MalformedError

_MAX_DEPTH = 6


def strict_list(data: bytes, max_bytes: int) -> list[Any]:
    """An RLP list in its one right spelling, at most ``_MAX_DEPTH`` deep, with nothing behind it.

    Raises:
        MalformedError: Longer than ``max_bytes``, or no such list.
    """
    if len(data) > max_bytes:
        raise MalformedError(f"{len(data)} bytes are too many")
    try:
        # Lazily: the library's eager decoder calls itself for every level that a stranger nests.
        value = _plain(decode_lazy(data), _MAX_DEPTH)
        canonical = isinstance(value, list) and rlp.encode(value) == data
    except (RLPException, AssertionError, IndexError, ValueError) as error:
        raise MalformedError("not RLP") from error
    if not canonical or not isinstance(value, list):
        raise MalformedError("not an RLP list")
    return value


def _plain(value: object, levels: int) -> bytes | list[Any]:
    if isinstance(value, bytes):
        return value
    if levels == 0:
        raise MalformedError("RLP nested too deep")
    return [_plain(item, levels - 1) for item in cast("LazyList", value)]
