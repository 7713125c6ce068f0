"""The consortium's deployment file, as an operator keeps it beside the settings."""

from __future__ import annotations

from pathlib import Path

from protocol.deployment import Deployment, parse_deployment
from protocol.errors import ConfigError, MalformedError

_MAX_BYTES = 1 << 20


def load_deployment(path: Path, *, missing_hint: str = "get it from the governor") -> Deployment:
    """The deployment of a file.

    Args:
        path: The file.
        missing_hint: What to do when there is none.

    Raises:
        ConfigError: There is none, it cannot be read, or it is malformed.
    """
    try:
        with path.open("rb") as file:
            return parse_deployment(file.read(_MAX_BYTES))
    except FileNotFoundError as error:
        raise ConfigError(f"there is no deployment file {path}", hint=missing_hint) from error
    except OSError as error:
        raise ConfigError(
            f"the deployment file {path} cannot be read ({error.strerror})", hint="check the path and its permissions"
        ) from error
    except MalformedError as error:
        raise ConfigError(f"{path}: {error.what}", hint="get it again from the governor") from error
