"""What the consortium's governor has: settings, keystore, chain."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from pydantic import Field

from gateways.block_store import KuboBlockStore
from gateways.data_folder import DataFolder
from gateways.key_ring import KeyRing, read_passphrase
from gateways.ledger.web3_ledger import Web3Ledger
from gateways.settings import ChainSettings, FilePath, Settings, load_settings
from protocol.deployment import Deployment, parse_deployment
from protocol.errors import ConfigError

KEYSTORE = "keystore.json"
ACCOUNT_KEY = "governor"
SWARM_KEY_FILE = "swarm.key"
SETTINGS_FILE = "governor.toml"
DEFAULT_CONFIG = Path(SETTINGS_FILE)


class GovernorSettings(Settings):
    """Everything the governor's commands are told; the key is in the keystore."""

    data_folder: FilePath
    deployment: FilePath
    passphrase_file: FilePath | None = None
    chain: ChainSettings
    site_rpc_url: str | None = None
    """RPC URL that invitations name, where sites reach the chain by another one than the governor."""
    ipfs_url: str | None = None
    """RPC URL of the Kubo that pins genesis models and the auditor's key."""
    peers: tuple[str, ...] = ()
    """Multiaddresses of IPFS peers that invitations name."""
    lineages: tuple[str, ...] = Field(min_length=1)
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
        path = self.settings.deployment
        if not path.exists():
            raise ConfigError(f"there is no deployment file {path}", hint="deploy first: fedrx deploy")
        return parse_deployment(path.read_bytes())

    @cached_property
    def ledger(self) -> Web3Ledger:
        """The chain, signing as the governor."""
        chain = self.settings.chain
        return Web3Ledger.connect(
            chain.rpc_url,
            self.deployment,
            signer_key=self.key_ring.get(ACCOUNT_KEY),
            finality=chain.finality,
            timeout_seconds=chain.timeout_seconds,
            compare_rpc_url=chain.compare_rpc_url,
        )

    @cached_property
    def block_store(self) -> KuboBlockStore:
        """IPFS."""
        if self.settings.ipfs_url is None:
            raise ConfigError("ipfs_url is not set", hint="name a running Kubo in the governor's settings")
        return KuboBlockStore(self.settings.ipfs_url)


@contextmanager
def open_governor(config: Path) -> Iterator[Governor]:
    """The governor from a settings file."""
    yield Governor(load_settings(config, GovernorSettings))
