"""An in-memory network for tests: keys, sites, consent roots, rounds and sealed updates as event logs and bytes.

    network = Network(sites=4)
    network.open_round()
    network.register_all()
    network.close()
    judgement = network.judge()

Every wrong update is made by the arguments of ``register``: another manifest, another registration, another context,
mutated bytes. ``blocks`` holds what IPFS would hold, by CID; ``events`` what the chain would say, in order.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import eth_abi
import numpy as np
from eth_utils import keccak

from protocol import ledger_events as ev
from protocol.aggregation import NO_SERVER_STATE, aggregate
from protocol.cid import cid_of_bytes
from protocol.errors import VerificationError
from protocol.history import Registration, RoundView
from protocol.identifiers import CID, Digest, RoundId, digest_of
from protocol.judgement import Judgement, judge_round
from protocol.ledger_calls import AttestResult
from protocol.parameters import parameters_digest
from protocol.plan import Recipient, RoundPlan, encode_plan, plan_digest, recipients_digest
from protocol.recipient_keys import RecipientPrivateKey, public_key_digest
from protocol.result import RoundResult, encode_verdicts, failed_result
from protocol.update import TrainingReport, UpdateManifest, delta_digest, encode_delta, encode_update, fresh_salt
from protocol.verdicts import VerdictCode
from protocol.verification import RoundContext
from tests.protocol.constituted import Constituted
from tests.protocol.values import (
    CONSENT_SECONDS,
    GENESIS_TIME,
    IDENTITY,
    ROUND_SECONDS,
    SMALL_TENSORS,
    Aggregator,
    Site,
    account_of,
    make_plan,
    random_delta,
    random_parameters,
    seal_bytes,
)

__all__ = [
    "CONSENT_SECONDS",
    "GENESIS_TIME",
    "IDENTITY",
    "ROUND_SECONDS",
    "SMALL_TENSORS",
    "Aggregator",
    "Network",
    "Site",
    "account_of",
    "make_plan",
    "random_delta",
    "random_parameters",
    "seal_bytes",
]


@dataclass
class Network(Constituted):
    """A whole network in memory: rounds on what is constituted."""

    plan_changes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.envelopes: dict[tuple[int, int], bytes] = {}
        self.round = 0
        self.plan: RoundPlan | None = None

    @property
    def round_id(self) -> RoundId:
        return RoundId(self.lineage_id, self.round)

    @property
    def view(self) -> RoundView:
        return self.history.round(self.round_id)

    @property
    def context(self) -> RoundContext:
        assert self.plan is not None
        history = self.history
        return RoundContext(self.identity, history, history.round(self.round_id), self.plan)

    def open_round(self, *, selected: Sequence[Site] | None = None, **plan_changes: Any) -> RoundPlan:
        """Announces keys, makes a plan and opens the next round on the head."""
        self.round += 1
        for aggregator in self.aggregators:
            public = aggregator.key.public_key()
            self.emit(
                ev.RoundKeyAnnounced(
                    aggregator.aggregator_id, self.lineage_id, self.round, public_key_digest(public), self.put(public)
                )
            )
        defaults = {
            "lineage_id": self.lineage_id,
            "round": self.round,
            "parent_digest": parameters_digest(self.model),
            "parent_cid": cid_of_bytes(self.model),
            "backbone_digest": self.backbone_digest,
            "tensors": self.tensors,
        }
        self.plan = plan = make_plan(self.recipients(), **(defaults | dict(self.plan_changes) | plan_changes))
        encoded = encode_plan(plan)
        bits = sum(1 << site.ordinal for site in (self.sites if selected is None else selected))
        opened = ev.RoundOpened(
            lineage_id=self.lineage_id,
            round=self.round,
            aggregator_id=self.aggregators[0].aggregator_id,
            parent_digest=plan.parent_digest,
            plan_digest=plan_digest(encoded),
            plan_cid=self.put(encoded),
            recipients_digest=recipients_digest(plan.recipients),
            deadline=self.now + ROUND_SECONDS,
            attest_by=self.now + 2 * ROUND_SECONDS,
            min_accepted=plan.min_accepted,
            aggregator_set_version=1,
            selected=tuple(bits >> shift & (2**256 - 1) for shift in range(0, max(1, bits.bit_length()), 256)),
        )
        self.emit(opened)
        return plan

    def delta(self, site: Site) -> dict[str, np.ndarray]:
        """An honest delta of a site in the current round."""
        return random_delta(self.tensors, seed=1000 * self.round + site.ordinal)

    def manifest(
        self, site: Site, delta: bytes, *, num_examples: int = 100, version: int | None = None
    ) -> UpdateManifest:
        """An honest manifest for an encoded delta."""
        plan = self.plan
        assert plan is not None
        version = max(v for s, v in self.consent_roots if s == site.site_id) if version is None else version
        return UpdateManifest(
            lineage_id=plan.lineage_id,
            round=plan.round,
            site_id=site.site_id,
            parent_digest=plan.parent_digest,
            plan_digest=plan_digest(encode_plan(plan)),
            scope=plan.scope,
            num_examples=num_examples,
            weight=plan.weight_of(num_examples),
            dataset_root=digest_of("test-dataset-root", site.site_id),
            consent_root=self.consent_roots.get((site.site_id, version), digest_of("test-no-root")),
            consent_version=version,
            delta_digest=delta_digest(delta),
            commitment_salt=fresh_salt(),
            training=TrainingReport(epochs=1, seconds=3, first_loss="2.500000", last_loss="1.250000"),
        )

    def register(
        self,
        site: Site,
        *,
        delta: Mapping[str, np.ndarray] | None = None,
        encoded: bytes | None = None,
        num_examples: int = 100,
        consent_version: int | None = None,
        manifest: Mapping[str, Any] | None = None,
        event: Mapping[str, Any] | None = None,
        bound: Mapping[str, Any] | None = None,
        recipients: tuple[Recipient, ...] | None = None,
        content: Callable[[bytes], bytes] = bytes,
        envelope: Callable[[bytes], bytes] = bytes,
        delivered: Callable[[bytes], bytes] = bytes,
        at: int | None = None,
    ) -> Registration:
        """Seals and registers an update; each keyword makes one thing wrong.

        Args:
            site: Who registers.
            delta: Another delta than ``self.delta(site)``.
            encoded: The delta's bytes as they are, instead of ``delta``.
            num_examples: Said in the manifest; gives the weight.
            consent_version: Named instead of the latest.
            manifest: Fields of the manifest that are changed after the commitment was made.
            event: Fields of the registration that are changed.
            bound: Fields of the bound context that are changed.
            recipients: Sealed for them instead of the plan's.
            content: Changes the plaintext before it is sealed.
            envelope: Changes the envelope before its digest and CID are taken.
            delivered: Changes what IPFS delivers, after the registration.
            at: Time of the registration.
        """
        plan, context = self.plan, self.context
        assert plan is not None
        body = encode_delta(self.delta(site) if delta is None else delta, plan) if encoded is None else encoded
        said = self.manifest(site, body, num_examples=num_examples, version=consent_version)
        registered = ev.UpdateRegistered(
            lineage_id=self.lineage_id,
            round=self.round,
            site_id=site.site_id,
            index=len(context.view.registrations),
            envelope_digest=Digest.zero(),
            envelope_cid=CID.zero(),
            parameters_commitment=said.parameters_commitment(),
            weight=said.weight,
            dataset_root=said.dataset_root,
            consent_version=said.consent_version,
            commitment_scheme=1,
        )
        plain = content(encode_update(dataclasses.replace(said, **(manifest or {})), body).getvalue())
        place = dataclasses.replace(context.bound_context(registered), **(bound or {}))
        sealed = envelope(seal_bytes(plain, plan.recipients if recipients is None else recipients, place))
        registered = dataclasses.replace(
            registered,
            envelope_digest=digest_of("envelope", sealed),
            envelope_cid=cid_of_bytes(sealed),
        )
        registered = dataclasses.replace(registered, **(event or {}))
        self.blocks[registered.envelope_cid] = self.envelopes[self.round, registered.index] = delivered(sealed)
        return Registration(registered, self.emit(registered, at=at))

    def register_all(self) -> list[Registration]:
        """An honest update of every site."""
        return [self.register(site) for site in self.sites]

    def revoke(self, site: Site) -> ev.Position:
        """A site takes its update back."""
        registration = self.view.registration_of(site.site_id)
        assert registration is not None
        return self.emit(ev.UpdateRevoked(self.lineage_id, self.round, site.site_id, registration.event.index))

    def close(self) -> None:
        """Time passes the deadline."""
        self.now = max(self.now, self.view.opened.deadline)

    def fetched(self, registration: Registration) -> io.BytesIO:
        """What IPFS delivers for a registration."""
        sealed = self.envelopes.get((registration.event.round, registration.event.index))
        if sealed is None:
            raise VerificationError(VerdictCode.NOT_FETCHED, "nobody delivered it")
        return io.BytesIO(sealed)

    def judge(self, key: RecipientPrivateKey | None = None) -> Judgement:
        """The judgement of the current round, with the first aggregator's key or another."""
        return judge_round(self.context, self.aggregators[0].key if key is None else key, self.fetched)

    def aggregated(self, judgement: Judgement) -> bytes:
        """The new model of a judgement."""
        assert self.plan is not None
        return b"".join(aggregate(io.BytesIO(self.model), judgement.accepted, self.plan))

    def result(self, judgement: Judgement) -> RoundResult:
        """The honest result of a judgement; model and verdict list are put where IPFS would have them."""
        verdicts_cid = self.put(encode_verdicts(self.round_id, judgement.verdicts))
        if not judgement.enough:
            return failed_result(self.round_id, judgement.verdicts, verdicts_cid)
        model = self.aggregated(judgement)
        return RoundResult(
            self.round_id, parameters_digest(model), self.put(model), NO_SERVER_STATE, judgement.verdicts, verdicts_cid
        )

    def conclude(self, result: RoundResult | None = None, **changes: Any) -> RoundResult:
        """Closes, judges, attests and finalises (or fails) the current round; the head moves.

        Args:
            result: Attested instead of the honest one.
            changes: Fields of the attested call that are changed: a lying aggregator.
        """
        self.close()
        result = self.result(self.judge()) if result is None else result
        call = dataclasses.replace(result.to_call(), **changes)
        for aggregator in self.aggregators:
            voted = ev.ResultAttested(self.lineage_id, self.round, aggregator.aggregator_id, self.result_digest(call))
            self.emit(voted)
        verdicts = (call.verdicts_root, call.verdicts_cid, call.accepted, call.codes)
        if call.model_digest == Digest.zero():
            self.emit(ev.RoundFailed(self.lineage_id, self.round, *verdicts))
            return result
        model = (call.model_digest, call.model_cid, call.state_digest)
        self.emit(ev.RoundFinalized(self.lineage_id, self.round, *model, *verdicts))
        self.model = self.blocks.get(call.model_cid, self.model)
        return result

    def result_digest(self, call: AttestResult) -> Digest:
        """keccak-256 over the ABI encoding of a result, as the contract makes it."""
        types = ["uint256", "address", "bytes32", "uint64", *["bytes32"] * 5, "uint256", "bytes"]
        values = [self.identity.chain_id, str(self.identity.contract_address)]
        values += [getattr(call, f.name) for f in dataclasses.fields(call)]
        plain = [bytes(v) if isinstance(v, bytes) else v for v in values]
        return Digest(keccak(eth_abi.encode(types, plain)))
