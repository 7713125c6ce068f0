"""What was read over the phone against what a file says."""

from __future__ import annotations

from protocol.errors import ConfigError


def check_fingerprint(said: str, shown: str, *, of: str, who: str) -> None:
    """Refuses digits that are not the fingerprint's.

    Args:
        said: What the other side read aloud; spaces between groups do not matter.
        shown: The fingerprint of what was received.
        of: Whose it should be, such as "this key document's".
        who: Whom to call again.

    Raises:
        ConfigError: They differ.
    """
    if "".join(said.split()) != "".join(shown.split()):
        raise ConfigError(
            f"the fingerprint is not {of}",
            hint=f"call {who} on a number you know and have it read the fingerprint again",
        )
