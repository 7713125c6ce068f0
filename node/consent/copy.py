"""What a patient takes home as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from protocol.canonical_json import encode, parse
from protocol.consent_receipt import encode_receipt

if TYPE_CHECKING:
    from protocol.consent import SignedReceipt
    from protocol.ports import ChainIdentity


def patient_copy(signed: SignedReceipt, identity: ChainIdentity) -> bytes:
    """The receipt, its signature, and the deployment that the signature is bound to."""
    return encode(
        {
            "format": "fedrx-signed-consent-receipt/1",
            "receipt": parse(encode_receipt(signed.receipt)),
            "signature": signed.signature.hex(),
            "chain_id": identity.chain_id,
            "contract_address": str(identity.contract_address),
        }
    )
