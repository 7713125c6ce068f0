"""The settings file that ``fedrx governor init`` writes."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InitialChoices:
    """What ``init`` asks for; everything else has a default."""

    rpc_url: str
    lineages: tuple[str, ...]
    """Slugs."""
    ipfs_url: str | None
    passphrase_file: str | None


def render(choices: InitialChoices) -> str:
    """The text of a settings file that loads as it is."""
    passphrase = [] if choices.passphrase_file is None else [f"passphrase_file = {_text(choices.passphrase_file)}"]
    lines = [
        "# The governor of a FedRx network. Every key is explained in docs/settings.md.",
        'data_folder = "."',
        'deployment = "deployment.json"',
        *passphrase,
        '# ipfs_url = "http://127.0.0.1:5001"' if choices.ipfs_url is None else f"ipfs_url = {_text(choices.ipfs_url)}",
        "peers = []",
        f"lineages = [{', '.join(map(_text, choices.lineages))}]",
        "",
        "[chain]",
        f"rpc_url = {_text(choices.rpc_url)}",
        "",
    ]
    return "\n".join(lines)


def _text(value: str) -> str:
    """A TOML basic string: JSON's escapes are a subset of TOML's."""
    return json.dumps(value, ensure_ascii=False)
