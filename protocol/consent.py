"""Consent receipts (docs/spec/consent.md): what a patient agreed to, who witnessed it, and its place under a root.

The shape follows ISO/IEC TS 27560 (consent record structure); purposes are GA4GH Data Use Ontology codes. A staff
member who witnessed the consent signs the receipt's digest by EIP-712. A receipt never leaves the site; the chain
sees a Merkle root of salted leaves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data
from eth_keys.exceptions import BadSignature

from protocol.canonical_json import JSONValue, encode, expect_int, expect_list, expect_object, expect_str, parse
from protocol.errors import ConsentError, MalformedError
from protocol.identifiers import AccountAddress, Digest, SiteId, digest_of
from protocol.merkle import Leaf, MerkleTree, leaf_key
from protocol.ports import ChainIdentity

RECEIPT_VERSION = 1
SIGNATURE_BYTES = 65
CONSENT_DOMAIN = "consent-receipt"

DUO_PURPOSES: Mapping[str, str] = {
    "DUO:0000006": "health, medical or biomedical research",
    "DUO:0000042": "general research use",
    "DUO:0000043": "clinical care use",
}
"""The Data Use Ontology codes that a receipt may name here, with their meaning."""

Method: TypeAlias = Literal["signed-form", "verbal-witnessed"]


@dataclass(frozen=True, slots=True)
class ConsentReceipt:
    """One patient's consent."""

    receipt_id: Digest
    """Random, made when the consent was given."""
    site_id: SiteId
    patient: str
    """The site's own identifier of the patient; stays at the site."""
    purposes: tuple[str, ...]
    """DUO codes, sorted."""
    language: str
    """BCP 47 tag of the text that was shown."""
    notice_digest: Digest
    """Digest of the text that was shown."""
    notice_version: str
    method: Method
    asked_by: str
    """The staff member who asked."""
    witness: AccountAddress
    """The key of the staff member who witnessed and signs."""
    granted_at: int
    """Seconds since 1970."""
    expires_at: int
    """Seconds since 1970."""

    def __post_init__(self) -> None:
        if not self.purposes or list(self.purposes) != sorted(set(self.purposes)):
            raise MalformedError("a consent receipt names its purposes once each, sorted")
        if unknown := set(self.purposes) - DUO_PURPOSES.keys():
            raise MalformedError(f"purpose {min(unknown)!r} is not known")
        if not 0 <= self.granted_at < self.expires_at:
            raise MalformedError("a consent receipt expires after it was granted")

    def digest(self) -> Digest:
        """Digest of the canonical receipt; this is what the witness signs."""
        return digest_of("consent-receipt", encode_receipt(self))


@dataclass(frozen=True, slots=True)
class SignedReceipt:
    """A receipt and its witness's EIP-712 signature."""

    receipt: ConsentReceipt
    signature: bytes
    """65 bytes: r, s, v."""


@dataclass(frozen=True, slots=True)
class ConsentEntry:
    """A signed receipt in force, with the salt of its leaf. Shredding the salt unlinks the leaf from the patient."""

    signed: SignedReceipt
    salt: bytes
    """32 random bytes."""

    def leaf(self, audit_key: bytes) -> Leaf:
        """The receipt's leaf under the site's consent root."""
        receipt = self.signed.receipt
        value = digest_of("consent-leaf", self.salt, receipt.digest(), receipt.expires_at.to_bytes(8, "big"))
        return Leaf(leaf_key(audit_key, CONSENT_DOMAIN, receipt.receipt_id), value)


def consent_tree(entries: Iterable[ConsentEntry], audit_key: bytes) -> MerkleTree:
    """The tree whose root a site publishes: all receipts in force."""
    return MerkleTree([entry.leaf(audit_key) for entry in entries])


def encode_receipt(receipt: ConsentReceipt) -> bytes:
    """The one encoding of a receipt."""
    return encode(
        {
            "version": RECEIPT_VERSION,
            "record_id": receipt.receipt_id.hex(),
            "pii_controller": receipt.site_id.hex(),
            "pii_principal": receipt.patient,
            "processing": {
                "purposes": list(receipt.purposes),
                "pii_categories": ["handwriting-of-medicine-names"],
                "operations": ["federated-training"],
            },
            "notice": {
                "digest": receipt.notice_digest.hex(),
                "version": receipt.notice_version,
                "language": receipt.language,
            },
            "event": {
                "state": "given",
                "method": receipt.method,
                "asked_by": receipt.asked_by,
                "witness": receipt.witness.hex(),
                "granted_at": receipt.granted_at,
                "expires_at": receipt.expires_at,
            },
        }
    )


