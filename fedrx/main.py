"""``fedrx``: one exit path for every failure, one line for the user, a traceback only with --debug."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from typing import Annotated

import structlog
import typer
from rich.console import Console
from rich.markup import escape

from protocol.errors import FederationError

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Federated learning on prescription images, with an audit trail that anyone can recompute.",
)
_DEBUG = "--debug"
_ROOMS = {
    "node": ("node.commands", "A site's node: data, consent, training, reading."),
    "aggregator": ("aggregator.commands", "The aggregator: opens rounds, verifies updates, attests global models."),
    "audit": ("audit.commands", "Replay, trail, availability: nobody has to be believed."),
    "governor": ("fedrx.governor_commands", "The consortium's governor: keys, aggregators, auditor, sites."),
}
_GOVERNOR_ROOM = "fedrx.governor_commands"
_GOVERNOR_COMMANDS = {
    "deploy": "Deploys the contract.",
    "genesis": "Makes round 0 of a lineage.",
    "invite": "Writes one signed file that a site joins with.",
    "admit": "Admits a site whose fingerprint was read over the phone, and funds it.",
}


def mount(called: str | None) -> None:
    """Adds all sub-commands; only the one that was called is imported, because torch and web3 load for seconds."""
    for name, (module, help_text) in _ROOMS.items():
        room = importlib.import_module(module).app if name == called else typer.Typer(help=help_text)
        if name != called:
            room.command("…", hidden=True)(_placeholder)
        app.add_typer(room, name=name, help=help_text)
    for name, help_text in _GOVERNOR_COMMANDS.items():
        command = getattr(importlib.import_module(_GOVERNOR_ROOM), name) if name == called else _placeholder
        app.command(name, help=help_text if name != called else None)(command)


def _placeholder() -> None:
    """Stands for a command that was not called."""


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
    mount(next((word for word in sys.argv[1:] if not word.startswith("-")), None))
    try:
        app(standalone_mode=True)
    except FederationError as error:
        if debug:
            raise
        Console(stderr=True).print(f"[red]error[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of our output went away, such as ``fedrx audit trail | head``.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if debug:
            raise
        where = f" ({error.filename})" if error.filename else ""
        Console(stderr=True).print(f"[red]error[/red] {escape(str(error.strerror or error) + where)}", highlight=False)
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
