"""Consent under a root (docs/spec/consent.md, sections 2 and 3): the witness's signature, and the leaf of a receipt.

A staff member who witnessed the consent signs the receipt's digest by EIP-712. The chain sees a Merkle root of salted
leaves.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from protocol.consent_receipt import ConsentReceipt
from protocol.errors import ConsentError, MalformedError
from protocol.identifiers import AccountAddress, Digest, digest_of
from protocol.merkle import Leaf, MerkleTree, leaf_key
from protocol.ports import ChainIdentity

if TYPE_CHECKING:
    from protocol.account_signatures import TypedData

CONSENT_DOMAIN = "consent-receipt"


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
        value = consent_leaf_value(self.salt, receipt.digest(), receipt.expires_at)
        return Leaf(leaf_key(audit_key, CONSENT_DOMAIN, receipt.receipt_id), value)


def consent_leaf_value(salt: bytes, receipt_digest: Digest, expires_at: int) -> Digest:
    """What stands under a receipt's key in the consent tree.

    Args:
        salt: 32 random bytes.
        receipt_digest: Of the canonical receipt.
        expires_at: Seconds since 1970.
    """
    return digest_of("consent-leaf", salt, receipt_digest, expires_at.to_bytes(8, "big"))


def consent_tree(entries: Iterable[ConsentEntry], audit_key: bytes) -> MerkleTree:
    """The tree whose root a site publishes: all receipts in force."""
    return MerkleTree([entry.leaf(audit_key) for entry in entries])


def sign_receipt(receipt: ConsentReceipt, private_key: bytes, identity: ChainIdentity) -> SignedReceipt:
    """Signs as the witness (EIP-712).

    Args:
        receipt: Names the witness's account.
        private_key: 32 bytes, secp256k1.
        identity: Binds the signature to one deployment.

    Raises:
        ConsentError: The key is not the witness's.
    """
    from protocol.account_signatures import account_of, sign  # noqa: PLC0415 - loads for a second

    if account_of(private_key) != receipt.witness:
        raise ConsentError("the signing key is not the witness's key")
    return SignedReceipt(receipt, sign(_typed_data(receipt, identity), private_key))


def verify_receipt(
    signed: SignedReceipt, witnesses: frozenset[AccountAddress], identity: ChainIdentity
) -> ConsentReceipt:
    """Returns the receipt when one of the site's witnesses signed it.

    Raises:
        ConsentError: Signed by nobody, or by somebody who is not a witness of the site.
    """
    from protocol.account_signatures import signer_of  # noqa: PLC0415 - loads for a second

    try:
        signer = signer_of(_typed_data(signed.receipt, identity), signed.signature)
    except MalformedError as error:
        raise ConsentError("the consent receipt's signature is none") from error
    if signer != signed.receipt.witness or signer not in witnesses:
        raise ConsentError("the consent receipt was not signed by a witness of the site")
    return signed.receipt


def _typed_data(receipt: ConsentReceipt, identity: ChainIdentity) -> TypedData:
    from protocol.account_signatures import TypedData  # noqa: PLC0415 - loads for a second

    domain: dict[str, str | int] = {
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
    message: dict[str, bytes | int] = {
        "receiptDigest": bytes(receipt.digest()),
        "siteId": bytes(receipt.site_id),
        "grantedAt": receipt.granted_at,
        "expiresAt": receipt.expires_at,
    }
    return TypedData(domain, types, message)
