"""``python -m audit``: the auditor's commands without the others."""

from __future__ import annotations

import logging
import sys

import structlog
import typer

from audit.commands import app
from protocol.errors import FederationError


def main() -> None:
    """Runs one command; an expected failure is one line on stderr and its exit code."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    try:
        app()
    except FederationError as error:
        typer.echo(f"fedrx audit: {error}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
