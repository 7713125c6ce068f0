"""Why a file is kept aside: words that stores, logs and screens may rely on."""

from __future__ import annotations

from typing import Final

EMPTY_FILE: Final = "empty-file"
CORRUPT: Final = "corrupt"
UNSUPPORTED_TYPE: Final = "unsupported-type"
PASSWORD_PROTECTED: Final = "password-protected"  # noqa: S105 - a reason, not a secret
TOO_MANY_PIXELS: Final = "too-many-pixels"
TOO_LARGE_FILE: Final = "too-large-file"
TOO_MANY_PAGES: Final = "too-many-pages"
NO_TEXT: Final = "no-text"
DECODER_FAILED: Final = "decoder-failed"
"""The decoder's process died or left its memory limit."""
DECODER_TIMEOUT: Final = "decoder-timeout"

REASONS: Final = (
    EMPTY_FILE,
    CORRUPT,
    UNSUPPORTED_TYPE,
    PASSWORD_PROTECTED,
    TOO_MANY_PIXELS,
    TOO_LARGE_FILE,
    TOO_MANY_PAGES,
    NO_TEXT,
    DECODER_FAILED,
    DECODER_TIMEOUT,
)
