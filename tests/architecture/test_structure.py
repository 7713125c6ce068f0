"""Rooms, sizes and names (docs/map.md)."""

from __future__ import annotations

import ast

from importlinter.cli import lint_imports

from tests.architecture.tree import PRODUCT, ROOMS, ROOT, SCRIPTS, TESTS, name_of, parsed

MAX_LINES = 300
HARD_LINES = 350
MAX_FUNCTION_LINES = 50
FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "helper", "misc", "manager"}


def test_who_may_import_whom(tmp_path):
    assert lint_imports(str(ROOT / "pyproject.toml"), cache_dir=str(tmp_path)) == 0


def test_a_file_is_short_or_says_why_not():
    for path in (*PRODUCT, *SCRIPTS):
        count = len(path.read_text(encoding="utf-8").splitlines())
        if count > MAX_LINES:
            assert "longer than others" in (ast.get_docstring(parsed(path)) or ""), name_of(path)
        assert count <= HARD_LINES, name_of(path)


def test_a_function_is_short():
    for path in (*PRODUCT, *SCRIPTS):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
                assert lines <= MAX_FUNCTION_LINES, f"{name_of(path)}: {node.name}"


def test_no_file_is_named_after_nothing():
    for path in (*PRODUCT, *SCRIPTS, *TESTS):
        words = {word for part in path.relative_to(ROOT).with_suffix("").parts for word in part.split("_")}
        assert not words & FORBIDDEN_NAMES, name_of(path)


def test_every_module_says_what_it_is():
    for path in PRODUCT:
        assert ast.get_docstring(parsed(path)), name_of(path)


def test_a_room_imports_nothing_by_itself():
    for room in ROOMS:
        path = ROOT / room / "__init__.py"
        imports = [node for node in parsed(path).body if isinstance(node, ast.Import | ast.ImportFrom)]
        assert all(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in imports), room
