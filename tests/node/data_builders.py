"""A site's store with patients, pages and words, as the data tests need it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from gateways.key_ring import KeyRing
from gateways.key_ring.accounts import create_account
from gateways.key_ring.sealing import Argon2Cost
from node.consent.desk import ConsentDesk, witness_key
from node.consent.grant import Grant
from node.consent.notice import shipped_notice
from node.data.proposal import Candidate, ModelReading, Proposal, Whereabouts
from node.data.review import ReviewDesk
from node.store.local_store import LocalStore
from node.store.pages import NewPage, NewWord, add_page, ensure_original
from node.store.sealed_files import SealedFiles
from node.store.tables import WordStatus
from node.store.words import StoredWord, words_with
from protocol.identifiers import AccountAddress, BlockHash, Digest, digest_of, site_id_of
from protocol.ports import ChainIdentity

STORE_KEY = bytes(range(32))
AUDIT_KEY = bytes(range(32, 64))
NOW = 1_790_000_000
DAY = 24 * 3600
IDENTITY = ChainIdentity(31337, AccountAddress(b"\x11" * 20), BlockHash(b"\x22" * 32), 1, BlockHash(b"\x33" * 32))
SITE_ID = site_id_of("dhaka-general")
CHEAP = Argon2Cost(iterations=1, lanes=1, memory_kib=512)


@dataclass
class Clinic:
    """One site's data folder."""

    folder: Path
    keep_originals: bool = False
    store: LocalStore = field(init=False)
    originals: SealedFiles = field(init=False)
    quarantine: SealedFiles = field(init=False)
    key_ring: KeyRing = field(init=False)
    desk: ConsentDesk = field(init=False)
    review: ReviewDesk = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.store = LocalStore(self.folder / "store.sqlite", STORE_KEY)
        self.originals = SealedFiles(self.folder / "originals")
        self.quarantine = SealedFiles(self.folder / "quarantine")
        self.key_ring = KeyRing.create(self.folder / "keystore.json", b"open sesame", cost=CHEAP)
        self.desk = ConsentDesk(self.store, self.key_ring, IDENTITY, SITE_ID)
        self.add_witness("nurse-rahman")
        self.review = ReviewDesk(self.store, self.originals, keep_originals=self.keep_originals)

    def add_witness(self, name: str) -> AccountAddress:
        """A staff member with a signing key."""
        return create_account(self.key_ring, witness_key(name))

    def add_words(self, patient: str, *names: str, page: str = "page", model: str = "") -> list[bytes]:
        """One page of a patient with a word for each name, all named otherwise by the model if it says anything.

        Returns:
            The words' ids in that order.
        """
        digest = digest_of("test-page", f"{patient}/{page}".encode())
        said = ModelReading(1, model.lower(), (Candidate(model, 0.9),), sure=True) if model else None
        words = tuple(NewWord(crop_of(name), replace(proposal_of(name), model=said)) for name in names)
        before = {word.word_id for word in self.words()}
        with self.store.write() as transaction:
            original = ensure_original(transaction, patient, digest, NOW)
            self.originals.write(original.file_id, original.key, b"%PDF original of " + patient.encode())
            new = NewPage(digest, 1, f"{page}.pdf", "rapidocr", "Popular Hospital", "Mrs Salma Khatun", words)
            assert add_page(transaction, patient, new, original.file_id, NOW)
        by_label = {word.proposal.text: word.word_id for word in self.words() if word.word_id not in before}
        return [by_label[name] for name in names]

    def words(self) -> tuple[StoredWord, ...]:
        with self.store.read() as transaction:
            return words_with(transaction, *WordStatus)

    def accept_all(self) -> None:
        for word in self.review.waiting():
            self.review.accept(word.word_id.hex(), "dr-khan", NOW)

    def grant(self, patient: str, *purposes: str, days: int = 365, now: int = NOW) -> Digest:
        return self.desk.grant(grant_of(patient, *purposes, days=days), now).receipt.receipt_id

    def files(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "originals").iterdir())

    def everything_on_disk(self) -> bytes:
        return b"\n".join(path.read_bytes() for path in sorted(self.folder.rglob("*")) if path.is_file())


def grant_of(patient: str, *purposes: str, days: int = 365, witness: str = "nurse-rahman") -> Grant:
    return Grant(
        patient=patient,
        purposes=purposes or ("DUO:0000006",),
        notice=shipped_notice("en"),
        method="signed-form",
        asked_by="Dr Khan",
        witness=witness,
        validity_days=days,
    )


def proposal_of(name: str, certainty: float = 0.9) -> Proposal:
    return Proposal(
        name,
        certainty,
        (Candidate(name, 1.0),),
        "500 mg",
        "tablet",
        "1+0+1",
        (),
        Whereabouts("page.png", 1, (10, 20, 110, 60)),
    )


def crop_of(name: str) -> bytes:
    """A PNG whose pixels depend on the name."""
    seed = int.from_bytes(digest_of("test-crop", name.encode())[:4], "big")
    pixels = np.random.default_rng(seed).integers(0, 256, (24, 60), dtype=np.uint8)
    return bytes(cv2.imencode(".png", pixels)[1])
