"""A hostile site: admitted like the others, it tries to pass off another site's update as its own.

It has everything that an outsider can get: the chain, IPFS, its own membership and consent root. It waits until the
victim's sealed update is public and registers the very same bytes under its own name.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from gateways.chain_follower import ChainFollower
from node.consent.publication import publisher_of
from node.site import open_site
from protocol.errors import FederationError
from protocol.history import RoundView
from protocol.identifiers import lineage_id_of, site_id_of
from protocol.ledger_calls import RegisterUpdate
from protocol.round import RoundState

_POLL_SECONDS = 1.0


def main() -> None:
    """``python -m scripts.demo.hostile --config node.toml --victim SLUG --round N``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--victim", required=True)
    parser.add_argument("--lineage", required=True)
    parser.add_argument("--round", type=int, required=True)
    options = parser.parse_args()
    with open_site(options.config) as site:
        follower = ChainFollower(site.ledger)
        consents = publisher_of(site)
        while True:
            history = follower.sync()
            now = follower.head.timestamp
            lineage = history.lineages[lineage_id_of(options.lineage)]
            before, view = lineage.rounds.get(options.round - 1), lineage.rounds.get(options.round)
            if before is not None and before.outcome is not None:
                # Only now, so that no earlier round selects this site and waits for it.
                consents.ensure_root(history, now)
            if view is not None and view.state(now) is not RoundState.OPEN:
                raise FederationError("the round closed before the victim registered")
            version = consents.root_in_force(history, now)
            if view is not None and version is not None:
                call = copied_registration(view, options.victim, version)
                if call is not None:
                    print(f"registered a copy of {options.victim}'s update in {site.ledger.send(call).tx_hash}")
                    return
            time.sleep(_POLL_SECONDS)


def copied_registration(view: RoundView, victim: str, consent_version: int) -> RegisterUpdate | None:
    """The victim's registration with the thief's consent version, once there is one."""
    theirs = view.registration_of(site_id_of(victim))
    if theirs is None:
        return None
    event = theirs.event
    return RegisterUpdate(
        lineage_id=event.lineage_id,
        round=event.round,
        envelope_digest=event.envelope_digest,
        envelope_cid=event.envelope_cid,
        parameters_commitment=event.parameters_commitment,
        weight=event.weight,
        dataset_root=event.dataset_root,
        consent_version=consent_version,
    )


if __name__ == "__main__":
    main()
