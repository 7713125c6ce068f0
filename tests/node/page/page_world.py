"""The site page over one site of ``SiteWorld``: a real store, journal and node loop, a fake chain and IPFS."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pyotp
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image, ImageDraw, ImageFont

from gateways.chain_follower import ChainFollower
from node.consent.desk import witness_key
from node.consent.erasure import erase_for_good
from node.data.explanation import Explanation, SeenLetter, SeenSpelling
from node.data.intake import IntakeParts
from node.data.other_readings import OtherReading
from node.data.reading import ExplainedReading, MedicineReading
from node.page.app import build_app
from node.page.chain_view import ChainView
from node.page.parts import PageParts
from node.page.users import hash_password
from node.store.second_factor import enrol_staff
from node.store.users import Role, add_user
from node.store.words import StoredWord
from prescriptions.box import Box
from prescriptions.lexicon import bundled_lexicon
from prescriptions.load import LoadLimits
from prescriptions.reading import ReadWord
from tests.node.data_builders import CHEAP, SITE_ID
from tests.node.site_world import LINEAGE, NAMES, SiteWorld

PASSWORD = "lantern copper meadow sixteen"
LINES = (("Tab.", "Amoxil", "500", "mg", "1+0+1"), ("Cap.", "Prilosec", "20", "mg", "1+0+0"))


def draw_page(lines: tuple[tuple[str, ...], ...] = LINES, *, shade: int = 255) -> bytes:
    """A PNG page on which ``PagePen`` finds what is drawn."""
    image = Image.new("L", (1000, 1400), shade)
    pen, face = ImageDraw.Draw(image), ImageFont.load_default(40)
    for row, words in enumerate(lines):
        for column, word in enumerate(words):
            pen.text((60 + 180 * column, 300 + 120 * row), word, fill=20, font=face)
    stream = BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()


class PagePen:
    """Reads the lines that ``draw_page`` draws, without looking at letters."""

    name = "pen 1"
    turned_below = 0.0

    def read(self, image: Any) -> tuple[ReadWord, ...]:
        if int(image.max()) - int(image.min()) < 40:
            return ()
        return tuple(
            ReadWord(word, 0.9, Box(55 + 180 * column, 300 + 120 * row, 215 + 180 * column, 350 + 120 * row), row)
            for row, words in enumerate(LINES)
            for column, word in enumerate(words)
        )


@dataclass
class PageWorld:
    """A site page with three users, one of each role.

    Attributes:
        folder: The node's data folder.
        clock: Seconds since 1970, for the page.
        has_model: Whether the site's model can say where it looks.
    """

    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    clock: Callable[[], float] | None = None
    has_model: bool = True

    def __post_init__(self) -> None:
        self.world = SiteWorld(self.folder, settings=self.settings)
        self.secrets: dict[str, bytes] = {}
        self._counters: dict[str, int] = {}
        self._browsers = 0
        self.add_user("olga", Role.OPERATOR)
        self.add_user("rashid", Role.REVIEWER)
        self.add_user("nurse-rahman", Role.CONSENT_OFFICER)
        self.time = float(self.world.now)
        self.parts = self._parts()
        self.app: FastAPI = build_app(self.parts, hosts=("testserver", "127.0.0.1"), secure=False)

    def add_user(self, name: str, *roles: Role) -> None:
        store = self.world.clinic.store
        with store.write() as transaction:
            add_user(transaction, name, hash_password(PASSWORD, name, CHEAP), roles)
            self.secrets[name] = enrol_staff(transaction, name, replace=False)

    def now(self) -> float:
        return self.time if self.clock is None else self.clock()

    def code(self, name: str) -> str:
        """The next code of a user's telephone; each call is a step later than the last."""
        step = int(self.now()) // 30
        counter = max(step, self._counters.get(name, 0) + 1)
        if self.clock is None:
            self.time = max(self.time, counter * 30.0)
        self._counters[name] = counter
        return pyotp.HOTP(base64.b32encode(self.secrets[name]).decode()).at(counter)

    def client(self, name: str | None = None) -> TestClient:
        """A browser, logged in as a user when one is named."""
        self._browsers += 1
        client = TestClient(self.app, follow_redirects=False, client=(f"10.0.{self._browsers}.1", 50_000))
        if name is not None:
            answer = client.post("/login", data={"name": name, "password": PASSWORD, "code": self.code(name)})
            assert answer.status_code == 303, answer.text
        return client

    def _parts(self) -> PageParts:
        clinic, world = self.world.clinic, self.world
        models = world.parts().models

        def intake(_words: bool) -> IntakeParts:
            return IntakeParts(
                store=clinic.store,
                reader=PagePen(),
                lexicon=bundled_lexicon("drugsfda"),
                limits=LoadLimits(),
                originals=clinic.originals,
                quarantine=clinic.quarantine,
                keep_originals=False,
            )

        def read(_name: str, _content: bytes, _as_word: bool) -> tuple[ExplainedReading, ...]:
            names = tuple((name, 0.9 / (place + 1)) for place, name in enumerate(NAMES[:3]))
            known = MedicineReading(
                1, 1, "Napa", 0.9, names, "Napa", "Nopa", (("Napa", 0.75),), "500 mg", "tablet", "", ()
            )
            other = OtherReading("pp-ocr", 3, "Fexo", 0.8, "Fexo")
            unknown = MedicineReading(
                1, 2, None, 0.3, names, "Fe?", "Fexo", (), "", "", "", ("readers-disagree",), (other,)
            )
            return explained(known), explained(unknown)

        return PageParts(
            settings=world.node_settings(),
            site_id=SITE_ID,
            lineages={world.lineage_id: LINEAGE},
            store=clinic.store,
            journal=world.journal,
            originals=clinic.originals,
            quarantine=clinic.quarantine,
            models=models,
            review=clinic.review,
            consent=clinic.desk,
            limits=LoadLimits(),
            chain=ChainView(lambda: ChainFollower(world.ledger), _Ticks()),
            has_witness=lambda name: witness_key(name) in clinic.key_ring.names(),
            require_witness=lambda _name: None,
            erase=partial(
                erase_for_good,
                clinic.desk,
                originals=clinic.originals,
                quarantine=clinic.quarantine,
                features=self.folder / "features",
            ),
            intake=intake,
            lexicon=lambda: bundled_lexicon("drugsfda"),
            read=read,
            explain=lambda crop: replace(explained(SEEN).explanation, crop=crop) if self.has_model else None,
            password_cost=CHEAP,
            clock=self.now,
        )


