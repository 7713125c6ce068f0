"""The auditor's signature under a report's file: EIP-712 over its SHA-256 (docs/spec/report-signature.md)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from protocol import canonical_json
from protocol.canonical_json import expect_int, expect_str
from protocol.errors import AuditError, MalformedError
from protocol.identifiers import AccountAddress, Digest

if TYPE_CHECKING:
    from protocol.account_signatures import TypedData

FORMAT = "fedrx-report-signature/1"
MAX_SIGNATURE_FILE_BYTES = 4096
_KEYS = frozenset({"format", "chain_id", "contract_address", "sha256", "signature"})


@dataclass(frozen=True, slots=True)
class ReportSignature:
    """What stands beside a report's file."""

    chain_id: int
    contract_address: AccountAddress
    sha256: Digest
    """Of the report's file."""
    signature: bytes
    """65 bytes r, s, v."""

    def signer(self) -> AccountAddress:
        """The account that signed.

        Raises:
            MalformedError: Nobody did.
        """
        from protocol.account_signatures import signer_of  # noqa: PLC0415 - loads for a second

        return signer_of(_typed_data(self.chain_id, self.contract_address, self.sha256), self.signature)


def sign_report(report: bytes, chain_id: int, contract_address: AccountAddress, private_key: bytes) -> ReportSignature:
    """Signs a report's file with an account's key, 32 bytes."""
    from protocol.account_signatures import sign  # noqa: PLC0415 - loads for a second

    digest = Digest(hashlib.sha256(report).digest())
    signature = sign(_typed_data(chain_id, contract_address, digest), private_key)
    return ReportSignature(chain_id, contract_address, digest, signature)


def signed_by(report: bytes, signed: ReportSignature) -> AccountAddress:
    """The account that signed a report's file.

    Raises:
        AuditError: The signature is another file's, or nobody's.
    """
    if hashlib.sha256(report).digest() != signed.sha256:
        raise AuditError("the signature is another file's", hint="the report was changed after it was signed")
    try:
        return signed.signer()
    except MalformedError as error:
        raise AuditError("the signature is nobody's", hint="ask the auditor for it again") from error


def encode_signature(signed: ReportSignature) -> bytes:
    """The signature's file."""
    return canonical_json.encode(
        {
            "format": FORMAT,
            "chain_id": signed.chain_id,
            "contract_address": str(signed.contract_address),
            "sha256": str(signed.sha256),
            "signature": signed.signature.hex(),
        }
    )


def parse_signature(data: bytes) -> ReportSignature:
    """Reads what ``encode_signature`` wrote.

    Raises:
        MalformedError: Not such a file.
    """
    fields = canonical_json.parse_object(data, _KEYS)
    if fields["format"] != FORMAT:
        raise MalformedError(f"not a {FORMAT} file")
    text = expect_str(fields["signature"])
    try:
        signature = bytes.fromhex(text)
    except ValueError as error:
        raise MalformedError("the signature is not hex") from error
    if signature.hex() != text:
        raise MalformedError("the signature is not the one right hex of its bytes")
    return ReportSignature(
        expect_int(fields["chain_id"]),
        AccountAddress.from_hex(expect_str(fields["contract_address"])),
        Digest.from_hex(expect_str(fields["sha256"])),
        signature,
    )


def _typed_data(chain_id: int, contract_address: AccountAddress, digest: Digest) -> TypedData:
    from protocol.account_signatures import TypedData  # noqa: PLC0415 - loads for a second

    return TypedData(
        {"name": "FedRx report", "version": "1", "chainId": chain_id, "verifyingContract": str(contract_address)},
        {"AuditReport": [{"name": "sha256", "type": "bytes32"}]},
        {"sha256": bytes(digest)},
    )
