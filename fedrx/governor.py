"""What the consortium's governor has: settings, keystore, chain."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from gateways.data_folder import DataFolder, write_atomically
from gateways.deployment_file import load_deployment
from gateways.key_ring import KeyRing, read_passphrase
from gateways.key_ring.accounts import address_of, open_account
from gateways.ledger.connecting import connect
from gateways.settings import RPCURL, ChainSettings, FilePath, KuboURL, Settings, Slug, load_settings
from protocol.deployment import Deployment
from protocol.errors import ConfigError
from protocol.identifiers import AccountAddress
from protocol.joining import KeyDocument, encode_key_document, key_document_digest, parse_key_document

if TYPE_CHECKING:
    from gateways.block_store import KuboBlockStore
    from gateways.ledger.web3_ledger import Web3Ledger

KEYSTORE = "keystore.json"
KEY_DOCUMENTS = "key-documents"
ACCOUNT_KEY = "governor"
SETTINGS_FILE = "governor.toml"
DEFAULT_CONFIG = Path(SETTINGS_FILE)


class GovernorSettings(Settings):
    """Everything the governor's commands are told; the key is in the keystore."""

    made_by = "fedrx governor init"

    data_folder: FilePath
    deployment: FilePath
    passphrase_file: FilePath | None = None
    chain: ChainSettings
    site_rpc_url: RPCURL | None = None
    """RPC URL that invitations name, where sites reach the chain by another one than the governor."""
    ipfs_url: KuboURL | None = None
    """RPC URL of the Kubo that pins genesis models and the auditor's key."""
    peers: tuple[str, ...] = ()
    """Multiaddresses of IPFS peers that invitations name."""
    lineages: tuple[Slug, ...] = Field(min_length=1)
    """Slugs that invitations name."""
    invitation_days: int = Field(default=14, ge=1)


class Governor:
    """The governor's parts, opened when first asked for."""

    def __init__(self, settings: GovernorSettings) -> None:
        self.settings = settings
        self.folder = DataFolder(settings.data_folder)

    @cached_property
    def key_ring(self) -> KeyRing:
        """The governor's secrets."""
        return KeyRing.open(
            self.folder / KEYSTORE, read_passphrase(self.settings.passphrase_file, "Governor's passphrase: ")
        )

    @cached_property
    def deployment(self) -> Deployment:
        """The contract."""
        return load_deployment(self.settings.deployment, missing_hint="deploy first: fedrx deploy")

    @cached_property
    def ledger(self) -> Web3Ledger:
        """The chain, signing as this keystore's account."""
        return connect(self.settings.chain, self.deployment, signer_key=self.key_ring.get(ACCOUNT_KEY))

    @cached_property
    def chain_reader(self) -> Web3Ledger:
        """The chain, for commands that only look: it needs no passphrase."""
        return connect(self.settings.chain, self.deployment)

    @property
    def account(self) -> AccountAddress:
        """This keystore's account, whether it governs or not."""
        return address_of(open_account(self.key_ring, ACCOUNT_KEY))

    def fund(self, account: AccountAddress, ether: float) -> bool:
        """Tops an account up once it holds less than half of a sum; says whether it did. Safe to repeat.

        Args:
            account: Who is to send transactions.
            ether: How much is sent; 0 sends nothing.

        Raises:
            LedgerError: The governor cannot pay, or the chain does not answer.
        """
        wanted = int(ether * 10**18)
        if self.ledger.balance_wei(account) >= (wanted + 1) // 2:
            return False
        self.ledger.transfer(account, wanted)
        return True

    def keep_key_document(self, document: KeyDocument) -> None:
        """Keeps a document whose fingerprint was checked: an auditor may ask for it in years."""
        digest = key_document_digest(document)
        path = self.folder.subfolder(KEY_DOCUMENTS) / f"{digest.hex()}.json"
        write_atomically(path, encode_key_document(document), mode=0o644)

    def site_slugs(self) -> tuple[str, ...]:
        """Slugs of the sites whose documents were kept, sorted."""
        files = self.folder.subfolder(KEY_DOCUMENTS).glob("*.json")
        return tuple(sorted({parse_key_document(file.read_bytes()).site for file in files}))

    @cached_property
    def block_store(self) -> KuboBlockStore:
        """IPFS."""
        from gateways.block_store import KuboBlockStore  # noqa: PLC0415 - its client loads for a fifth of a second

        if self.settings.ipfs_url is None:
            raise ConfigError("ipfs_url is not set", hint="name a running Kubo in the governor's settings")
        return KuboBlockStore(self.settings.ipfs_url)


@contextmanager
def open_governor(config: Path) -> Iterator[Governor]:
    """The governor from a settings file."""
    yield Governor(load_settings(config, GovernorSettings))
