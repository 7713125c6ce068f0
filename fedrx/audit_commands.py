"""``fedrx audit``: the auditor's own commands, and those that need a backbone."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Mapping
from types import MappingProxyType

import typer

from audit import commands

COMMANDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        **commands.COMMANDS,
        "score": (
            "fedrx.score_command:score_command",
            "Score genesis and every round's model on words of your own; the file holds counts and no word.",
        ),
        "without": (
            "fedrx.without_command:without_command",
            "Score the model that a round would have given without one site; only the scores are kept.",
        ),
    }
)
"""As ``audit.commands.COMMANDS``."""


def audit_app(called: Collection[str]) -> typer.Typer:
    """The commands, of which only those that are called are imported.

    Args:
        called: Names; of every other command no more than its name and one line are known.
    """
    app = typer.Typer(no_args_is_help=True, help="Inspect the trail, replay it, and see what is still there.")
    for name, (place, says) in COMMANDS.items():
        module, _, function = place.partition(":")
        if name in called:
            app.command(name)(getattr(importlib.import_module(module), function))
        else:
            app.command(name, help=says)(_placeholder)
    return app


def _placeholder() -> None:
    """Stands for a command that was not called."""
