"""One exit path: one line for the user, an exit code by class, no traceback."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fedrx.audit_commands import COMMANDS, audit_app
from protocol import errors
from protocol.errors import FederationError


def fedrx(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).resolve().parents[2]
    return subprocess.run(
        [sys.executable, "-m", "fedrx", *words],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(root), "COLUMNS": "200", "NO_COLOR": "1"},
        cwd=cwd,
    )


def test_help_names_every_room_and_loads_none_of_them() -> None:
    root = Path(__file__).resolve().parents[2]
    code = (
        "import sys; sys.argv = ['fedrx', '--help']\n"
        "from fedrx.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(sorted({'torch', 'web3', 'sqlalchemy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(root)},
    )
    for word in ("node", "aggregator", "audit", "governor", "deploy", "genesis", "invite", "admit"):
        assert word in done.stdout
    assert done.stdout.strip().endswith("[]")


def test_the_list_of_audit_commands_says_what_their_own_help_says() -> None:
    whole = audit_app(COMMANDS)
    assert len(whole.registered_commands) == len(COMMANDS)
    for command in whole.registered_commands:
        assert command.callback is not None
        assert (inspect.getdoc(command.callback) or "").split("\n\n")[0] == COMMANDS[command.name or ""][1]


def test_the_list_of_audit_commands_loads_none_of_them() -> None:
    code = "from fedrx.audit_commands import audit_app; audit_app(()); import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"sqlalchemy", "numpy", "rlp", "requests"} & set(done.stdout.split())


@pytest.mark.parametrize("room", ["node", "aggregator", "audit", "governor"])
def test_a_room_shows_its_commands(room: str) -> None:
    done = fedrx(room, "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


def test_a_missing_settings_file_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    done = fedrx("node", "status", "-c", "absent.toml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.strip().count("\n") == 0
    assert "there is no settings file absent.toml" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("process", "made_by"),
    [("node", "fedrx node join"), ("aggregator", "fedrx aggregator init"), ("governor", "fedrx governor init")],
)
def test_a_missing_settings_file_is_made_by_the_process_own_command(tmp_path: Path, process: str, made_by: str) -> None:
    done = fedrx(process, "status", cwd=tmp_path)
    assert done.returncode == 2
    assert f"name yours with -c FILE, or make one with {made_by}" in done.stderr


def test_an_unknown_setting_is_named(tmp_path: Path) -> None:
    (tmp_path / "node.toml").write_text(
        'site = "a"\ndata_folder = "."\ndeployment = "d"\nlineages = ["x"]\ncolour = 1\n[chain]\nrpc_url = "http://127.0.0.1:1"\n'
    )
    done = fedrx("node", "status", "-c", "node.toml", cwd=tmp_path)
    assert done.returncode == 2
    assert "colour is not a setting" in done.stderr


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = fedrx("--debug", "node", "status", "-c", "absent.toml", cwd=tmp_path)
    assert "Traceback" in done.stderr


def test_every_branch_of_the_error_tree_has_an_exit_code_of_its_own() -> None:
    branches = [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and issubclass(value, FederationError) and FederationError in value.__bases__
    ]
    codes = {branch: branch.exit_code for branch in branches}
    shared = {errors.MalformedError, errors.VerificationError}
    assert codes[errors.MalformedError] == codes[errors.VerificationError]
    single = [code for branch, code in codes.items() if branch not in shared]
    assert len(set(single)) == len(single)
    assert all(code > 1 for code in codes.values())
