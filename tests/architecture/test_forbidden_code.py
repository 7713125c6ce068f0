"""What no file of the product may hold."""

from __future__ import annotations

import ast
import json
import subprocess
import sys

import pytest

from tests.architecture.tree import PRODUCT, ROOT, SCRIPTS, dotted, module_of, name_of, parsed

CODE_FROM_BYTES = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
RUNS_TEXT = {"eval", "exec", "os.system", "os.popen", "yaml.load", "compile"}
AT_IMPORT = (
    "open",
    "os.getenv",
    "os.environ",
    "os.makedirs",
    "os.mkdir",
    "logging.basicConfig",
    "structlog.configure",
    "socket",
    "subprocess",
    "requests",
    "urllib.request",
    "sqlite3.connect",
    "time.sleep",
    "print",
)
ALL = (*PRODUCT, *SCRIPTS)


def calls(path) -> list[tuple[str, ast.Call]]:
    return [(dotted(node.func), node) for node in ast.walk(parsed(path)) if isinstance(node, ast.Call)]


def keyword(call: ast.Call, name: str) -> object:
    return next((k.value.value for k in call.keywords if k.arg == name and isinstance(k.value, ast.Constant)), None)


def test_no_bytes_of_strangers_become_code():
    for path in ALL:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Import):
                assert not {alias.name.split(".")[0] for alias in node.names} & CODE_FROM_BYTES, name_of(path)
            if isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[0] not in CODE_FROM_BYTES, name_of(path)
        for name, call in calls(path):
            assert name not in RUNS_TEXT, f"{name_of(path)}: {name}"
            if name == "torch.load":
                assert keyword(call, "weights_only") is True, name_of(path)
            if name in {"np.load", "numpy.load"}:
                assert keyword(call, "allow_pickle") is False, name_of(path)


def test_no_shell_is_started():
    for path in ALL:
        assert not any(keyword(call, "shell") for _, call in calls(path)), name_of(path)


def test_nothing_is_swallowed():
    for path in ALL:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ExceptHandler):
                place = f"{name_of(path)}, line {node.lineno}"
                assert node.type is not None, place
                caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
                broad = {dotted(kind) for kind in caught} & {"Exception", "BaseException"}
                # Cleaning up and raising the same again swallows nothing.
                raised_again = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
                assert not broad or raised_again, place


def runs_at_import(tree: ast.Module) -> list[ast.AST]:
    """Every node that is evaluated when the module is imported."""
    found: list[ast.AST] = []
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and isinstance(node.test, ast.Compare) and dotted(node.test.left) == "__name__":
            continue
        found.append(node)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            arguments = node.args
            waiting += [*arguments.defaults, *(d for d in arguments.kw_defaults if d is not None)]
            waiting += getattr(node, "decorator_list", [])
            continue
        waiting += ast.iter_child_nodes(node)
    return found


def test_nothing_works_at_import_time():
    for path in PRODUCT:
        for node in runs_at_import(parsed(path)):
            place = f"{name_of(path)}, line {getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Call):
                name = dotted(node.func)
                assert not any(name == word or name.startswith(word + ".") for word in AT_IMPORT), place
            if isinstance(node, ast.expr):
                assert not dotted(node).startswith("os.environ"), place


WATCH = """
import importlib, json, os, sys
seen = []
def watch(event, arguments):
    writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
    if not writes and event not in {"socket.connect", "socket.bind", "subprocess.Popen", "os.system", "os.mkdir"}:
        return
    frame = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith("<frozen"):
        frame = frame.f_back
    if frame is not None and frame.f_code.co_filename.startswith(root):
        seen.append([event, frame.f_code.co_filename, repr(arguments)[:200]])
root, *names = sys.argv[1:]
sys.addaudithook(watch)
for name in names:
    importlib.import_module(name)
sys.__stderr__.write("SEEN" + json.dumps(seen))
sys.stderr.flush()
os._exit(0)
"""


@pytest.mark.slow
def test_importing_every_module_opens_nothing():
    names = [module_of(path) for path in PRODUCT if path.name != "__main__.py"]
    rooms = str(ROOT) + "/"
    command = [sys.executable, "-c", WATCH, rooms, *names]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=280)
    assert "SEEN" in done.stderr, done.stderr[-2000:]
    seen = json.loads(done.stderr.rsplit("SEEN", 1)[1])
    assert [entry for entry in seen if ".venv" not in entry[1]] == []


@pytest.mark.parametrize("path", ALL, ids=name_of)
def test_no_console_makes_pictures_of_what_it_is_given(path) -> None:
    # ``:cd:`` stands in some fingerprints, and Rich would print a disc for it.
    made = [call for called, call in calls(path) if called == "Console"]
    assert all(keyword(call, "emoji") is False for call in made)
