"""``python -m node`` is ``fedrx node`` without the rest of the command line."""

from __future__ import annotations

import logging
import sys

import structlog

from node.commands import app
from protocol.errors import FederationError


def main() -> None:
    """Runs the commands; a failure becomes one line on stderr and an exit code (protocol/errors.py lists them)."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        app()
    except FederationError as error:
        sys.stderr.write(f"error {error}\n")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
