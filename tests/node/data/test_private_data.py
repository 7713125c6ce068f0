"""Nothing private but the patient's name and the hospital is kept, logged, sent or published (docs/threat-model.md)."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from rapidfuzz import fuzz
from sqlalchemy import select
from structlog.testing import capture_logs

from node.data.intake import ImportItem, IntakeParts, import_files
from node.store.local_store import LocalStore, Transaction
from node.store.sealing import Place
from node.store.tables import Patient, Table
from prescriptions.lexicon import bundled_lexicon
from prescriptions.load import LoadLimits
from prescriptions.rapidocr_reader import RapidOCRReader
from protocol.envelope import open_envelope
from protocol.errors import StoreError
from protocol.plan import RoundPlan
from protocol.verification import RoundContext
from tests.node.data_builders import NOW, SITE_ID
from tests.node.private_pages import MEDICINES, SECRETS, draw_pages
from tests.node.site_world import SiteWorld

LIKE = 80
"""From this likeness on, of 100, a secret counts as read in a picture: engines misread a letter here and there."""
PNG = b"\x89PNG"


@dataclass
class Aftermath:
    """A site after its pages went in, were reviewed and trained in a round."""

    world: SiteWorld
    plan: RoundPlan
    pages: list[Path]
    logs: str
    reader: RapidOCRReader

    def texts_in(self, picture: np.ndarray) -> str:
        framed = cv2.copyMakeBorder(picture, 20, 20, 20, 20, cv2.BORDER_CONSTANT, value=245)
        return " ".join(word.text for word in self.reader.read(framed))


@pytest.fixture(scope="module")
def after(tmp_path_factory: pytest.TempPathFactory) -> Aftermath:
    folder = tmp_path_factory.mktemp("private")
    pages = draw_pages(folder)
    world = SiteWorld(folder / "node", words=False)
    reader = RapidOCRReader()
    with capture_logs() as logs:
        clinic = world.clinic
        parts = IntakeParts(
            clinic.store, reader, bundled_lexicon("demo"), LoadLimits(), clinic.originals, clinic.quarantine,
            keep_originals=False,
        )  # fmt: skip
        report = import_files(parts, [ImportItem(path, f"P-{n}") for n, path in enumerate(pages)], NOW)
        assert [file.words for file in report.files] == [3, 3, 3]
        clinic.accept_all()
        for number in range(len(pages)):
            clinic.grant(f"P-{number}", now=world.now)
        world.start()
        world.settle()
        plan = world.open_round()
        world.settle()
    return Aftermath(world, plan, pages, repr(logs), reader)


def plain(text: str) -> str:
    return re.sub(r"[\W_]", "", text).casefold()


def secrets_in(text: str) -> list[str]:
    return [secret for secret in SECRETS if plain(secret) in plain(text)]


def secrets_read(text: str) -> list[str]:
    return [secret for secret in SECRETS if fuzz.partial_ratio(plain(secret), plain(text)) >= LIKE]


def opened_values(store: LocalStore) -> Iterator[tuple[str, bytes]]:
    """Every sealed value of the store, table by table; one that does not open fails the test."""
    with store.read() as transaction:
        patients = list(transaction.session.scalars(select(Patient.id)))
        keys = [transaction.patient_key(patient) for patient in patients]
        for table in Table.metadata.sorted_tables:
            for row in transaction.session.execute(select(table)).mappings():
                for column in (name for name in row if name.startswith("sealed_") and row[name] is not None):
                    # A row that counts imports is sealed under its page's id.
                    ids = [row[key.name] for key in table.primary_key]
                    row_id = b"".join(row["page_id"] if isinstance(part, int) else part for part in ids)
                    yield f"{table.name}.{column}", _open(transaction, keys, row[column], table.name, column, row_id)


def _open(transaction: Transaction, keys: list, sealed: bytes, table: str, column: str, row_id: bytes) -> bytes:
    for key in (*keys, transaction.keys.staff):
        try:
            return key.open(sealed, Place(table, column, row_id))
        except StoreError:
            continue
    raise AssertionError(f"{table}.{column} is sealed in a way that this test does not know")


def test_the_pages_do_show_every_secret(after: Aftermath) -> None:
    read = " ".join(after.texts_in(cv2.imread(str(page), cv2.IMREAD_GRAYSCALE)) for page in after.pages)
    assert secrets_read(read) == list(SECRETS)


def test_no_text_of_the_decrypted_store_holds_a_secret(after: Aftermath) -> None:
    values = list(opened_values(after.world.clinic.store))
    kinds = {kind for kind, _ in values}
    assert {
        "words.sealed_proposal",
        "words.sealed_crop",
        "pages.sealed_fields",
        "redacted_pages.sealed_picture",
    } <= kinds
    for kind, value in values:
        assert not secrets_in(value.decode("utf-8", "replace")), kind
    texts = " ".join(value.decode("utf-8", "replace") for kind, value in values if "proposal" in kind)
    assert all(name in texts for name in MEDICINES)


def test_no_picture_of_the_store_shows_a_secret_when_it_is_read_again(after: Aftermath) -> None:
    pictures = [(kind, value) for kind, value in opened_values(after.world.clinic.store) if value.startswith(PNG)]
    assert len(pictures) == len(MEDICINES) + len(after.pages)
    shown = ""
    for kind, value in pictures:
        text = after.texts_in(np.asarray(cv2.imdecode(np.frombuffer(value, np.uint8), cv2.IMREAD_GRAYSCALE)))
        assert not secrets_read(text), kind
        shown += text
    assert all(fuzz.partial_ratio(name.casefold(), shown.casefold()) >= LIKE for name in MEDICINES)


def test_reviewed_originals_are_gone_and_nothing_lies_in_clear_on_the_disk(after: Aftermath) -> None:
    assert after.world.clinic.files() == []
    disk = after.world.clinic.everything_on_disk()
    assert not [secret for secret in (*SECRETS, "Grace Walker", *MEDICINES) if secret.encode() in disk]
    assert PNG not in disk


def test_no_log_line_holds_a_secret_or_a_name(after: Aftermath) -> None:
    assert "intake.file" in after.logs
    assert not secrets_in(after.logs)
    assert not [word for word in ("Grace", "Walker", *MEDICINES) if word in after.logs]


def test_no_update_no_content_on_ipfs_and_no_event_holds_a_secret_or_a_name(after: Aftermath) -> None:
    world = after.world
    view = world.view(1)
    mine = view.registration_of(SITE_ID)
    assert mine is not None
    bound = RoundContext(world.ledger.identity, world.history, view, after.plan).bound_context(mine.event)
    opened = open_envelope(io.BytesIO(world.envelope(1)), world.round_key, after.plan.recipients, bound)
    update = b"".join(bytes(chunk) for chunk in opened.chunks())
    assert b"num_examples" in update
    ledger = world.governor
    events = ledger.events(ledger.identity.deployment_block_number, ledger.head().number)
    left = [update, repr(events).encode(), *world.store.contents.values()]
    names = ("Grace", "Walker", "P-0", *MEDICINES)
    for content in left:
        assert not [secret for secret in (*SECRETS, *names) if secret.encode() in content]
