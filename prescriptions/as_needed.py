"""Whether a medicine is to be taken only when it is needed: ``sos``, ``prn``, ``as required``."""

from __future__ import annotations

import re

AS_NEEDED = "as needed"
"""How it is shown."""

_AS_NEEDED = re.compile(
    r"(?<![\w.])(?:s\.?[o0]\.?s|so5|5os|p\.?r\.?n)\.?(?!\w)"
    r"|(?<!\w)(?:as|when|if|only\s+(?:when|if))\s+(?:and\s+when\s+)?(?:needed|required|necessary|reqd?)(?!\w)",
    re.IGNORECASE,
)


def find_as_needed(text: str) -> re.Match[str] | None:
    """Where ``text`` says that a medicine is taken when needed; None when it does not."""
    return _AS_NEEDED.search(text)
