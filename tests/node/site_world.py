"""One site among three on a fake chain and a fake IPFS, with a real store, journal and training.

The other two sites and the aggregator do only what the contract asks of them: what they register is made up.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from gateways.chain_follower import ChainFollower
from gateways.data_folder import DataFolder
from gateways.journal import Journal
from gateways.outbox import Outbox
from learning.alphabet import Alphabet
from learning.backbone import check_parameters
from learning.calibration import Calibration
from learning.device import DeviceProfile
from learning.lexicon_index import LexiconIndex
from learning.recogniser import Recogniser
from learning.word_image import fit_word
from node.consent.publication import ConsentPublisher
from node.data.review import Decision
from node.parts import SiteParts
from node.rounds.global_models import GlobalModels
from node.rounds.loop import NodeLoop
from node.rounds.records import RoundRecords
from node.rounds.trainers import Trainers
from node.sent import SentLog
from node.settings import NodeSettings
from node.store.pages import NewPage, NewWord, add_page, ensure_original
from prescriptions.words import encode_png
from protocol import ledger_calls as calls
from protocol.envelope import sealed_length
from protocol.errors import LearningError
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
from tests.fakes.block_store import FakeBlockStore, FakeSwarm
from tests.fakes.ledger_world import FakeWorld
from tests.learning.drawn_words import draw_word
from tests.node.data_builders import AUDIT_KEY, NOW, SITE_ID, STORE_KEY, Clinic, proposal_of
from tests.protocol.values import make_plan

LINEAGE = "tests"
NAMES = ("Napa", "Seclo", "Ace", "Azithrocin", "Ketoral", "Baclofen", "Monas", "Fexo")
ROUND_SECONDS = 1000
ATTEST_SECONDS = 600
KEY_DIGEST = digest_of("test-key")


class TinyBackbone:
    """A backbone that trains in milliseconds: a crop of 8 x 24 pixels, a linear layer over each column."""

    name = "tiny"
    digest = Digest(digest_of("tiny-backbone"))
    calibration = Calibration(temperature=0.4, none_of_these=-2.5, abstain_below=0.5)
    scope = "last-conv"
    layer = "head"
    alphabet = Alphabet("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    threads = 1
    input_shape = (8, 24)
    feature_shape = (1, 8, 24)
    frames = 24

    def scope_tensors(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        rows, _ = self.input_shape
        return ((f"{self.layer}.bias", (self.alphabet.size,)), (f"{self.layer}.weight", (self.alphabet.size, rows)))

    def initial_parameters(self) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(5)
        return {name: rng.normal(scale=0.1, size=shape).astype(np.float32) for name, shape in self.scope_tensors()}

    def front_features(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        return np.stack([fit_word(crop, *self.input_shape)[np.newaxis].astype(np.float16) for crop in crops])

    def frame_logits(self, parameters: Mapping[str, torch.Tensor], features: torch.Tensor) -> torch.Tensor:
        weight, bias = parameters[f"{self.layer}.weight"], parameters[f"{self.layer}.bias"]
        return functional.linear(features[:, 0].transpose(1, 2), weight, bias)

    def with_parameters(self, parameters: Mapping[str, np.ndarray]) -> Recogniser:
        check_parameters(self, parameters)
        return Recogniser(self, {name: torch.from_numpy(np.array(value)) for name, value in parameters.items()})


class OtherBackbone(TinyBackbone):
    """A second one: another digest, other tensors, another grid."""

    name = "other"
    digest = Digest(digest_of("other-backbone"))
    scope = "tail"
    layer = "tail"
    input_shape = (6, 26)
    feature_shape = (1, 6, 26)
    frames = 26


class FewBackbones:
    """What ``learning.backbones.OpenBackbones`` does, for these alone."""

    def __init__(self, *backbones: Any) -> None:
        self.backbones = backbones

    def of(self, digest: Digest, scope: str) -> Any:
        return self._first(lambda backbone: (backbone.digest, backbone.scope) == (digest, scope))

    def of_model(self, tensors: Collection[str]) -> Any:
        return self._first(lambda backbone: {name for name, _ in backbone.scope_tensors()} == set(tensors))

    def _first(self, fits: Callable[[Any], bool]) -> Any:
        for backbone in self.backbones:
            if fits(backbone):
                return backbone
        raise LearningError("this version knows no such backbone or scope")


DEVICE = DeviceProfile(
    cores=1,
    memory_total_bytes=2**33,
    memory_available_bytes=2**32,
    accelerator=None,
    threads=1,
    torch_device="cpu",
    batch_size=32,
)


@dataclass
class SiteWorld:
    """The network around one site. Everything that the governor does is done.

    Attributes:
        folder: The node's data folder.
        backbone: Shared by all restarts; of the lineage that rounds are opened in.
        settings: Changes to the node's settings.
        words: Whether two patients' reviewed words and consents are there from the start.
        world: The chain; a fake one, or the real one of tests/fixtures_chain.py.
        stores: Makes the site's IPFS and the others', in that order; fakes when None.
        account: The site's, when its key is in a keystore.
    """

    folder: Path
    backbone: Any = field(default_factory=TinyBackbone)
    settings: dict[str, Any] = field(default_factory=dict)
    words: bool = True
    world: Any = field(default_factory=FakeWorld)
    stores: Callable[[], Any] | None = None
    account: Any = None

    def __post_init__(self) -> None:
        make_store = self.stores or FakeSwarm().store
        self.store, self.others_store = make_store(), make_store()
        self.clinic = Clinic(self.folder)
        self.auditor_key = RecipientPrivateKey.generate()
        self.aggregator = self.world.fresh_ledger()
        self.governor.send(calls.AdmitAggregator(self.aggregator_id, self.aggregator.account, KEY_DIGEST))
        self.governor.send(calls.SetAggregators((self.aggregator_id,), 1))
        self.publish_auditor_key()
        self.ledger = self.world.ledger(self.account or self.world.fresh_account())
        self.governor.send(calls.AdmitSite(SITE_ID, self.ledger.account, KEY_DIGEST))
        self.others = [self._admit(f"other-{number}") for number in range(2)]
        self.slug, self.backbones = LINEAGE, FewBackbones(self.backbone)
        self.found_lineage()
        if self.words:
            self.add_patient("P-001", *NAMES)
            self.add_patient("P-002", *NAMES)

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

    # the site

    def add_patient(self, patient: str, *names: str, days: int = 365, consent: bool = True, page: str = "page") -> None:
        """A reviewed page of a patient who consents."""
        digest = digest_of("test-page", f"{patient}/{page}".encode())
        crops = tuple(NewWord(encode_png(draw_word(name)), proposal_of(name)) for name in names)
        with self.clinic.store.write() as transaction:
            original = ensure_original(transaction, patient, digest, NOW)
            new = NewPage(digest, 1, f"{page}.png", "rapidocr", "Popular Hospital", "Mrs Salma Khatun", crops)
            assert add_page(transaction, patient, new, original.file_id, NOW)
        waiting = [Decision(word.word_id.hex(), "accept") for word in self.clinic.review.waiting()]
        self.clinic.review.apply(waiting, "dr-khan", NOW)
        if consent:
            self.clinic.grant(patient, days=days, now=self.now)

    def withdraw(self, patient: str) -> None:
        self.clinic.desk.withdraw(patient, self.now)

    def node_settings(self) -> NodeSettings:
        values: dict[str, Any] = {
            "site": "dhaka-general",
            "data_folder": self.folder,
            "deployment": self.folder / "deployment.json",
            "lineages": [LINEAGE],
            "resend_after_seconds": 0,
            "fetch_timeout_seconds": 1,
            # Which words are held out follows from random ids: no test may need a lucky split.
            "training": {"min_examples": 1},
            "chain": {"rpc_url": "http://127.0.0.1:1"},
        }
        return NodeSettings.model_validate(values | self.settings)

    def parts(
        self,
        *,
        wrap: Callable[[str, Any], Any] = lambda _name, port: port,
        clock: Callable[[], float] = lambda: 1_000_000.0,
    ) -> SiteParts:
        """Fresh parts over the same folder; ``wrap`` may put something around each port."""
        settings = self.node_settings()
        folder = DataFolder(self.folder)
        journal = wrap("journal", self.journal)
        ledger, block_store = wrap("ledger", self.ledger), wrap("block_store", self.store)
        features, names = folder.subfolder("features"), LexiconIndex.of(NAMES)
        outbox = Outbox(ledger, journal, resend_after_seconds=settings.resend_after_seconds, clock=clock)
        store = wrap("store", self.clinic.store)
        return SiteParts(
            settings=settings,
            site_id=SITE_ID,
            account=self.ledger.account,
            identity=self.ledger.identity,
            journal=journal,
            store=store,
            audit_key=AUDIT_KEY,
            outbox=outbox,
            block_store=block_store,
            trainers=Trainers(features, STORE_KEY, self.backbones, DEVICE, names),
            models=GlobalModels(
                folder, journal, max_model_bytes=1 << 24, timeout_seconds=settings.fetch_timeout_seconds
            ),
            consents=ConsentPublisher(SITE_ID, store, AUDIT_KEY, outbox, journal),
            rounds=RoundRecords(folder, journal),
            sent=SentLog(journal),
        )

    @property
    def journal(self) -> Journal:
        if not hasattr(self, "_journal"):
            self._journal = Journal(self.folder / "journal.sqlite")
        return self._journal

    def start(self, progress: Callable[..., None] = lambda _round, _progress: None, **options: Any) -> NodeLoop:
        """The process starts."""
        self.running = self.parts(**options)
        ledger = options.get("wrap", lambda _name, port: port)("ledger", self.ledger)
        self.loop = NodeLoop(self.running, ChainFollower(ledger), progress)
        return self.loop

    def settle(self, steps: int = 30) -> None:
        """Steps until nothing moves any more."""
        for _ in range(steps):
            if not self.loop.step():
                return
        raise AssertionError("never comes to rest")

    # the others

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

    def envelope(self, number: int) -> bytes:
        """What the site's own IPFS holds for its registration."""
        mine = self.view(number).registration_of(SITE_ID)
        assert mine is not None
        assert isinstance(self.store, FakeBlockStore)
        assert self.store.holds(mine.event.envelope_cid)
        return self.store.contents[mine.event.envelope_cid]

    def _admit(self, slug: str) -> Any:
        ledger = self.world.fresh_ledger()
        self.governor.send(calls.AdmitSite(site_id_of(slug), ledger.account, KEY_DIGEST))
        ledger.send(calls.PublishConsentRoot(digest_of("test-root", slug.encode()), self.now + 10_000_000, 1, 0, 0))
        return ledger


__all__ = ["LINEAGE", "NAMES", "SITE_ID", "SiteWorld", "TinyBackbone"]
