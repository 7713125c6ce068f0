"""A local chain as a child process, for tests and demonstrations.

Usage::

    python scripts/local_chain.py                          # Hardhat on a free port of 127.0.0.1, until Ctrl-C
    python scripts/local_chain.py --port 8545
    python scripts/local_chain.py --kind anvil --state chain.json    # keeps its state between runs

Hardhat forgets everything on restart. Both come from hardhat-local (``npm ci``). The chain dies with the process that
started it (Linux), also when that is killed.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Self

from protocol.errors import ConfigError, FederationError, LedgerUnavailableError

HARDHAT_FOLDER = Path(__file__).resolve().parent.parent / "hardhat-local"
_PR_SET_PDEATHSIG = 1
_READY_SECONDS = 60.0
_STOP_SECONDS = 5.0
_STATE_INTERVAL_SECONDS = 1

Kind = Literal["hardhat", "anvil"]


class LocalChain:
    """A chain that runs while the context is open. Start it from a thread that outlives it: it dies with that thread.

    Args:
        kind: ``"hardhat"``, or ``"anvil"`` where the state must be kept or chains must reorganise.
        host: Address to listen on.
        port: 0 picks a free one.
        state_file: anvil only; loaded at start when it exists, written every second and at the end.

    Attributes:
        url: Where it answers.
        pid: The child, while the context is open.
    """

    def __init__(
        self, kind: Kind = "hardhat", *, host: str = "127.0.0.1", port: int = 0, state_file: Path | None = None
    ) -> None:
        if state_file is not None and kind != "anvil":
            raise ConfigError("Hardhat cannot keep its state", hint="use --kind anvil with --state")
        self.kind: Kind = kind
        self.host = host
        self.port = port or _free_port(host)
        self.url = f"http://{host}:{self.port}"
        self._state_file = state_file
        self._process: subprocess.Popen[bytes] | None = None
        self._output: IO[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The child, while the context is open."""
        return self._process.pid if self._process else None

    def __enter__(self) -> Self:
        command = self._command()
        _require_free(self.host, self.port)
        self._output = tempfile.TemporaryFile()
        parent = os.getpid()
        self._process = subprocess.Popen(
            command,
            cwd=HARDHAT_FOLDER,
            env=os.environ | {"HARDHAT_DISABLE_TELEMETRY_PROMPT": "true", "FOUNDRY_DISABLE_NIGHTLY_WARNING": "1"},
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: _die_with(parent),  # noqa: PLW1509 (no threads are forked here)
        )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self, *, kill: bool = False) -> None:
        """Ends the chain and its children; anvil writes its state first, unless killed."""
        if self._process is not None:
            self._signal_group(signal.SIGKILL if kill else signal.SIGINT)
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._signal_group(signal.SIGKILL)
                self._process.wait()
            self._process = None
        if self._output is not None:
            self._output.close()
            self._output = None

    def rpc(self, method: str, *params: Any) -> Any:
        """One JSON-RPC request, for the development methods such as ``evm_snapshot``.

        Raises:
            LedgerUnavailableError: No answer, or an error.
        """
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}).encode()
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 (our own loopback URL)
                value = json.load(answer)
        except (OSError, ValueError) as error:
            raise LedgerUnavailableError(f"the local chain does not answer {method}: {error}") from error
        if "error" in value:
            raise LedgerUnavailableError(f"the local chain refuses {method}: {value['error'].get('message')}")
        return value["result"]

    def _command(self) -> list[str]:
        modules = HARDHAT_FOLDER / "node_modules"
        if self.kind == "hardhat":
            program = modules / ".bin" / "hardhat"
            arguments = ["node", "--hostname", self.host, "--port", str(self.port)]
        else:
            # The program itself and not npm's launcher, which would be what dies with its parent.
            program = next(modules.glob("@foundry-rs/anvil-*/bin/anvil"), modules / ".bin" / "anvil")
            arguments = ["--host", self.host, "--port", str(self.port), "--quiet"]
            if self._state_file is not None:
                arguments += ["--state", str(self._state_file), "--state-interval", str(_STATE_INTERVAL_SECONDS)]
        if not program.exists():
            raise ConfigError(f"{self.kind} is not installed", hint="run `npm ci` in hardhat-local")
        return [str(program), *arguments]

    def _wait_until_ready(self) -> None:
        give_up = time.monotonic() + _READY_SECONDS
        while True:
            if self._process is None or self._process.poll() is not None:
                raise LedgerUnavailableError(f"{self.kind} ended at once: {self._last_words()}")
            try:
                self.rpc("eth_chainId")
            except LedgerUnavailableError as error:
                if time.monotonic() > give_up:
                    raise LedgerUnavailableError(f"{self.kind} is not ready after {_READY_SECONDS:.0f} s") from error
                time.sleep(0.05)
            else:
                return

    def _last_words(self) -> str:
        if self._output is None:
            return ""
        self._output.seek(0)
        return self._output.read()[-500:].decode("utf-8", "replace").strip()

    def _signal_group(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, number)


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _require_free(host: str, port: int) -> None:
    """Another chain on the port would answer in the place of ours."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise LedgerUnavailableError(
                f"{host}:{port} is taken: {error.strerror}", hint="choose another port"
            ) from error


def main() -> int:
    """Runs the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Run a local chain until Ctrl-C.")
    parser.add_argument("--kind", choices=["hardhat", "anvil"], default="hardhat")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8545, help="0 picks a free one (default: %(default)s)")
    parser.add_argument("--state", type=Path, help="anvil only: the file that keeps the chain")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    state_file = arguments.state and arguments.state.resolve()
    try:
        with LocalChain(arguments.kind, host=arguments.host, port=arguments.port, state_file=state_file) as chain:
            print(chain.url, flush=True)
            signal.pause()
    except KeyboardInterrupt:
        return 0
    except FederationError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
