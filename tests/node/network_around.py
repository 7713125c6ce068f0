"""What surrounds a site under test: governor, aggregator and two other sites.

They do only what the contract asks of them: what they register is made up.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from protocol import ledger_calls as calls
from protocol.envelope import sealed_length
from protocol.history import History, LineageView, RoundView
from protocol.identifiers import CID, Digest, aggregator_id_of, digest_of, lineage_id_of, site_id_of
from protocol.parameters import encode_parameters, parameters_digest
from protocol.plan import (
    PLAN_SCHEMA,
    PlannedTensor,
    Recipient,
    RoundPlan,
    auditor_recipient_id,
    encode_plan,
    plan_digest,
    recipients_digest,
)
from protocol.recipient_keys import RecipientPrivateKey, public_key_digest
from protocol.tensors import TensorShape
from protocol.update import update_length
from tests.node.data_builders import SITE_ID
from tests.node.tiny_backbone import FewBackbones
from tests.protocol.values import make_plan

ROUND_SECONDS = 1000
ATTEST_SECONDS = 600
KEY_DIGEST = digest_of("test-key")


class NetworkAround:
    """Everybody but the site, on a chain and an IPFS that the site shares."""

    folder: Path
    world: Any
    backbone: Any
    backbones: FewBackbones
    slug: str
    others_store: Any
    aggregator: Any
    others: list[Any]
    auditor_key: RecipientPrivateKey

    def found_lineage(self) -> None:
        self.model = encode_parameters(self.backbone.initial_parameters())
        self.governor.send(
            calls.CreateLineage(
                lineage_id=self.lineage_id,
                genesis_round=0,
                model_digest=parameters_digest(self.model),
                model_cid=self.put(self.model),
                backbone_digest=self.backbone.digest,
                plan_schema=PLAN_SCHEMA,
            )
        )

    def turn_to(self, slug: str, backbone: Any) -> None:
        """From now on rounds are opened in this lineage, which is made when it is not there."""
        self.slug, self.backbone = slug, backbone
        if backbone not in self.backbones.backbones:
            self.backbones.backbones += (backbone,)
        if self.lineage_id not in self.history.lineages:
            self.found_lineage()

    @property
    def governor(self) -> Any:
        return self.world.governor

    @property
    def lineage_id(self) -> Any:
        return lineage_id_of(self.slug)

    @property
    def aggregator_id(self) -> Any:
        return aggregator_id_of("aggregator")

    @property
    def now(self) -> int:
        return self.world.now()

    @property
    def history(self) -> History:
        ledger = self.governor
        return History(ledger.events(ledger.identity.deployment_block_number, ledger.head().number))

    @property
    def lineage(self) -> LineageView:
        return self.history.lineages[self.lineage_id]

    def view(self, number: int) -> RoundView:
        return self.lineage.rounds[number]

    def ours(self, kind: type) -> list[Any]:
        """Events of a kind that this site caused."""
        located = self.governor.events(self.governor.identity.deployment_block_number, self.governor.head().number)
        return [item.event for item in located if isinstance(item.event, kind) and item.event.site_id == SITE_ID]

    def put(self, content: bytes) -> CID:
        path = self.folder.parent / "put"
        path.write_bytes(content)
        return self.others_store.add(path)

    def publish_auditor_key(self) -> None:
        self.auditor_key = RecipientPrivateKey.generate()
        public = self.auditor_key.public_key()
        auditor = self.world.fresh_account()
        self.governor.send(calls.PublishAuditorKey(auditor, public_key_digest(public), self.put(public)))

    def recipients(self) -> tuple[Recipient, ...]:
        epoch = max(self.history.auditor_keys)
        return (
            Recipient("aggregator", Digest(self.aggregator_id), self.round_key.public_key()),
            Recipient("auditor", auditor_recipient_id(epoch), self.auditor_key.public_key()),
        )

    def make_plan(self, number: int, **changes: Any) -> RoundPlan:
        scope = sorted(self.backbone.scope_tensors())
        fields: dict[str, Any] = {
            "lineage_id": self.lineage_id,
            "round": number,
            "parent_digest": self.lineage.head_digest,
            "parent_cid": self.lineage.head_cid,
            "backbone_digest": self.backbone.digest,
            "scope": self.backbone.scope,
            "tensors": tuple(PlannedTensor(TensorShape(name, shape), 24) for name, shape in scope),
            **changes,
        }
        recipients = fields.pop("recipients", None) or self.recipients()
        plan = make_plan(recipients, **fields)
        if "max_envelope_bytes" in changes:
            return plan
        return make_plan(
            recipients, **fields, max_envelope_bytes=sealed_length(update_length(plan), len(plan.recipients))
        )

    def open_round(
        self, *, selected: int = 0b111, announce: bool = True, opened: dict[str, Any] | None = None, **changes: Any
    ) -> RoundPlan:
        """Announces a key, makes a plan and opens the next round; ``opened`` changes what the chain is told."""
        number = self.lineage.last_round + 1
        self.round_key = RecipientPrivateKey.generate()
        public = self.round_key.public_key()
        if announce:
            self.aggregator.send(
                calls.AnnounceRoundKey(self.lineage_id, number, public_key_digest(public), self.put(public))
            )
        plan = self.make_plan(number, **changes)
        encoded = encode_plan(plan)
        fields: dict[str, Any] = {
            "lineage_id": self.lineage_id,
            "round": number,
            "parent_digest": self.lineage.head_digest,
            "plan_digest": plan_digest(encoded),
            "plan_cid": self.put(encoded),
            "recipients_digest": recipients_digest(plan.recipients),
            "deadline": self.now + ROUND_SECONDS,
            "attest_by": self.now + ROUND_SECONDS + ATTEST_SECONDS,
            "min_accepted": 3,
            "selected": (selected,),
        }
        self.aggregator.send(calls.OpenRound(**(fields | (opened or {}))))
        return plan

    def others_register(self) -> None:
        """The two other sites register made-up updates in the live round."""
        live = self.lineage.live_round()
        assert live is not None
        for ledger in self.others:
            name = f"{live.opened.round}/{ledger.account}".encode()
            ledger.send(
                calls.RegisterUpdate(
                    lineage_id=self.lineage_id,
                    round=live.opened.round,
                    envelope_digest=digest_of("test-envelope", name),
                    envelope_cid=self.put(name),
                    parameters_commitment=digest_of("test-commitment", name),
                    weight=1,
                    dataset_root=digest_of("test-dataset", name),
                    consent_version=1,
                )
            )

    def close(self) -> None:
        """Time passes the live round's deadline."""
        live = self.lineage.live_round()
        assert live is not None
        self.world.advance(max(1, live.opened.deadline - self.now))

    def finish(self, *, model: bytes | None = None, code: int = 0) -> None:
        """Closes the live round and attests a result; with fewer than three accepted the round fails."""
        self.close()
        live = self.lineage.live_round()
        assert live is not None
        codes = bytes(
            code or (1 if r.event.index in live.revoked else 0) if r.event.site_id == SITE_ID else 0
            for r in live.registrations
        )
        accepted = sum(1 << index for index, found in enumerate(codes) if found == 0)
        enough = codes.count(0) >= 3
        if model is None:
            parameters = self.backbone.initial_parameters()
            first = min(parameters)
            parameters[first] = parameters[first] + np.float32(live.opened.round) / 64
            model = encode_parameters(parameters)
        self.aggregator.send(
            calls.AttestResult(
                lineage_id=self.lineage_id,
                round=live.opened.round,
                model_digest=parameters_digest(model) if enough else Digest.zero(),
                model_cid=self.put(model) if enough else CID.zero(),
                state_digest=digest_of("test-state") if enough else Digest.zero(),
                verdicts_root=digest_of("test-verdicts"),
                verdicts_cid=self.put(b"verdicts"),
                accepted=accepted,
                codes=codes,
            )
        )

    def abort(self) -> None:
        live = self.lineage.live_round()
        assert live is not None
        self.world.advance(max(1, live.opened.attest_by - self.now))
        self.aggregator.send(calls.AbortRound(self.lineage_id, live.opened.round))

    def _admit(self, slug: str) -> Any:
        ledger = self.world.fresh_ledger()
        self.governor.send(calls.AdmitSite(site_id_of(slug), ledger.account, KEY_DIGEST))
        ledger.send(calls.PublishConsentRoot(digest_of("test-root", slug.encode()), self.now + 10_000_000, 1, 0, 0))
        return ledger
