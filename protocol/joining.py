"""How a site joins (docs/spec/joining.md): invitation, key document, fingerprint.

The governor signs an invitation; the site answers with a key document, whose fingerprint the two read to each other
over the phone before the governor admits it.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime

from protocol.canonical_json import JSONValue, encode, expect_int, expect_list, expect_object, expect_str, parse
from protocol.deployment import Deployment, encode_deployment, parse_deployment
from protocol.errors import MalformedError
from protocol.identifiers import AccountAddress, Digest, SiteId, digest_of, site_id_of

INVITATION_VERSION = 1
KEY_DOCUMENT_VERSION = 1


@dataclass(frozen=True, slots=True, repr=False)
class Invitation:
    """What a site needs to take part. It holds the private swarm's key: hand it over as you would a password."""

    site: str
    """The site's public slug."""
    deployment: Deployment
    governor: AccountAddress
    """Who governs now and signs; at deployment it may have been another account."""
    rpc_url: str
    lineages: tuple[str, ...]
    """Slugs of the lineages to take part in."""
    swarm_key: str
    """Text of the private swarm's key file; empty when the swarm is public."""
    peers: tuple[str, ...]
    """Multiaddresses of IPFS peers."""
    expires_at: int
    """Seconds since 1970."""

    def __repr__(self) -> str:
        return f"Invitation(site={self.site!r}, swarm_key=…)"


@dataclass(frozen=True, slots=True)
class KeyDocument:
    """A joining site's public keys; its digest is on chain."""

    site: str
    account: AccountAddress
    witnesses: tuple[AccountAddress, ...]
    """Staff members' accounts that witness consent, sorted."""
    audit_key_commitment: Digest
    """Commits the site to one audit key (``audit_key_commitment``)."""

    @property
    def site_id(self) -> SiteId:
        """The site's id on chain."""
        return site_id_of(self.site)


def encode_invitation(invitation: Invitation, governor_key: bytes) -> bytes:
    """A signed invitation file: canonical JSON with the governor's EIP-191 signature over its body's digest."""
    from protocol.account_signatures import sign  # noqa: PLC0415 - loads for a second

    body = _invitation_body(invitation)
    signature = sign(digest_of("invitation", encode(body)), governor_key)
    return encode({"body": body, "signature": base64.b64encode(signature).decode("ascii")})


def parse_invitation(data: bytes, *, now: int) -> Invitation:
    """The invitation of a signed file.

    Args:
        data: The file.
        now: Seconds since 1970.

    Raises:
        MalformedError: Not canonical, not signed by the governor whom it names, or expired.
    """
    from protocol.account_signatures import signer_of  # noqa: PLC0415 - loads for a second

    fields = expect_object(parse(data), frozenset({"body", "signature"}))
    names = {"version", "site", "deployment", "governor", "rpc_url", "lineages", "swarm_key", "peers", "expires_at"}
    body = expect_object(fields["body"], frozenset(names))
    if body["version"] != INVITATION_VERSION:
        raise MalformedError(f"invitation version {body['version']} is not known")
    invitation = Invitation(
        site=expect_str(body["site"]),
        deployment=parse_deployment(encode(body["deployment"])),
        governor=AccountAddress.from_hex(expect_str(body["governor"])),
        rpc_url=expect_str(body["rpc_url"]),
        lineages=tuple(expect_str(slug) for slug in expect_list(body["lineages"])),
        swarm_key=expect_str(body["swarm_key"]),
        peers=tuple(expect_str(peer) for peer in expect_list(body["peers"])),
        expires_at=expect_int(body["expires_at"]),
    )
    try:
        signature = base64.b64decode(expect_str(fields["signature"]), validate=True)
        signer = signer_of(digest_of("invitation", encode(body)), signature)
    except (MalformedError, ValueError) as error:
        raise MalformedError("the invitation's signature is none") from error
    if signer != invitation.governor:
        raise MalformedError("the invitation was not signed by the network's governor")
    if invitation.expires_at <= now:
        raise MalformedError(
            f"the invitation has expired: it was good until {_moment(invitation.expires_at)}, "
            f"and this machine's clock says {_moment(now)}",
            hint="ask the governor for a new one, or set the clock",
        )
    return invitation


def encode_key_document(document: KeyDocument) -> bytes:
    """The one encoding of a key document."""
    return encode(
        {
            "version": KEY_DOCUMENT_VERSION,
            "site": document.site,
            "account": document.account.hex(),
            "witnesses": [witness.hex() for witness in document.witnesses],
            "audit_key_commitment": document.audit_key_commitment.hex(),
        }
    )


def parse_key_document(data: bytes) -> KeyDocument:
    """The key document of canonical bytes.

    Raises:
        MalformedError: Not the one encoding of a key document.
    """
    fields = expect_object(parse(data), frozenset({"version", "site", "account", "witnesses", "audit_key_commitment"}))
    if fields["version"] != KEY_DOCUMENT_VERSION:
        raise MalformedError(f"key document version {fields['version']} is not known")
    document = KeyDocument(
        site=expect_str(fields["site"]),
        account=AccountAddress.from_hex(expect_str(fields["account"])),
        witnesses=tuple(AccountAddress.from_hex(expect_str(item)) for item in expect_list(fields["witnesses"])),
        audit_key_commitment=Digest.from_hex(expect_str(fields["audit_key_commitment"])),
    )
    if encode_key_document(document) != data or list(document.witnesses) != sorted(set(document.witnesses)):
        raise MalformedError("the key document is not in its canonical form")
    return document


def key_document_digest(document: KeyDocument) -> Digest:
    """What stands on chain as the site's ``key_digest``."""
    return digest_of("key-document", encode_key_document(document))


def fingerprint(digest: Digest) -> str:
    """Five groups of five digits (83 bits of a digest), easy to read over the phone."""
    number = int.from_bytes(digest, "big")
    groups = []
    for _ in range(5):
        number, group = divmod(number, 100_000)
        groups.append(f"{group:05d}")
    return " ".join(reversed(groups))


def auditor_fingerprint(account: AccountAddress, key_digest: Digest) -> str:
    """What an auditor reads to the governor: it covers the key and the account that declares the key's use."""
    return fingerprint(digest_of("auditor-identity", account, key_digest))


def audit_key_commitment(audit_key: bytes) -> Digest:
    """Commits a site to its audit key without showing it."""
    return digest_of("audit-key", audit_key)


def _moment(timestamp: int) -> str:
    return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%d %H:%M} UTC"


def _invitation_body(invitation: Invitation) -> JSONValue:
    return {
        "version": INVITATION_VERSION,
        "site": invitation.site,
        "deployment": parse(encode_deployment(invitation.deployment)),
        "governor": invitation.governor.hex(),
        "rpc_url": invitation.rpc_url,
        "lineages": list(invitation.lineages),
        "swarm_key": invitation.swarm_key,
        "peers": list(invitation.peers),
        "expires_at": invitation.expires_at,
    }
