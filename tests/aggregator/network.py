"""A whole network for the aggregator's tests: governor, sites and aggregators that meet on a chain and on IPFS.

The chain is a ``FakeWorld`` or the real one of tests/fixtures_chain.py; the stores are fakes or real Kubo cores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from aggregator.coordinator import Coordinator
from aggregator.fetcher import Fetcher
from aggregator.parts import Parts
from aggregator.round_files import RoundFiles
from aggregator.settings import AggregatorSettings
from gateways.data_folder import DataFolder
from gateways.journal import Journal
from gateways.outbox import Outbox
from protocol import ledger_calls as calls
from protocol.cid import cid_of_bytes
from protocol.envelope import BoundContext
from protocol.errors import KeyRingError
from protocol.history import History, RoundView
from protocol.identifiers import CID, Digest, aggregator_id_of, digest_of, lineage_id_of, site_id_of
from protocol.parameters import encode_parameters, parameters_digest
from protocol.plan import PLAN_SCHEMA, RoundPlan, encode_plan, parse_plan, plan_digest
from protocol.recipient_keys import RecipientPrivateKey, public_key_digest
from protocol.update import TrainingReport, UpdateManifest, delta_digest, encode_delta, encode_update, fresh_salt
from tests.fakes.block_store import FakeSwarm
from tests.fakes.ledger_world import FakeWorld
from tests.protocol.values import SMALL_TENSORS, random_delta, random_parameters, seal_bytes

LINEAGE = "tests"
CONSENT_SECONDS = 10_000_000
KEY_DIGEST = digest_of("test-key")


class Secrets:
    """The key ring without its file: Argon2id would dominate these tests."""

    def __init__(self) -> None:
        self.secrets: dict[str, bytes] = {}

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self.secrets))

    def get(self, name: str) -> bytes:
        return self.secrets[name]

    def put(self, name: str, secret: bytes) -> None:
        self.secrets[name] = secret

    def delete(self, name: str) -> None:
        if self.secrets.pop(name, None) is None:
            raise KeyRingError(f"no {name}")


class Clock:
    """A machine's clock."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def __call__(self) -> float:
        return self.seconds


@dataclass
class Site:
    """A site that trains nothing: it seals a random delta, or a wrong one."""

    slug: str
    ledger: Any
    store: Any
    folder: Path
    consent_version: int = 1

    @property
    def site_id(self) -> Any:
        return site_id_of(self.slug)

    @property
    def consent_root(self) -> Digest:
        return digest_of("test-consent-root", self.site_id, bytes([self.consent_version]))

    def publish_consent(self, now: int, seconds: int = CONSENT_SECONDS) -> None:
        self.ledger.send(calls.PublishConsentRoot(self.consent_root, now + seconds, 1, 0, 0))

    def register(
        self,
        plan: RoundPlan,
        view: RoundView,
        *,
        delta: Mapping[str, np.ndarray] | None = None,
        num_examples: int = 100,
        manifest: Mapping[str, Any] | None = None,
        bound: Mapping[str, Any] | None = None,
        call: Mapping[str, Any] | None = None,
        content: Callable[[bytes], bytes] = bytes,
        envelope: Callable[[bytes], bytes] = bytes,
        deliver: bool = True,
    ) -> CID:
        """Seals, registers, pins; each keyword makes one thing wrong."""
        values = (
            delta
            if delta is not None
            else random_delta(SMALL_TENSORS, seed=plan.round * 100 + int(self.slug.rpartition("-")[2]))
        )
        body = encode_delta(values, plan)
        said = UpdateManifest(
            lineage_id=plan.lineage_id,
            round=plan.round,
            site_id=self.site_id,
            parent_digest=plan.parent_digest,
            plan_digest=plan_digest(encode_plan(plan)),
            scope=plan.scope,
            num_examples=num_examples,
            weight=plan.weight_of(num_examples),
            dataset_root=digest_of("test-dataset-root", self.site_id),
            consent_root=self.consent_root,
            consent_version=self.consent_version,
            delta_digest=delta_digest(body),
            commitment_salt=fresh_salt(),
            training=TrainingReport(epochs=1, seconds=3, first_loss="2.500000", last_loss="1.250000"),
        )
        place = BoundContext(
            chain_id=self.ledger.identity.chain_id,
            contract_address=self.ledger.identity.contract_address,
            lineage_id=plan.lineage_id,
            round=plan.round,
            site_id=self.site_id,
            parent_digest=plan.parent_digest,
            plan_digest=view.opened.plan_digest,
            recipients_digest=view.opened.recipients_digest,
            parameters_commitment=said.parameters_commitment(),
        )
        plain = content(encode_update(replace(said, **(manifest or {})), body).getvalue())
        sealed = envelope(seal_bytes(plain, plan.recipients, replace(place, **(bound or {}))))
        fields: dict[str, Any] = {
            "lineage_id": plan.lineage_id,
            "round": plan.round,
            "envelope_digest": digest_of("envelope", sealed),
            "envelope_cid": cid_of_bytes(sealed),
            "parameters_commitment": said.parameters_commitment(),
            "weight": said.weight,
            "dataset_root": said.dataset_root,
            "consent_version": said.consent_version,
        }
        self.ledger.send(calls.RegisterUpdate(**(fields | dict(call or {}))))
        if deliver:
            self.deliver(sealed)
        else:
            self.kept = sealed
        return CID(cid_of_bytes(sealed))

    def deliver(self, sealed: bytes) -> None:
        path = self.folder / f"{self.slug}.envelope"
        path.write_bytes(sealed)
        self.store.add(path)


