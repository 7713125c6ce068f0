"""Writes the vectors of bundles again: ``python -m tests.vectors.generate_bundle``. They never change within a version.

The network's keys are drawn anew each time.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from audit.bundle.making import BundleOptions, Sources, make_bundle
from audit.proofs.checkpoint import encode_checkpoint
from tests.audit.paper_chain import paper_chain
from tests.audit.stage import store_of
from tests.protocol.builders import Network
from tests.vectors.generate import write

REFUSED = [
    {"name": "another name of the first member", "xor_at": 0, "step": "container"},
    {"name": "another owner", "xor_at": 110, "step": "container"},
    {"name": "a byte less", "cut": 1, "step": "container"},
    {"name": "a byte more", "add": 1, "step": "container"},
    {"name": "a bit of a header", "member": "headers", "xor_at": 700, "fit": False, "step": "members"},
    {"name": "a checkpoint of the block before", "checkpoint_block": -1, "step": "checkpoint"},
    {"name": "a bit of a header, manifest made to fit", "member": "headers", "xor_at": 700, "step": "headers"},
    {"name": "headers cut short", "member": "headers", "cut": 1, "step": "headers"},
    {"name": "a bit of a receipt", "member": "receipts", "xor_at": 700, "step": "receipts"},
    {"name": "receipts cut short", "member": "receipts", "cut": 1, "step": "receipts"},
    {"name": "receipts of one more block", "member": "receipts", "add": 1, "step": "receipts"},
    {"name": "another governor", "member": "deployment.json", "governor": "07" * 20, "step": "events"},
    {"name": "a bit of the plan", "content": 1, "xor_at": 9, "step": "contents"},
    {"name": "the contents in another order", "swap_contents": [0, 1], "step": "contents"},
    {"name": "rounds that the chain does not know", "last_round": 2, "step": "contents"},
]


def bundle() -> None:
    """A network of three sites whose first round is open: its plan and its parent are all that the round needs yet."""
    network = Network(sites_count=3)
    network.open_round()
    chain = paper_chain(network.events, network.identity)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "work").mkdir()
        sources = Sources(chain.deployment, chain.checkpoint, chain, [store_of(network)])
        made = make_bundle(folder / "bundle", sources, folder / "work", BundleOptions())
        content = (folder / "bundle").read_bytes()
    accepted = {
        "bundle": content.hex(),
        "checkpoint": encode_checkpoint(chain.checkpoint).decode(),
        "members": [member.name for member in made.manifest.members],
        "rounds": [1],
        "blocks": made.chain.blocks,
        "events": [type(located.event).__name__ for located in made.chain.events],
    }
    write("bundle", accepted=[accepted], refused=REFUSED)


if __name__ == "__main__":
    bundle()
