"""``fedrx``: one exit path for every failure, one line for the user, a traceback only with --debug."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.console import Console
from rich.markup import escape

from fedrx.audit_commands import audit_app
from gateways.data_folder import store_error
from protocol.errors import ConfigError, FederationError
from protocol.foreign_text import one_line

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Federated learning on prescription images, with an audit trail that anyone can recompute.",
)
_DEBUG = "--debug"
_INTERRUPTED = 130
_MAX_MESSAGE_CHARACTERS = 2_000
"""What a shell says of a program that Ctrl-C ended."""
_ROOMS = {
    "node": ("node.commands", "A site's node: data, consent, training, reading."),
    "aggregator": ("aggregator.commands", "The aggregator: opens rounds, verifies updates, attests global models."),
    "governor": ("fedrx.governor_commands", "The consortium's governor: keys, aggregators, auditor, sites."),
}
_AUDIT, _AUDIT_HELP = "audit", "Replay, trail, availability, proofs of samples: nobody has to be believed."
_GOVERNOR_ROOM = "fedrx.governor_commands"
_GOVERNOR_COMMANDS = {
    "deploy": "Deploys the contract.",
    "genesis": "Makes round 0 of a lineage.",
    "invite": "Writes one signed file that a site joins with.",
    "admit": "Admits a site whose fingerprint was read over the phone, and funds it.",
}


def mount(words: Sequence[str]) -> None:
    """Adds all sub-commands; only the one that was called is imported, because torch and web3 load for seconds.

    Args:
        words: Of the command line, without options.
    """
    called = words[0] if words else None
    for name, (module, help_text) in _ROOMS.items():
        room = importlib.import_module(module).app if name == called else typer.Typer(help=help_text)
        if name != called:
            room.command("…", hidden=True)(_placeholder)
        app.add_typer(room, name=name, help=help_text)
    app.add_typer(audit_app(words[1:2] if called == _AUDIT else ()), name=_AUDIT, help=_AUDIT_HELP)
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
    """Runs the command line and turns failures into one line and an exit code (docs/errors.md lists them)."""
    # A copy that is half written lies beside its place until the writer cleans up: SIGTERM must let it.
    signal.signal(signal.SIGTERM, _end)
    _replace_closed_streams()
    words = sys.argv[1:]
    debug = _DEBUG in words
    try:
        mount([word for word in words if not word.startswith("-")])
        # Where --debug stands does not matter: it is typed behind a command that has just failed.
        code = app([_DEBUG] * debug + [word for word in words if word != _DEBUG], standalone_mode=False)
    except KeyboardInterrupt:
        code = _INTERRUPTED
    except (FederationError, typer.TyperException, typer.Abort, OSError) as error:
        if debug:
            raise
        sys.exit(_tell(error))
    if code == _INTERRUPTED:
        _print_error("stopped by Ctrl-C. what was done is kept: the same command goes on from there")
    sys.exit(code)


def _tell(error: Exception) -> int:
    """Prints one line about a failure; returns its exit code."""
    failure = _failure_of(error)
    if failure.what:
        _print_error(str(failure))
    return failure.exit_code


def _failure_of(error: Exception) -> FederationError:
    """A failure as one of the tree; without words when they were said already."""
    if isinstance(error, FederationError):
        return error
    if isinstance(error, OSError):
        return store_error(error, Path(str(error.filename or "output")))
    if isinstance(error, typer.TyperException):
        # A command that was called without a word has printed its help.
        what = error.format_message().rstrip(".?")
        context = getattr(error, "ctx", None)
        return ConfigError(what, hint=f"see {context.command_path} --help" if what and context else "")
    return ConfigError("nothing was done: nobody answered", hint="start it from a terminal, or see --help for --yes")


def _print_error(line: str) -> None:
    # A file's name or an endpoint's words may hold line breaks, or codes that a terminal obeys.
    Console(stderr=True, emoji=False).print(
        f"[red]error[/red] {escape(one_line(line, _MAX_MESSAGE_CHARACTERS))}", highlight=False, soft_wrap=True
    )


def _replace_closed_streams() -> None:
    """A program that was started with its output closed (``2>&-``) has None there, which nothing can write to."""
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - open as long as the process
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115


def _end(number: int, _frame: object) -> None:
    sys.exit(128 + number)


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
