"""Slugs for ids. Ids on chain are digests of public slugs, so a name is checked, never believed."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path

from audit.small_files import read_small
from protocol.errors import ConfigError, MalformedError
from protocol.identifiers import (
    AggregatorId,
    LineageId,
    SiteId,
    aggregator_id_of,
    lineage_id_of,
    site_id_of,
)
from protocol.slugs import check_slug

_MAX_FILE_BYTES = 8 << 20
_TABLES = {"sites": site_id_of, "aggregators": aggregator_id_of, "lineages": lineage_id_of}


class Names:
    """Labels of sites, aggregators and lineages.

    Args:
        slugs: Public slugs of whatever kind; each labels the site, aggregator or lineage whose id is its digest. A 0x
            id among them has no label.

    Raises:
        ConfigError: One is no slug: a terminal and a page would obey what is in it.
    """

    def __init__(self, slugs: Iterable[str] = ()) -> None:
        self._labels: dict[bytes, str] = {}
        for slug in slugs:
            if not slug.startswith("0x"):
                self._add(check_slug(slug))

    def label(self, identifier: bytes) -> str:
        """The slug of an id, or its first hex digits."""
        return self._labels.get(bytes(identifier), f"0x{identifier.hex()[:8]}…")

    def _add(self, slug: str) -> None:
        for id_of in _TABLES.values():
            self._labels[bytes(id_of(slug))] = slug


def read_names(file: Path | None, slugs: Iterable[str]) -> Names:
    """The names of a directory file and of slugs given one by one.

    The file is TOML with the tables ``sites``, ``aggregators`` and ``lineages``, each ``slug = "0x…"``.

    Raises:
        ConfigError: The file cannot be read, has another table, or an id in it is not its slug's; or one is no slug.
    """
    known = list(slugs)
    if file is not None:
        for table, entries in _read_tables(file).items():
            for slug, text in entries.items():
                _check_entry(file, table, slug, text)
                known.append(slug)
    return Names(known)


def _read_tables(file: Path) -> dict[str, dict[str, object]]:
    try:
        tables = tomllib.loads(read_small(file, _MAX_FILE_BYTES).decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(
            f"the directory file {file} is no TOML: {error}", hint="see docs/auditing.md for how it is written"
        ) from error
    for name, table in tables.items():
        if name not in _TABLES or not isinstance(table, dict):
            raise ConfigError(f"{file}: {name!r:.60} is not one of the tables {', '.join(_TABLES)}")
    return tables


def _check_entry(file: Path, table: str, slug: str, text: object) -> None:
    check_slug(slug)
    try:
        listed = _ID_TYPES[table].from_hex(text if isinstance(text, str) else "")
    except MalformedError as error:
        raise ConfigError(f"{file}: the id of {slug} is not 32 bytes of hex") from error
    if listed != _TABLES[table](slug):
        raise ConfigError(f"{file}: the id of {slug} is not the digest of its slug", hint="ask who made the file")


_ID_TYPES: dict[str, type[SiteId | AggregatorId | LineageId]] = {
    "sites": SiteId,
    "aggregators": AggregatorId,
    "lineages": LineageId,
}