@dataclass
class Member:
    """An aggregator that can be started again and again over the same folder."""

    slug: str
    ledger: Any
    store: Any
    folder: Path
    settings: AggregatorSettings
    clock: Clock = field(default_factory=Clock)
    secrets: Secrets = field(default_factory=Secrets)

    def parts(self, *, wrap: Callable[[str, Any], Any] = lambda _name, port: port) -> Parts:
        """Fresh parts; ``wrap`` may put something around each port."""
        data = DataFolder(self.folder)
        ledger, store = wrap("ledger", self.ledger), wrap("block_store", self.store)
        journal = wrap("journal", Journal(data / "journal.sqlite"))
        return Parts(
            settings=self.settings,
            ledger=ledger,
            block_store=store,
            secrets=wrap("secrets", self.secrets),
            journal=journal,
            files=wrap("files", RoundFiles(data)),
            fetcher=Fetcher(store, workers=4, start=lambda work: work(), clock=self.clock),
            outbox=Outbox(ledger, journal, resend_after_seconds=0, clock=self.clock),
        )

    def start(self, **options: Any) -> Coordinator:
        """The process starts."""
        self.coordinator = Coordinator(self.parts(**options), clock=self.clock)
        return self.coordinator

    def settle(self, steps: int = 40) -> None:
        """Steps until nothing moves any more."""
        for _ in range(steps):
            self.clock.seconds += 200
            if not self.coordinator.step():
                return
        raise AssertionError("never comes to rest")


class Network:
    """Governor, sites, aggregators. Everything that the governor does is done."""

    def __init__(
        self,
        folder: Path,
        *,
        world: Any = None,
        make_store: Callable[[], Any] | None = None,
        sites: int = 3,
        aggregators: int = 1,
        threshold: int = 1,
        auditor: bool = True,
        settings: Mapping[str, Any] | None = None,
        **lineage: Any,
    ) -> None:
        self.folder = folder
        self.world = world or FakeWorld()
        self.make_store = make_store or FakeSwarm().store
        self.store = self.make_store()
        self.settings = dict(settings or {})
        self.lineage = {"slug": LINEAGE, "scope": "last-conv", "round_seconds": 1000, "attest_seconds": 600} | lineage
        self.auditor_key = RecipientPrivateKey.generate()
        self.sites = [self._admit_site(f"site-{number}") for number in range(sites)]
        self.members = [self._admit_aggregator(f"aggregator-{number}") for number in range(aggregators)]
        ids = tuple(aggregator_id_of(member.slug) for member in self.members)
        if ids:
            self.governor.send(calls.SetAggregators(ids, threshold))
        if auditor:
            self.publish_auditor_key()
        self.model = encode_parameters(random_parameters(SMALL_TENSORS, seed=1))
        self.governor.send(
            calls.CreateLineage(
                lineage_id=self.lineage_id,
                genesis_round=0,
                model_digest=parameters_digest(self.model),
                model_cid=self.put(self.model),
                backbone_digest=digest_of("test-backbone"),
                plan_schema=PLAN_SCHEMA,
            )
        )

    @property
    def governor(self) -> Any:
        return self.world.governor

    @property
    def lineage_id(self) -> Any:
        return lineage_id_of(LINEAGE)

    @property
    def history(self) -> History:
        ledger = self.governor
        return History(ledger.events(ledger.identity.deployment_block_number, ledger.head().number))

    @property
    def live(self) -> RoundView:
        view = self.history.lineages[self.lineage_id].live_round()
        assert view is not None
        return view

    def round(self, number: int) -> RoundView:
        return self.history.lineages[self.lineage_id].rounds[number]

    def put(self, content: bytes) -> CID:
        path = self.folder / "put"
        path.write_bytes(content)
        return self.store.add(path)

    def content(self, cid: CID) -> bytes:
        path = self.folder / "got"
        self.store.fetch(cid, path, max_bytes=1 << 24, timeout_seconds=10)
        return path.read_bytes()

    def plan(self, view: RoundView | None = None) -> RoundPlan:
        return parse_plan(self.content((view or self.live).opened.plan_cid))

    def register_all(self, **options: Any) -> None:
        view, plan = self.live, self.plan()
        for site in self.sites:
            site.register(plan, view, **options)

    def publish_auditor_key(self) -> None:
        public = self.auditor_key.public_key()
        auditor = self.world.fresh_account()
        self.governor.send(calls.PublishAuditorKey(auditor, public_key_digest(public), self.put(public)))

    def _admit_site(self, slug: str) -> Site:
        account = self.world.fresh_account()
        self.governor.send(calls.AdmitSite(site_id_of(slug), account, KEY_DIGEST))
        site = Site(slug, self.world.ledger(account), self.make_store(), self.folder)
        site.publish_consent(self.world.now())
        return site

    def _admit_aggregator(self, slug: str) -> Member:
        account = self.world.fresh_account()
        self.governor.send(calls.AdmitAggregator(aggregator_id_of(slug), account, KEY_DIGEST))
        folder = self.folder / slug
        values = {
            "aggregator": slug,
            "data_folder": folder,
            "deployment": folder / "deployment.json",
            "chain": {"rpc_url": "http://127.0.0.1:1"},
            "ipfs": {"url": "http://127.0.0.1:1"},
            "lineages": [self.lineage],
            "appeal_window_seconds": 500,
        }
        settings = AggregatorSettings.model_validate(values | self.settings)
        return Member(slug, self.world.ledger(account), self.make_store(), folder, settings)
