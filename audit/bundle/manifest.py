"""The first member of a bundle (docs/spec/bundle.md, section 2): what it is about, and what else is in it."""

from __future__ import annotations

from dataclasses import dataclass

from audit.proofs.checkpoint import Checkpoint
from protocol import canonical_json
from protocol.canonical_json import JSONValue, expect_int, expect_list, expect_object, expect_str
from protocol.errors import MalformedError
from protocol.identifiers import AccountAddress, BlockHash, Digest, LineageId, RoundId

FORMAT = "fedrx-bundle/1"
MAX_MANIFEST_BYTES = 64 << 20
MAX_MEMBER_BYTES = 8**11 - 1
"""What eleven octal digits hold: 8 GiB less one byte."""
DEPLOYMENT_NAME, HEADERS_NAME, RECEIPTS_NAME, CONTENT_FOLDER = "deployment.json", "headers", "receipts", "content/"
CHAIN_NAMES = (DEPLOYMENT_NAME, HEADERS_NAME, RECEIPTS_NAME)
_KEYS = frozenset(
    {"format", "chain_id", "contract_address", "block_number", "block_hash", "lineage_id", "first_round", "last_round",
     "members"}
)  # fmt: skip
_MEMBER_KEYS = frozenset({"name", "num_bytes", "sha256"})


@dataclass(frozen=True, slots=True)
class Member:
    """A file within the bundle."""

    name: str
    num_bytes: int
    sha256: Digest
    """Of its bytes as they are, without a domain, so that any tool can compare it."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle says of itself. Nothing in it is believed before ``checking`` went through it."""

    checkpoint: Checkpoint
    """The block up to which it tells the chain; the reader compares it with their own."""
    first: RoundId
    last_round: int
    members: tuple[Member, ...]
    """In the order in which they lie in the file."""


def encode_manifest(manifest: Manifest) -> bytes:
    """The one encoding of a manifest."""
    end = manifest.checkpoint
    return canonical_json.encode(
        {
            "format": FORMAT,
            "chain_id": end.chain_id,
            "contract_address": str(end.contract_address),
            "block_number": end.number,
            "block_hash": str(end.block_hash),
            "lineage_id": str(manifest.first.lineage_id),
            "first_round": manifest.first.number,
            "last_round": manifest.last_round,
            "members": [
                {"name": member.name, "num_bytes": member.num_bytes, "sha256": member.sha256.hex()}
                for member in manifest.members
            ],
        }
    )


def parse_manifest(data: bytes) -> Manifest:
    """The manifest of canonical bytes.

    Raises:
        MalformedError: Not the one encoding of a manifest, or members of other names than a bundle has.
    """
    value = canonical_json.parse_object(data, _KEYS)
    if value["format"] != FORMAT:
        raise MalformedError(f"the format is not {FORMAT}", hint="update the software")
    end = Checkpoint(
        chain_id=expect_int(value["chain_id"]),
        contract_address=AccountAddress.from_hex(expect_str(value["contract_address"])),
        number=expect_int(value["block_number"]),
        block_hash=BlockHash.from_hex(expect_str(value["block_hash"])),
    )
    first = RoundId(LineageId.from_hex(expect_str(value["lineage_id"])), expect_int(value["first_round"], low=1))
    members = tuple(_member(item) for item in expect_list(value["members"]))
    manifest = Manifest(end, first, expect_int(value["last_round"], low=first.number), members)
    names = [member.name for member in members]
    chain, contents = tuple(names[: len(CHAIN_NAMES)]), names[len(CHAIN_NAMES) :]
    if chain != CHAIN_NAMES or not all(name.startswith(CONTENT_FOLDER) for name in contents):
        raise MalformedError(f"the members are not {', '.join(CHAIN_NAMES)} and then contents")
    if len(set(names)) != len(names):
        raise MalformedError("a member is listed twice")
    # Hex has several spellings, a bundle has one.
    if encode_manifest(manifest) != data:
        raise MalformedError("the manifest is not in its canonical spelling")
    return manifest


def _member(value: JSONValue) -> Member:
    fields = expect_object(value, _MEMBER_KEYS)
    return Member(
        expect_str(fields["name"]),
        expect_int(fields["num_bytes"], high=MAX_MEMBER_BYTES),
        Digest.from_hex(expect_str(fields["sha256"])),
    )
