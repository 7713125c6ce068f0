"""``fedrx``: one exit path for every failure, one line for the user, a traceback only with --debug."""

from __future__ import annotations

import logging
import os
import sys
from typing import Annotated

import structlog
import typer
from aggregator.commands import app as aggregator_app
from audit.commands import app as audit_app
from rich.console import Console

from fedrx.governor_commands import governor_app, mount_governor
from node.commands import app as node_app
from protocol.errors import FederationError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Federated learning on prescription images, with an audit trail that anyone can recompute.",
)
app.add_typer(node_app, name="node")
app.add_typer(aggregator_app, name="aggregator")
app.add_typer(audit_app, name="audit")
app.add_typer(governor_app, name="governor")
mount_governor(app)

_DEBUG = "--debug"


@app.callback()
def options(
    *,
    debug: Annotated[bool, typer.Option(_DEBUG, help="Show tracebacks and debug logs.")] = False,
    log_json: Annotated[bool, typer.Option("--log-json", help="Logs as JSON lines on stderr.")] = False,
) -> None:
    """Configures logging for every sub-command."""
    configure_logging(debug=debug, as_json=log_json)


def main() -> None:
    """Runs the command line and turns failures into one line and an exit code (protocol/errors.py lists them)."""
    debug = _DEBUG in sys.argv
    try:
        app(standalone_mode=True)
    except FederationError as error:
        if debug:
            raise
        Console(stderr=True).print(f"[red]error[/red] {error}", highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of our output went away, such as ``fedrx audit trail | head``.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if debug:
            raise
        where = f" ({error.filename})" if error.filename else ""
        Console(stderr=True).print(f"[red]error[/red] {error.strerror or error}{where}", highlight=False)
        sys.exit(1)


def configure_logging(*, debug: bool, as_json: bool) -> None:
    """Logs go to stderr: one line an event; the only place where logging is set up."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if debug else logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
