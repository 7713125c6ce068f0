"""A site's audit key as a file for an auditor (docs/spec/sample-proof.md, section 2).

With it, anyone who knows a sample's or a receipt's id finds its leaf below every root that the site ever published:
hand it over as you would a password.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from protocol.canonical_json import encode, expect_list, expect_object, expect_str, parse
from protocol.errors import MalformedError
from protocol.identifiers import Digest
from protocol.joining import (
    KeyDocument,
    audit_key_commitment,
    encode_key_document,
    key_document_digest,
    parse_key_document,
)

FORMAT = "fedrx-site-audit-key/1"


@dataclass(frozen=True, slots=True)
class SiteAuditKey:
    """An audit key, and the documents by which the chain commits the site to it."""

    audit_key: bytes = field(repr=False)
    """32 bytes."""
    key_documents: tuple[KeyDocument, ...]
    """All that the site ever had, sorted by digest."""

    def documents_on_chain(self, key_digests: Collection[Digest]) -> tuple[KeyDocument, ...]:
        """The documents that the chain names; each commits the site to this key.

        Args:
            key_digests: All that the chain ever named for the site.

        Raises:
            MalformedError: The chain names none of them, or one of them commits the site to another key.
        """
        named = [document for document in self.key_documents if key_document_digest(document) in key_digests]
        if not named:
            raise MalformedError("the chain names none of the site's key documents in the audit key file")
        if any(document.audit_key_commitment != audit_key_commitment(self.audit_key) for document in named):
            raise MalformedError("the site is committed to another audit key than the one in the file")
        return tuple(named)


def encode_site_audit_key(key: SiteAuditKey) -> bytes:
    """The one encoding of the file."""
    documents = sorted(key.key_documents, key=key_document_digest)
    return encode(
        {
            "format": FORMAT,
            "audit_key": key.audit_key.hex(),
            "key_documents": [parse(encode_key_document(document)) for document in documents],
        }
    )


def parse_site_audit_key(data: bytes) -> SiteAuditKey:
    """The key of canonical bytes.

    Raises:
        MalformedError: Not the one encoding of an audit key file.
    """
    fields = expect_object(parse(data), frozenset({"format", "audit_key", "key_documents"}))
    if fields["format"] != FORMAT:
        raise MalformedError(f"the format {fields['format']!r} is not {FORMAT}")
    documents = tuple(parse_key_document(encode(item)) for item in expect_list(fields["key_documents"]))
    key = SiteAuditKey(bytes(Digest.from_hex(expect_str(fields["audit_key"]))), documents)
    if encode_site_audit_key(key) != data:
        raise MalformedError("the audit key file is not in its canonical form")
    return key