def parse_receipt(data: bytes) -> ConsentReceipt:
    """The receipt of canonical bytes.

    Raises:
        MalformedError: Not the one encoding of a receipt.
    """
    top = frozenset({"version", "record_id", "pii_controller", "pii_principal", "processing", "notice", "event"})
    fields = expect_object(parse(data), top)
    if fields["version"] != RECEIPT_VERSION:
        raise MalformedError(f"consent receipt version {fields['version']} is not known")
    processing = expect_object(fields["processing"], frozenset({"purposes", "pii_categories", "operations"}))
    notice = expect_object(fields["notice"], frozenset({"digest", "version", "language"}))
    event_keys = frozenset({"state", "method", "asked_by", "witness", "granted_at", "expires_at"})
    event = expect_object(fields["event"], event_keys)
    method = expect_str(event["method"])
    if method not in {"signed-form", "verbal-witnessed"}:
        raise MalformedError(f"consent method {method!r} is not known")
    receipt = ConsentReceipt(
        receipt_id=Digest.from_hex(expect_str(fields["record_id"])),
        site_id=SiteId.from_hex(expect_str(fields["pii_controller"])),
        patient=expect_str(fields["pii_principal"]),
        purposes=tuple(expect_str(code) for code in expect_list(processing["purposes"])),
        language=expect_str(notice["language"]),
        notice_digest=Digest.from_hex(expect_str(notice["digest"])),
        notice_version=expect_str(notice["version"]),
        method=cast("Method", method),
        asked_by=expect_str(event["asked_by"]),
        witness=AccountAddress.from_hex(expect_str(event["witness"])),
        granted_at=expect_int(event["granted_at"]),
        expires_at=expect_int(event["expires_at"]),
    )
    if encode_receipt(receipt) != data:
        raise MalformedError("the consent receipt is not in its canonical form")
    return receipt


def sign_receipt(receipt: ConsentReceipt, private_key: bytes, identity: ChainIdentity) -> SignedReceipt:
    """Signs as the witness (EIP-712).

    Args:
        receipt: Names the witness's account.
        private_key: 32 bytes, secp256k1.
        identity: Binds the signature to one deployment.

    Raises:
        ConsentError: The key is not the witness's.
    """
    account = Account.from_key(private_key)
    if bytes.fromhex(account.address[2:]) != receipt.witness:
        raise ConsentError("the signing key is not the witness's key")
    signed = account.sign_message(_typed_message(receipt, identity))
    return SignedReceipt(receipt, bytes(signed.signature))


def verify_receipt(
    signed: SignedReceipt, witnesses: frozenset[AccountAddress], identity: ChainIdentity
) -> ConsentReceipt:
    """Returns the receipt when one of the site's witnesses signed it.

    Raises:
        ConsentError: Signed by nobody, or by somebody who is not a witness of the site.
    """
    if len(signed.signature) != SIGNATURE_BYTES:
        raise ConsentError("the consent receipt's signature is none")
    try:
        address = Account.recover_message(_typed_message(signed.receipt, identity), signature=signed.signature)
    except (BadSignature, ValueError) as error:
        raise ConsentError("the consent receipt's signature is none") from error
    signer = AccountAddress(bytes.fromhex(address[2:]))
    if signer != signed.receipt.witness or signer not in witnesses:
        raise ConsentError("the consent receipt was not signed by a witness of the site")
    return signed.receipt


def _typed_message(receipt: ConsentReceipt, identity: ChainIdentity) -> SignableMessage:
    domain: dict[str, JSONValue] = {
        "name": "FedRx consent",
        "version": "1",
        "chainId": identity.chain_id,
        "verifyingContract": str(identity.contract_address),
    }
    types = {
        "ConsentReceipt": [
            {"name": "receiptDigest", "type": "bytes32"},
            {"name": "siteId", "type": "bytes32"},
            {"name": "grantedAt", "type": "uint64"},
            {"name": "expiresAt", "type": "uint64"},
        ]
    }
    message = {
        "receiptDigest": bytes(receipt.digest()),
        "siteId": bytes(receipt.site_id),
        "grantedAt": receipt.granted_at,
        "expiresAt": receipt.expires_at,
    }
    return encode_typed_data(domain, types, message)