SEEN = MedicineReading(1, 1, "Napa", 0.9, (("Napa", 0.9),), "Napa", "Napa", (("Napa", 0.9),), "", "", "", ())


def explained(reading: MedicineReading) -> ExplainedReading:
    """A reading whose letters stand side by side on a grey crop."""
    letters = tuple(SeenLetter(letter, 20.0 * at, 20.0 * at + 9, 0.9) for at, letter in enumerate(reading.text))
    crop = np.full((40, 20 * len(letters)), 200, np.uint8)
    return ExplainedReading(reading, Explanation(crop, SeenSpelling(reading.medicine or "", 0.9, letters), ()))


class _Ticks:
    """A steady clock on which every look at the chain is due."""

    def __init__(self) -> None:
        self._now = 0.0

    def __call__(self) -> float:
        self._now += 100.0
        return self._now


def token_of(answer: httpx.Response) -> str:
    """The CSRF token of a screen."""
    found = re.search(r'name="csrf" value="([^"]+)"', answer.text)
    assert found is not None
    return found[1]


def post(client: TestClient, path: str, data: dict[str, Any] | None = None, **more: Any) -> httpx.Response:
    """Sends a form as a screen of ours would."""
    return client.post(path, data={"csrf": token_of(client.get("/")), **(data or {})}, **more)


def scanned(png: bytes) -> pyotp.TOTP:
    """What a telephone makes of an authenticator's QR code. OpenCV's other detector misses one in thirty."""
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    found = pyotp.parse_uri(cv2.QRCodeDetectorAruco().detectAndDecode(picture)[0])
    assert isinstance(found, pyotp.TOTP)
    return found


def pixels_of(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(content)))


def upload(client: TestClient, content: bytes, name: str = "ward-7.png", patient: str = "P-100") -> str:
    """Imports a file as a screen of ours would; the list of imports when it has ended."""
    answer = post(client, "/import", {"patient": patient}, files={"files": (name, content, "image/png")})
    assert answer.status_code == 303, answer.text
    for _ in range(300):
        text = client.get("/import/jobs").text
        if "data-part" not in text:
            return text
        time.sleep(0.1)
    raise AssertionError("the import never ended")


def waiting(page: PageWorld) -> tuple[StoredWord, ...]:
    """The words that wait for review."""
    return page.world.clinic.review.waiting()


def consent(page: PageWorld, client: TestClient, patient: str = "P-100", **changes: str) -> httpx.Response:
    """Fills the consent desk's form; ``changes`` are fields of it."""
    fields = {
        "patient": patient, "giver": "patient", "purpose": "DUO:0000006", "method": "signed-form", "days": "90",
        "proof": "none", "shown": "yes",
    }  # fmt: skip
    return post(client, "/consent/new", fields | changes, files={"form": ("", b"")})
