"""The daemon's loop over a change of the site's account: it begins anew when the chain shows the account that waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from node.keys.documents import NEXT_KEY_DOCUMENT_FILE, take_up_account

if TYPE_CHECKING:
    from gateways.chain_follower import ChainFollower
    from node.rounds.loop import NodeLoop
    from node.site import Site
    from protocol.history import SiteView


class AccountSwitch:
    """Steps a loop; makes another one, which signs with the new account, after a rotation.

    Args:
        site: Its folder is owned by this process.
        follower: Reads the chain for the loop too.
        begin: Makes a loop that signs as ``site.ledger`` does.
    """

    def __init__(self, site: Site, follower: ChainFollower, begin: Callable[[], NodeLoop]) -> None:
        self._site = site
        self._follower = follower
        self._begin = begin
        self._account, self._loop = site.account, begin()

    def step(self) -> bool:
        """One pass of the loop.

        Raises:
            FederationError: As the loop's step, or the keystore cannot be written.
        """
        if (self._site.folder / NEXT_KEY_DOCUMENT_FILE).exists():
            # The loop must not meet the new account first: it takes it for a stranger's.
            self._follower.sync()
        on_chain = self._follower.history.sites.get(self._site.site_id)
        if on_chain is not None and on_chain.account != self._account and self._take_up(on_chain):
            self._account, self._loop = self._site.account, self._begin()
        return self._loop.step()

    def _take_up(self, on_chain: SiteView) -> bool:
        if not take_up_account(self._site.folder, self._site.key_ring, on_chain):
            return False
        self._site.sign_anew()
        return True
