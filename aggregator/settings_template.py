"""The settings file that ``init`` writes: the choices that must be made, and the others as comments."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InitialChoices:
    """What ``init`` asks for; everything else has a default."""

    aggregator: str
    deployment: str
    """Path of the deployment file, as it will stand in the settings."""
    rpc_url: str
    ipfs_url: str | None
    swarm_key_file: str | None
    passphrase_file: str | None
    lineages: tuple[tuple[str, str], ...]
    """(slug, scope) of each lineage."""


_LEARNING_RATES = {"last-conv": "0.004", "neck": "0.001", "head": "0.005"}
"""By scope, chosen on a validation split: benchmarks/recogniser.md."""
_OTHER_RATE = "0.002"


def render(choices: InitialChoices) -> str:
    """The text of a settings file that loads as it is."""
    passphrase = _line("passphrase_file", choices.passphrase_file, "asked for at the terminal when unset")
    ipfs_url = _line("url", choices.ipfs_url, "unset: ipfs on PATH, else the embedded core")
    swarm_key = _line("swarm_key_file", choices.swarm_key_file, "needed when url is unset")
    head = f"""\
# Settings of a FedRx aggregator. docs/settings.md explains every key; relative paths start at this file.
aggregator = {_text(choices.aggregator)}
data_folder = "data"
deployment = {_text(choices.deployment)}
{passphrase}
# poll_seconds = 2.0
# opener_grace_seconds = 60
# appeal_window_seconds = 604800    # a week; then a round's key is destroyed

[chain]
rpc_url = {_text(choices.rpc_url)}
# compare_rpc_url = ""              # a second operator's endpoint that must tell the same chain
finality = "latest"                 # "finalized" where the newest blocks can change

[ipfs]
{ipfs_url}
{swarm_key}
# swarm_port = 4001
# peers = []
"""
    return head + "".join(_lineage(slug, scope) for slug, scope in choices.lineages)


def _lineage(slug: str, scope: str) -> str:
    return f"""
[[lineages]]
slug = {_text(slug)}
scope = {_text(scope)}
weighting = "equal"                 # or "num_examples"
max_weight = 4                      # with "num_examples": no site counts for more than so many others
max_norm = "20"                     # a longer update is refused: some times what honest ones come to
min_sites = 3
min_accepted = 3                    # never below 3: fewer would give a site's update away
round_seconds = 86400               # a round closes earlier when every selected site registered
attest_seconds = 3600
max_rounds = 0                      # 0: no end

[lineages.training]
epochs = 1
batch_size = 32
learning_rate = {_text(_LEARNING_RATES.get(scope, _OTHER_RATE))}
clip_norm = "5"
seed = 1
"""


def _line(key: str, value: str | None, comment: str) -> str:
    return f'# {key} = ""    # {comment}' if value is None else f"{key} = {_text(value)}"


def _text(value: str) -> str:
    """A TOML basic string: JSON's escapes are a subset of TOML's."""
    return json.dumps(value, ensure_ascii=False)
