"""Nothing private but the patient's name and the hospital is kept, logged, sent or published (docs/threat-model.md)."""

from __future__ import annotations

import base64
import io
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from prescriptions.redaction import PAPER
from protocol.envelope import open_envelope
from protocol.errors import StoreError
from protocol.plan import RoundPlan
from protocol.verification import RoundContext
from tests.node.data_builders import NOW, SITE_ID
from tests.node.private_pages import FOOT, HANDS, MEDICINES, PRINTED, SECRETS, draw_pages
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
    words: int
    logs: str
    reader: RapidOCRReader

    def texts_in(self, picture: np.ndarray) -> str:
        framed = cv2.copyMakeBorder(picture, 20, 20, 20, 20, cv2.BORDER_CONSTANT, value=245)
        return " ".join(word.text for word in self.reader.read(framed))


class Lines(logging.Handler):
    """Keeps what libraries log beside structlog."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.kept: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.append(f"{record.name} {record.getMessage()} {record.exc_text}")


@contextmanager
def every_log() -> Iterator[list[Any]]:
    """Everything that is logged, by whomever, at any level."""
    root, lines = logging.getLogger(), Lines()
    level = root.level
    root.addHandler(lines)
    root.setLevel(logging.DEBUG)
    kept: list[Any] = [lines.kept]
    try:
        with capture_logs() as logs:
            kept.append(logs)
            yield kept
    finally:
        root.removeHandler(lines)
        root.setLevel(level)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((PRINTED,), id="3 printed pages"),
        pytest.param(HANDS, id="21 handwritten pages", marks=[pytest.mark.slow, pytest.mark.timeout(1800)]),
    ],
)
def after(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Aftermath:
    folder = tmp_path_factory.mktemp("private")
    pages = draw_pages(folder, request.param)
    world = SiteWorld(folder / "node", words=False)
    reader = RapidOCRReader()
    with every_log() as logs:
        clinic = world.clinic
        parts = IntakeParts(
            clinic.store, reader, bundled_lexicon("demo"), LoadLimits(), clinic.originals, clinic.quarantine,
            keep_originals=False,
        )  # fmt: skip
        report = import_files(parts, [ImportItem(path, f"P-{n}") for n, path in enumerate(pages)], NOW)
        # An engine misreads a handwritten name now and then.
        assert report.words >= (3 if request.param == (PRINTED,) else 2) * len(pages)
        clinic.accept_all()
        for number in range(len(pages)):
            clinic.grant(f"P-{number}", now=world.now)
        world.start()
        world.settle()
        plan = world.open_round()
        world.settle()
    return Aftermath(world, plan, pages, report.words, repr(logs), reader)


def plain(text: str) -> str:
    return re.sub(r"[\W_]", "", text).casefold()


def secrets_in(text: str) -> list[str]:
    return [secret for secret in SECRETS if plain(secret) in plain(text)]


def secrets_read(text: str) -> list[str]:
    return [secret for secret in SECRETS if fuzz.partial_ratio(plain(secret), plain(text)) >= LIKE]


def forms_of(text: str) -> Iterator[bytes]:
    """The ways in which a text could lie in bytes that nobody meant to hold it."""
    for spelling in {text, text.lower(), text.upper(), text.replace(" ", "")}:
        data = spelling.encode()
        yield from (data, spelling.encode("utf-16-le"), data.hex().encode(), json.dumps(spelling)[1:-1].encode())
        # Whatever stands before it, the middle of its base64 is one of three texts.
        yield from (base64.b64encode(bytes(shift) + data)[4 : 4 * ((shift + len(data)) // 3)] for shift in range(3))


def left_in(content: bytes, *texts: str) -> list[str]:
    """The texts that the content holds; a form of few bytes would be found in noise too."""
    return [text for text in texts if any(len(form) > 5 and form in content for form in forms_of(text))]


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
    assert len(pictures) == after.words + len(after.pages)
    shown = ""
    for kind, value in pictures:
        picture = np.asarray(cv2.imdecode(np.frombuffer(value, np.uint8), cv2.IMREAD_GRAYSCALE))
        text = after.texts_in(picture)
        assert not secrets_read(text), kind
        if kind.startswith("redacted"):
            # A signature is no text: no engine would find it again.
            assert picture[round(FOOT * picture.shape[0]) :].min() == PAPER
        shown += text
    assert all(fuzz.partial_ratio(name.casefold(), shown.casefold()) >= LIKE for name in MEDICINES)


def test_reviewed_originals_are_gone_and_nothing_lies_in_clear_on_the_disk(after: Aftermath) -> None:
    assert after.world.clinic.files() == []
    disk = after.world.clinic.everything_on_disk()
    assert (after.world.clinic.folder / "journal.sqlite").exists()
    assert left_in(disk, *SECRETS, "Grace Walker", *MEDICINES) == []
    assert PNG not in disk


def test_no_log_line_holds_a_secret_or_a_name(after: Aftermath) -> None:
    assert "intake.file" in after.logs
    assert not secrets_in(after.logs)
    assert not [word for word in ("Grace", "Walker", "Lakeview", "P-0", *MEDICINES) if word in after.logs]


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
    assert mine.event.envelope_cid in world.store.contents
    left = [update, repr(events).encode(), *world.store.contents.values(), *world.others_store.contents.values()]
    names = ("Grace", "Walker", "Lakeview", *MEDICINES)
    for content in left:
        assert left_in(content, *SECRETS, *names) == []
        assert b"P-0" not in content
