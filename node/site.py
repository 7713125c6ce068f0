"""What a site has, opened from its settings: folder, keys, store, journal, chain, IPFS, model.

Expensive parts open when they are first asked for, so that a command pays only for what it uses.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from gateways.chain_follower import ChainFollower
from gateways.daemon_block_store import block_store_beside_daemon
from gateways.data_folder import DataFolder
from gateways.deployment_file import load_deployment
from gateways.journal import Journal
from gateways.key_ring import KeyRing, read_passphrase
from gateways.key_ring.accounts import address_of, open_account
from gateways.ledger.connecting import connect
from gateways.settings import load_settings
from learning.backbones import OpenBackbones
from node.keys.documents import ACCOUNT_KEY, NEXT_ACCOUNT_KEY, take_up_account
from node.rounds.global_models import GlobalModels
from node.settings import NodeSettings
from node.store.opening import open_store
from prescriptions.lexicon import Lexicon, bundled_lexicon, load_lexicon
from protocol.deployment import Deployment
from protocol.errors import ConfigError
from protocol.identifiers import AccountAddress, LineageId, SiteId, lineage_id_of, site_id_of
from protocol.ports import BlockStore, ChainIdentity

if TYPE_CHECKING:
    from gateways.ledger.web3_ledger import Web3Ledger
    from node.store.local_store import LocalStore
    from prescriptions.reading import PageReader

KEYSTORE = "keystore.json"
STORE = "store.sqlite"
JOURNAL = "journal.sqlite"
AUDIT_KEY = "audit-key"
WITNESS_PREFIX = "witness/"


class Site:
    """A site's parts. Close it when done.

    Args:
        settings: The node's settings.
    """

    def __init__(self, settings: NodeSettings) -> None:
        self.settings = settings
        self.folder = DataFolder(settings.data_folder)
        self.site_id: SiteId = site_id_of(settings.site)

    @cached_property
    def deployment(self) -> Deployment:
        """The contract that this site works with."""
        return load_deployment(self.settings.deployment, missing_hint="join first: fedrx node join FILE")

    @property
    def identity(self) -> ChainIdentity:
        """Which contract on which chain."""
        return self.deployment.identity

    @cached_property
    def key_ring(self) -> KeyRing:
        """The site's secrets; asks for the passphrase when no file gives it."""
        path = self.folder / KEYSTORE
        if not path.exists():
            raise ConfigError(f"there is no keystore in {self.folder.path}", hint="make one with fedrx node init")
        return KeyRing.open(path, read_passphrase(self.settings.passphrase_file, "Keystore passphrase: "))

    @cached_property
    def store(self) -> LocalStore:
        """Pages, words, patients, receipts: encrypted."""
        return open_store(self.folder / STORE, self.key_ring)

    @cached_property
    def journal(self) -> Journal:
        """What the daemon did and was about to do; nothing about patients."""
        return Journal(self.folder / JOURNAL)

    @cached_property
    def ledger(self) -> Web3Ledger:
        """The chain, signing as this site; an account that waits is taken up first if the chain shows it."""
        if NEXT_ACCOUNT_KEY in self.key_ring.names():
            on_chain = ChainFollower(self.chain_reader).sync().sites.get(self.site_id)
            if on_chain is not None:
                take_up_account(self.folder, self.key_ring, on_chain)
        return connect(self.settings.chain, self.deployment, signer_key=self.key_ring.get(ACCOUNT_KEY))

    @cached_property
    def chain_reader(self) -> Web3Ledger:
        """The chain, for commands that only look: it needs no key and no passphrase."""
        return connect(self.settings.chain, self.deployment)

    @cached_property
    def block_store(self) -> BlockStore:
        """IPFS at the configured URL, or at the one that the running daemon started."""
        return block_store_beside_daemon(self.settings.ipfs, self.folder)

    @cached_property
    def lexicon(self) -> Lexicon:
        """The medicines this site's words are matched with."""
        path = self.settings.reading.lexicon
        return bundled_lexicon("drugsfda") if path is None else load_lexicon(path)

    @cached_property
    def page_reader(self) -> PageReader:
        """The engine that finds and reads the words of a page."""
        # Imported here: an engine loads for seconds, and most commands read no page.
        from prescriptions.readers import make_reader  # noqa: PLC0415

        return make_reader(self.settings.reading.engine)

    @cached_property
    def backbones(self) -> OpenBackbones:
        """The frozen networks of the lineages' models, each loaded and checked by digest when it is first needed."""
        return OpenBackbones()

    @property
    def lineage_ids(self) -> dict[LineageId, str]:
        """The lineages that this site takes part in, and their slugs."""
        return {lineage_id_of(slug): slug for slug in self.settings.lineages}

    def witnesses(self) -> dict[str, bytes]:
        """Staff names and their signing keys."""
        names = [name for name in self.key_ring.names() if name.startswith(WITNESS_PREFIX)]
        return {name.removeprefix(WITNESS_PREFIX): self.key_ring.get(name) for name in names}

    @property
    def account(self) -> AccountAddress:
        """The site's account."""
        return address_of(open_account(self.key_ring, ACCOUNT_KEY))

    def sign_anew(self) -> None:
        """Lets the next use of ``ledger`` sign with the account that the keystore holds then."""
        self.__dict__.pop("ledger", None)

    def close(self) -> None:
        """Lets files go."""
        for name in ("journal", "store"):
            part = self.__dict__.get(name)
            if part is not None:
                part.close()


def models_of(site: Site) -> GlobalModels:
    """The global models that a site has seen."""
    return GlobalModels(
        site.folder,
        site.journal,
        max_model_bytes=site.settings.max_model_bytes,
        timeout_seconds=site.settings.fetch_timeout_seconds,
    )


@contextmanager
def open_site(config: Path) -> Iterator[Site]:
    """A site from its settings file, closed at the end of the block.

    Raises:
        ConfigError: The settings are wrong.
    """
    site = Site(load_settings(config, NodeSettings))
    try:
        yield site
    finally:
        site.close()
