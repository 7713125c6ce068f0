"""New keys for a site (docs/keys.md): another account, another witness. They wait until the chain shows them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from gateways.chain_follower import ChainFollower
from gateways.key_ring.accounts import address_of, create_account, open_account
from node.consent.desk import known_witness, witness_key
from node.joining import key_document
from node.keys.documents import (
    ACCOUNT_KEY,
    KEY_DOCUMENT_FILE,
    NEXT_ACCOUNT_KEY,
    NEXT_KEY_DOCUMENT_FILE,
    read_key_document,
    take_up_account,
    write_key_document,
)
from node.site import WITNESS_PREFIX
from protocol.errors import ConfigError, ConsentError
from protocol.joining import KeyDocument, fingerprint, key_document_digest

if TYPE_CHECKING:
    from pathlib import Path

    from node.site import Site
    from protocol.history import SiteView
    from protocol.identifiers import AccountAddress


@dataclass(frozen=True, slots=True)
class ProposedKeys:
    """A key document for the governor."""

    file: Path
    account: AccountAddress
    fingerprint: str
    """To be read to the governor over the phone."""
    admitted: bool
    """Whether the governor rotates the site, or has yet to admit it."""


class Listing(StrEnum):
    """Where a witness's key stands."""

    IN_FORCE = "in force"
    WAITS = "waits for the governor"
    NOWHERE = "in no key document"


@dataclass(frozen=True, slots=True)
class Witness:
    """A staff member who has a signing key."""

    name: str
    account: AccountAddress
    listing: Listing


def rotate_account(site: Site) -> ProposedKeys:
    """Makes a new account beside the one in use, and a key document that names it; again, it shows the same one.

    Raises:
        ConfigError: The site is not admitted yet, or has left.
        LedgerError: The chain cannot be read.
    """
    on_chain = _on_chain(site)
    if on_chain is None:
        raise ConfigError("the chain does not know this site yet", hint="an account is rotated once it is admitted")
    return _propose(site, on_chain)


def add_witness(site: Site, name: str) -> ProposedKeys:
    """Makes a signing key for a staff member, and a key document that lists it; again, it shows the same one.

    Raises:
        ConfigError: Not a name for a key, a witness already, or a site that has left.
        LedgerError: The chain cannot be read; nothing was made.
    """
    key, on_chain = witness_key(name), _on_chain(site)
    if key not in site.key_ring.names():
        create_account(site.key_ring, key)
    elif _listing(site, address_of(open_account(site.key_ring, key)), on_chain) is Listing.IN_FORCE:
        raise ConfigError(f"{name} is a witness already", hint="see fedrx node witness list")
    return _propose(site, on_chain)


def remove_witness(site: Site, name: str) -> ProposedKeys:
    """Shreds a staff member's signing key, and makes a key document without it. Receipts signed with it stay good.

    Raises:
        ConfigError: No such witness, the only one, or a site that has left.
        LedgerError: The chain cannot be read; nothing was changed.
    """
    key, on_chain = known_witness(site.key_ring, name), _on_chain(site)
    if [each for each in site.key_ring.names() if each.startswith(WITNESS_PREFIX)] == [key]:
        raise ConfigError(f"nobody but {name} witnesses consent", hint="first: fedrx node witness add NAME")
    site.key_ring.delete(key)
    return _propose(site, on_chain)


def witnesses(site: Site) -> tuple[Witness, ...]:
    """The staff members who have a signing key, by name.

    Raises:
        LedgerError: A key document waits, and the chain cannot be asked about it.
    """
    on_chain = _on_chain(site) if (site.folder / NEXT_KEY_DOCUMENT_FILE).exists() else None
    found = []
    for key in site.key_ring.names():
        if key.startswith(WITNESS_PREFIX):
            account = address_of(open_account(site.key_ring, key))
            found.append(Witness(key.removeprefix(WITNESS_PREFIX), account, _listing(site, account, on_chain)))
    return tuple(found)


def require_listed(site: Site, name: str) -> None:
    """Refuses a witness whose signature no auditor could place: a receipt is judged by the document of its day.

    Raises:
        ConfigError: There is no such witness.
        ConsentError: The chain does not show a key document that lists the witness.
        LedgerError: The witness's key document waits, and the chain cannot be asked about it.
    """
    key = known_witness(site.key_ring, name)
    if read_key_document(site.folder / KEY_DOCUMENT_FILE) is None:
        # Keys of ``fedrx node init``: whoever made them settles their publication too.
        return
    account = address_of(open_account(site.key_ring, key))
    listed = _listing(site, account, None) is Listing.IN_FORCE
    if not listed and _listing(site, account, _on_chain(site)) is not Listing.IN_FORCE:
        raise ConsentError(
            f"{name} cannot witness yet: the chain does not show a key document that lists them",
            hint="the governor puts it there (fedrx governor rotate-site); see fedrx node witness list",
        )


def _propose(site: Site, on_chain: SiteView | None) -> ProposedKeys:
    if on_chain is None:
        name, account_key = KEY_DOCUMENT_FILE, ACCOUNT_KEY
    else:
        if on_chain.left:
            raise ConfigError("this site has left the network")
        name, account_key = NEXT_KEY_DOCUMENT_FILE, NEXT_ACCOUNT_KEY
        _take_up_if_shown(site, on_chain)
        if NEXT_ACCOUNT_KEY not in site.key_ring.names():
            create_account(site.key_ring, NEXT_ACCOUNT_KEY)
    document = key_document(site.settings.site, site.key_ring, account_key)
    file = write_key_document(site.folder, name, document)
    return ProposedKeys(file, document.account, fingerprint(key_document_digest(document)), on_chain is not None)


def _take_up_if_shown(site: Site, on_chain: SiteView) -> None:
    """An account that the chain shows cannot be proposed again."""
    if NEXT_ACCOUNT_KEY not in site.key_ring.names():
        return
    if address_of(open_account(site.key_ring, NEXT_ACCOUNT_KEY)) == on_chain.account:
        with site.folder.locked():
            take_up_account(site.folder, site.key_ring, on_chain)


def _on_chain(site: Site) -> SiteView | None:
    return ChainFollower(site.chain_reader).sync().sites.get(site.site_id)


def _listing(site: Site, account: AccountAddress, on_chain: SiteView | None) -> Listing:
    waiting = read_key_document(site.folder / NEXT_KEY_DOCUMENT_FILE)
    in_force = read_key_document(site.folder / KEY_DOCUMENT_FILE)
    if _lists(waiting, account):
        shown = on_chain is not None and waiting is not None and key_document_digest(waiting) == on_chain.key_digest
        return Listing.IN_FORCE if shown or _lists(in_force, account) else Listing.WAITS
    return Listing.IN_FORCE if _lists(in_force, account) else Listing.NOWHERE


def _lists(document: KeyDocument | None, account: AccountAddress) -> bool:
    return document is not None and account in document.witnesses
