"""One site among three on a fake chain and a fake IPFS, with a real store, journal and training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateways.chain_follower import ChainFollower
from gateways.data_folder import DataFolder
from gateways.journal import Journal
from gateways.outbox import Outbox
from learning.lexicon_index import LexiconIndex
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
from protocol.identifiers import digest_of
from protocol.recipient_keys import RecipientPrivateKey
from tests.fakes.block_store import FakeBlockStore, FakeSwarm
from tests.fakes.ledger_world import FakeWorld
from tests.learning.drawn_words import draw_word
from tests.node.data_builders import AUDIT_KEY, NOW, SITE_ID, STORE_KEY, Clinic, proposal_of
from tests.node.network_around import KEY_DIGEST, NetworkAround
from tests.node.tiny_backbone import DEVICE, FewBackbones, TinyBackbone

LINEAGE = "tests"
NAMES = ("Napa", "Seclo", "Ace", "Azithrocin", "Ketoral", "Baclofen", "Monas", "Fexo")


@dataclass
class SiteWorld(NetworkAround):
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

    def envelope(self, number: int) -> bytes:
        """What the site's own IPFS holds for its registration."""
        mine = self.view(number).registration_of(SITE_ID)
        assert mine is not None
        assert isinstance(self.store, FakeBlockStore)
        assert self.store.holds(mine.event.envelope_cid)
        return self.store.contents[mine.event.envelope_cid]


__all__ = ["LINEAGE", "NAMES", "SITE_ID", "SiteWorld"]
