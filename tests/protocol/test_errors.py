"""The exception tree that is drawn is the exception tree that is."""

from __future__ import annotations

import inspect
import re

import pytest

from protocol import errors
from protocol.errors import FederationError, VerificationError
from protocol.verdicts import VerdictCode


def drawn() -> dict[str, tuple[str | None, int | None]]:
    """Name → (parent's name, exit code or None where it is inherited)."""
    path: list[str] = []
    tree: dict[str, tuple[str | None, int | None]] = {}
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^    ((?:│   |    )*)(├── |└── )?(\w+Error)\b(.*)$", line)
        if not found:
            continue
        depth = len(found[1]) // 4 + bool(found[2])
        path[depth:] = [found[3]]
        code = re.search(r"exit (\d+)$", line)
        tree[found[3]] = (path[depth - 1] if depth else None, int(code[1]) if code else None)
    return tree


def classes() -> dict[str, type[FederationError]]:
    members = inspect.getmembers(errors, inspect.isclass)
    return {name: kind for name, kind in members if issubclass(kind, FederationError)}


def test_every_class_is_drawn_below_its_parent():
    actual = {name: None if kind is FederationError else kind.__bases__[0].__name__ for name, kind in classes().items()}
    assert {name: parent for name, (parent, _) in drawn().items()} == actual


def test_every_branch_has_its_drawn_exit_code():
    kinds = classes()
    for name, (_, code) in drawn().items():
        if code is not None:
            assert kinds[name].exit_code == code
    assert FederationError.exit_code == 1


def test_every_name_ends_in_error():
    assert all(name.endswith("Error") for name in classes())


def test_a_message_is_one_line_with_what_to_do():
    error = FederationError("the file is gone", hint="restore it")
    assert str(error) == "the file is gone. restore it"
    assert (error.what, error.hint) == ("the file is gone", "restore it")
    assert str(FederationError("the file is gone")) == "the file is gone"


def test_a_verification_error_carries_its_code():
    with pytest.raises(VerificationError) as caught:
        raise VerificationError(VerdictCode.NOT_OPENED, "chunk 3 does not open")
    assert caught.value.code is VerdictCode.NOT_OPENED
