"""What an auditor types for sites, lineages, digests and transactions."""

from __future__ import annotations

from typing import TypeVar

from protocol.errors import ConfigError, MalformedError
from protocol.identifiers import Digest, LineageId, SiteId, TxHash, lineage_id_of, site_id_of
from protocol.slugs import check_slug

_TypedT = TypeVar("_TypedT", Digest, LineageId, SiteId, TxHash)


def parse_site(text: str) -> SiteId:
    """A site from its slug or its 0x id.

    Raises:
        ConfigError: Neither.
    """
    return _hex(text, SiteId, "id") if text.startswith("0x") else site_id_of(check_slug(text))


def parse_lineage(text: str) -> LineageId:
    """A lineage from its slug or its 0x id.

    Raises:
        ConfigError: Neither.
    """
    return _hex(text, LineageId, "id") if text.startswith("0x") else lineage_id_of(check_slug(text))


def parse_digest(text: str) -> Digest:
    """The digest of a model or a consent root.

    Raises:
        ConfigError: No digest.
    """
    return _hex(text, Digest, "digest")


def parse_tx(text: str) -> TxHash:
    """A transaction.

    Raises:
        ConfigError: No transaction's hash.
    """
    return _hex(text, TxHash, "transaction's hash")


def _hex(text: str, kind: type[_TypedT], what: str) -> _TypedT:
    try:
        return kind.from_hex(text)
    except MalformedError as error:
        raise ConfigError(
            f"{text!r:.80} is no {what}", hint="give 0x and all 64 hex digits, as fedrx audit trail --json shows them"
        ) from error
