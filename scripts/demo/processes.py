"""Commands and daemons of the demo as child processes that never outlive it."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

_PR_SET_PDEATHSIG = 1
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "COLUMNS": "160", "PYTHONUNBUFFERED": "1"}


_RUNNING: set[subprocess.Popen[str]] = set()
_ENDED = threading.Event()


def end_commands() -> None:
    """Ends running commands and lets none start any more: Ctrl-C must not wait for a queue of them."""
    _ENDED.set()
    for child in tuple(_RUNNING):
        child.kill()


class CommandFailedError(Exception):
    """A ``fedrx`` command ended with another exit code than 0."""


def fedrx(*arguments: str | Path, log: Path | None = None) -> str:
    """Runs one command as an operator would and returns what it printed.

    Raises:
        CommandFailedError: It failed; holds its last lines.
    """
    command = [sys.executable, "-m", "fedrx", *(str(argument) for argument in arguments)]
    if _ENDED.is_set():
        raise CommandFailedError("the demo was ended")
    parent = os.getpid()
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | _ENVIRONMENT,
        preexec_fn=lambda: die_with(parent),  # noqa: PLW1509 - the child calls nothing before it becomes fedrx
    )
    _RUNNING.add(child)
    try:
        printed, said = child.communicate()
    finally:
        _RUNNING.discard(child)
    done = subprocess.CompletedProcess(command, child.returncode, printed, said)
    if log is not None:
        with log.open("a", encoding="utf-8") as stream:
            stream.write(f"$ fedrx {' '.join(command[3:])}\n{done.stdout}{done.stderr}")
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
        raise CommandFailedError(f"fedrx {' '.join(command[3:])} ended with {done.returncode}:\n{tail}")
    return done.stdout


@dataclass
class Daemon:
    """One long-running ``fedrx`` process with a log of its own."""

    name: str
    arguments: tuple[str, ...]
    log: Path
    module: str = "fedrx"
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> Self:
        """Starts it; it dies with the demo."""
        parent = os.getpid()
        with self.log.open("ab") as stream:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self.module, *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env=os.environ | _ENVIRONMENT,
                start_new_session=True,
                preexec_fn=lambda: die_with(parent),  # noqa: PLW1509 - no threads are forked here
            )
        return self

    @property
    def pid(self) -> int:
        """Process id, 0 when it does not run."""
        return self._process.pid if self._process else 0

    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """Kill -9, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def ask_to_end(self) -> None:
        """TERM, without waiting: ``stop`` waits."""
        if self._process is not None:
            self._process.terminate()

    def stop(self, patience_seconds: float = 10.0) -> None:
        """TERM, then KILL for the whole group."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(patience_seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    @property
    def started(self) -> bool:
        """Whether it was started and not stopped or killed."""
        return self._process is not None

    def says(self, *words: str) -> bool:
        """Whether one line of the log holds all these words."""
        if not self.log.exists():
            return False
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return any(all(word in line for word in words) for line in lines)


def die_with(parent: int) -> None:
    """Asks Linux to end this process when its parent ends, however that ends (prctl(2))."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)
