"""A PostgreSQL of the tests' own: a new cluster in a folder, reached by a socket in it and by nothing else."""

from __future__ import annotations

import ctypes
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

ROLE, PASSWORD = "locked", "correct horse"
"""A role that is let in with its password only; all others need none."""
_PR_SET_PDEATHSIG = 1
_READY_SECONDS = 60.0
_SETTINGS = {"listen_addresses": "", "fsync": "off", "shared_buffers": "16MB", "max_connections": "40"}


class PostgreSQLCluster:
    """A server that runs while the context is open, as the account ``postgres`` where the tests run as root."""

    def __init__(self) -> None:
        # Not below pytest's folder, which only its owner may enter; and a socket's path must be short.
        self.folder = Path(tempfile.mkdtemp(prefix="fedrx-pg-"))
        self._account: dict[str, Any] = {}
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
            self._account = {"user": "postgres", "group": "postgres", "extra_groups": []}
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        try:
            words = ("-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
            subprocess.run([_program("initdb"), *words], check=True, cwd="/", capture_output=True, **self._account)
            access = Path(self._data, "pg_hba.conf")
            access.write_text(f"local all {ROLE} scram-sha-256\n{access.read_text()}")
            self.start()
            self.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'")
        except BaseException:
            self.stop()
            shutil.rmtree(self.folder)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def start(self) -> None:
        """Returns when the server answers."""
        settings = {**_SETTINGS, "unix_socket_directories": str(self.folder)}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [_program("postgres"), "-D", self._data, *words],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with_the_tests,  # noqa: PLW1509 (no threads are forked here)
                **self._account,
            )
        give_up = time.monotonic() + _READY_SECONDS
        while True:
            try:
                return self.execute("SELECT 1")
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > give_up:
                    raise AssertionError((self.folder / "log").read_text()) from error
                time.sleep(0.05)

    def stop(self) -> None:
        """Cuts all connections; what was committed stays."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(_READY_SECONDS)
            self._process = None

    def execute(self, statement: str, database: str = "postgres") -> None:
        """One statement by the superuser."""
        with psycopg.connect(host=str(self.folder), user="postgres", dbname=database, autocommit=True) as connection:
            connection.execute(statement)

    def new_database(self, options: str = "") -> str:
        """Its name."""
        name = f"fedrx{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} {options}")
        return name

    def url(self, database: str, role: str = "postgres") -> str:
        """As the index takes it."""
        return f"postgresql+psycopg://{role}@/{database}?host={self.folder}"

    @property
    def _data(self) -> str:
        return str(self.folder / "data")


def _program(name: str) -> str:
    """Debian keeps the server's programs off PATH, a folder for each version."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    found = shutil.which(name, path=":".join([os.environ["PATH"], *map(str, reversed(folders))]))
    assert found, f"{name} is missing: scripts/test_tools.sh installs PostgreSQL"
    return found


def _die_with_the_tests() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)
