"""Public names of sites, aggregators and lineages; ids on chain are digests of them, so nobody can take one back."""

from __future__ import annotations

import re
from typing import Final

from protocol.errors import ConfigError

SLUG: Final = r"^[a-z0-9][a-z0-9-]{0,63}$"
"""Nothing that a terminal obeys, that breaks a line, or that looks like another character."""


def check_slug(text: str) -> str:
    """A name as somebody typed it.

    Raises:
        ConfigError: Not a slug.
    """
    if not re.fullmatch(SLUG, text):
        raise ConfigError(f"{text!r:.80} is no slug", hint="it has lower-case letters, digits and hyphens, 64 at most")
    return text
