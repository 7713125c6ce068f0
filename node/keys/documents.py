"""A site's key documents on disk (docs/keys.md): the one in force, the one that waits, and all there ever were.

A new document names a new account. Both wait, the account's key as ``account/next`` in the keystore, until the chain
shows them; only then the node signs with the new account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from gateways.data_folder import sync_folder, write_atomically
from gateways.key_ring.accounts import address_of, open_account
from protocol.errors import StoreError
from protocol.joining import KeyDocument, encode_key_document, key_document_digest, parse_key_document

if TYPE_CHECKING:
    from pathlib import Path

    from gateways.data_folder import DataFolder
    from gateways.key_ring import KeyRing
    from protocol.history import SiteView
    from protocol.identifiers import AccountAddress, Digest

logger = structlog.get_logger(__name__)

ACCOUNT_KEY: Final = "account"
NEXT_ACCOUNT_KEY: Final = "account/next"
KEY_DOCUMENT_FILE: Final = "site-keys.json"
"""The document in force, or the one that the governor admits the site with."""
NEXT_KEY_DOCUMENT_FILE: Final = "site-keys.next.json"
"""A document that waits for the governor."""
_ARCHIVE: Final = "key-documents"


def read_key_document(path: Path) -> KeyDocument | None:
    """A document, or None where there is no file.

    Raises:
        MalformedError: The file is no key document.
    """
    return parse_key_document(path.read_bytes()) if path.exists() else None


def write_key_document(folder: DataFolder, name: str, document: KeyDocument) -> Path:
    """Writes a document under a name, and first, by its digest, to where all of them stay."""
    encoded = encode_key_document(document)
    write_atomically(_archived(folder, key_document_digest(document)), encoded, mode=0o644)
    path = folder / name
    write_atomically(path, encoded, mode=0o644)
    return path


def take_up_account(folder: DataFolder, key_ring: KeyRing, on_chain: SiteView) -> bool:
    """Makes the account that waits the site's own if the chain shows it; says whether it did.

    The keystore's one write is the last: killed before it, everything is done again. The caller owns the folder.

    Raises:
        StoreError: The disk refuses, or the document that the chain names is missing here.
    """
    key_ring.reload()
    if NEXT_ACCOUNT_KEY not in key_ring.names():
        return False
    if address_of(open_account(key_ring, NEXT_ACCOUNT_KEY)) != on_chain.account:
        return False
    archived = _archived(folder, on_chain.key_digest)
    if not archived.exists():
        raise StoreError(
            f"the chain names a key document that is not in {archived.parent}", hint="put it back from a backup"
        )
    write_atomically(folder / KEY_DOCUMENT_FILE, archived.read_bytes(), mode=0o644)
    # Whatever waits names the account that is taken up now, and the contract takes no account twice.
    (folder / NEXT_KEY_DOCUMENT_FILE).unlink(missing_ok=True)
    sync_folder(folder.path)
    key_ring.rename(NEXT_ACCOUNT_KEY, ACCOUNT_KEY)
    logger.info("node.account_taken_up", account=str(on_chain.account))
    return True


def own_account(folder: DataFolder, on_chain: SiteView | None) -> AccountAddress | None:
    """The site's account by its key documents, which are public: a command that only looks opens no keystore."""
    waiting = read_key_document(folder / NEXT_KEY_DOCUMENT_FILE)
    if waiting is not None and on_chain is not None and waiting.account == on_chain.account:
        return waiting.account
    document = read_key_document(folder / KEY_DOCUMENT_FILE)
    return None if document is None else document.account


def all_key_documents(folder: DataFolder) -> tuple[KeyDocument, ...]:
    """Every key document that the site ever had.

    Raises:
        MalformedError: A file is no key document.
    """
    archived = [parse_key_document(path.read_bytes()) for path in sorted(folder.subfolder(_ARCHIVE).glob("*.json"))]
    own = read_key_document(folder / KEY_DOCUMENT_FILE)
    return tuple(archived) if own is None or own in archived else (*archived, own)


def _archived(folder: DataFolder, digest: Digest) -> Path:
    return folder.subfolder(_ARCHIVE) / f"{digest.hex()}.json"
