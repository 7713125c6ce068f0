"""The text in the QR code of a printed consent receipt (docs/spec/consent-print.md, section 2)."""

from __future__ import annotations

from protocol.errors import MalformedError
from protocol.identifiers import Digest

PREFIX = "FEDRX:CONSENT:1:"


def receipt_code(receipt_digest: Digest) -> str:
    """The text; capitals and colons keep the QR code in its short alphanumeric mode."""
    return PREFIX + receipt_digest.hex().upper()


def parse_receipt_code(text: str) -> Digest:
    """The digest of the receipt that a code names.

    Raises:
        MalformedError: Not such a text.
    """
    stripped = text.strip().upper()
    if not stripped.startswith(PREFIX):
        raise MalformedError(
            "this is not the code of a printed consent", hint=f"it begins with {PREFIX}; read the square again"
        )
    return Digest.from_hex(stripped.removeprefix(PREFIX).lower())
