"""The source files that the architecture tests read."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("protocol", "prescriptions", "learning", "gateways", "node", "aggregator", "audit", "fedrx")
PRODUCT = tuple(sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py")))
SCRIPTS = tuple(sorted((ROOT / "scripts").rglob("*.py")))
TESTS = tuple(sorted(path for folder in ("tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")))


@cache
def parsed(path: Path) -> ast.Module:
    """A file's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def name_of(path: Path) -> str:
    """A file's path within the project."""
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> str:
    """A file's module name."""
    return name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def dotted(node: ast.expr) -> str:
    """``a.b.c`` of a name or attribute, else an empty string."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (base := dotted(node.value)):
        return f"{base}.{node.attr}"
    return ""
