"""A checkpoint that a command's user trusts: a plain one, or one that enough sites signed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from audit.given import parse_site
from audit.proofs.checkpoint import Checkpoint, read_checkpoint, read_cosigned
from audit.proofs.cosigned import require_cosigned
from audit.proofs.cosigners import read_cosigners
from protocol.errors import ConfigError


def read_trusted(
    checkpoint: Path, accounts: Path | None, require: int | None, sites: Sequence[str]
) -> tuple[Checkpoint, tuple[str, ...]]:
    """The block, and the slugs of the sites that signed it where signatures are asked for.

    Args:
        checkpoint: The file.
        accounts: The trusted list of the sites' accounts; with ``require``, or both None.
        require: How many sites must have signed.
        sites: Whose signatures count; every listed site's when empty.

    Raises:
        ConfigError: Only a part of what signatures need was given, or a file cannot be read.
        MalformedError: A file is not what it should be.
        AuditError: Too few signed, or a signature is none.
    """
    if accounts is None and require is None and not sites:
        return read_checkpoint(checkpoint), ()
    if accounts is None or require is None:
        raise ConfigError(
            "signatures need --accounts FILE and --require N", hint="fedrx audit cosigners writes the accounts"
        )
    note = read_cosigned(checkpoint)
    only = frozenset(parse_site(site) for site in sites)
    return note.checkpoint, require_cosigned(note, read_cosigners(accounts), require, only)
