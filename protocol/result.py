"""A round's verdict list and result (docs/spec/result.md): what the aggregators attest and an auditor recomputes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from protocol.canonical_json import encode, expect_int, expect_list, expect_object, expect_str, parse
from protocol.errors import MalformedError
from protocol.history import Registration
from protocol.identifiers import CID, Digest, LineageId, RoundId, SiteId, digest_of
from protocol.ledger_calls import AttestResult
from protocol.ledger_events import RoundFailed, RoundFinalized
from protocol.merkle import Leaf, MerkleTree
from protocol.verdicts import VerdictCode

VERDICTS_VERSION = 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one registered update."""

    index: int
    site_id: SiteId
    envelope_digest: Digest
    code: VerdictCode


@dataclass(frozen=True, slots=True)
class RoundResult:
    """One outcome of a round, as voted for on chain."""

    round_id: RoundId
    model_digest: Digest
    """Zero when too few updates were accepted."""
    model_cid: CID
    state_digest: Digest
    verdicts: tuple[Verdict, ...]
    verdicts_cid: CID

    @property
    def codes(self) -> bytes:
        """One byte for each registration, in order."""
        return bytes(verdict.code for verdict in self.verdicts)

    @property
    def accepted(self) -> int:
        """Bitmap over registration indices."""
        return sum(1 << v.index for v in self.verdicts if v.code is VerdictCode.ACCEPTED)

    def to_call(self) -> AttestResult:
        """The vote for this result."""
        return AttestResult(
            lineage_id=self.round_id.lineage_id,
            round=self.round_id.number,
            model_digest=self.model_digest,
            model_cid=self.model_cid,
            state_digest=self.state_digest,
            verdicts_root=verdicts_root(self.verdicts),
            verdicts_cid=self.verdicts_cid,
            accepted=self.accepted,
            codes=self.codes,
        )


def failed_result(round_id: RoundId, verdicts: tuple[Verdict, ...], verdicts_cid: CID) -> RoundResult:
    """The result of a round in which too few updates were accepted: it names no model and no state."""
    return RoundResult(round_id, Digest.zero(), CID.zero(), Digest.zero(), verdicts, verdicts_cid)


def make_verdicts(registrations: Sequence[Registration], codes: Mapping[int, VerdictCode]) -> tuple[Verdict, ...]:
    """A verdict for each registration; an index without a code was accepted."""
    return tuple(
        Verdict(r.event.index, r.event.site_id, r.event.envelope_digest, codes.get(r.event.index, VerdictCode.ACCEPTED))
        for r in sorted(registrations, key=lambda r: r.event.index)
    )


def verdicts_root(verdicts: Sequence[Verdict]) -> Digest:
    """Merkle root over the verdicts, keyed by their indices, so that one verdict can be proved alone."""
    return MerkleTree([_leaf(verdict) for verdict in verdicts]).root


def encode_verdicts(round_id: RoundId, verdicts: Sequence[Verdict]) -> bytes:
    """The one encoding of a verdict list, as pinned on IPFS."""
    return encode(
        {
            "version": VERDICTS_VERSION,
            "lineage_id": round_id.lineage_id.hex(),
            "round": round_id.number,
            "verdicts": [_value(verdict) for verdict in verdicts],
        }
    )


def parse_verdicts(data: bytes) -> tuple[RoundId, tuple[Verdict, ...]]:
    """The verdict list of canonical bytes.

    Raises:
        MalformedError: Not the one encoding of a verdict list.
    """
    fields = expect_object(parse(data), frozenset({"version", "lineage_id", "round", "verdicts"}))
    if fields["version"] != VERDICTS_VERSION:
        raise MalformedError(f"verdict list version {fields['version']} is not known")
    round_id = RoundId(LineageId.from_hex(expect_str(fields["lineage_id"])), expect_int(fields["round"], low=1))
    verdicts = []
    for index, item in enumerate(expect_list(fields["verdicts"])):
        entry = expect_object(item, frozenset({"index", "site_id", "envelope_digest", "code"}))
        try:
            code = VerdictCode(expect_int(entry["code"], high=255))
        except ValueError as error:
            raise MalformedError(f"verdict code {entry['code']} is not known") from error
        verdict = Verdict(
            expect_int(entry["index"]),
            SiteId.from_hex(expect_str(entry["site_id"])),
            Digest.from_hex(expect_str(entry["envelope_digest"])),
            code,
        )
        if verdict.index != index:
            raise MalformedError("the verdicts are not in order of registration")
        verdicts.append(verdict)
    if encode_verdicts(round_id, verdicts) != data:
        raise MalformedError("the verdict list is not in its canonical form")
    return round_id, tuple(verdicts)


def differences(result: RoundResult, on_chain: RoundFinalized | RoundFailed) -> tuple[str, ...]:
    """What the chain says otherwise than a recomputed result; empty when both are the same."""
    call = result.to_call()
    if isinstance(on_chain, RoundFailed):
        names: tuple[str, ...] = ("verdicts_root", "verdicts_cid", "accepted", "codes")
        found = [] if result.model_digest == Digest.zero() else ["outcome"]
    else:
        names = ("model_digest", "model_cid", "state_digest", "verdicts_root", "verdicts_cid", "accepted", "codes")
        found = []
    return tuple(found + [name for name in names if getattr(call, name) != getattr(on_chain, name)])


def _value(verdict: Verdict) -> dict[str, str | int]:
    return {
        "index": verdict.index,
        "site_id": verdict.site_id.hex(),
        "envelope_digest": verdict.envelope_digest.hex(),
        "code": int(verdict.code),
    }


def _leaf(verdict: Verdict) -> Leaf:
    return Leaf(Digest(verdict.index.to_bytes(32, "big")), digest_of("verdict", encode(_value(verdict))))
