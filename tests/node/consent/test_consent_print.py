"""docs/spec/consent-print.md: the consent receipt and the withdrawal slip on paper."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import stat
from collections.abc import Iterator
from datetime import UTC, date
from pathlib import Path
from string import Formatter

import cv2
import numpy as np
import pypdfium2
import pytest
import structlog
import uharfbuzz

from node.consent.notice import Notice, shipped_languages, shipped_notice
from node.consent.print import paper
from node.consent.print.catalogue import Catalogue, catalogue_for, shipped_catalogues
from node.consent.print.consent_papers import Occasion, print_receipts, print_withdrawal
from node.consent.print.paper import Paper
from node.consent.print.receipt_code import parse_receipt_code, receipt_code
from node.consent.traces import Trace
from protocol.consent_factor import NO_SECOND_FACTOR, PatientCode, StaffCodeAndForm
from protocol.consent_receipt import DUO_PURPOSES, RELATIONS, ByGuardian, ByWaiver, ConsentReceipt, Method
from protocol.errors import ConsentError, MalformedError
from protocol.identifiers import AccountAddress, Digest, digest_of, lineage_id_of, site_id_of
from protocol.joining import fingerprint
from tests.node.data.test_data_commands import GRANT, Shell

NOW = 1_790_000_000
DAY = 24 * 3600
OCCASION = Occasion("dhaka-general", NOW)
LINEAGE = lineage_id_of("english-g2")
RECEIPT = ConsentReceipt(
    receipt_id=Digest(bytes(range(32))),
    site_id=site_id_of("dhaka-general"),
    patient="P-0042 রোগী",
    purposes=("DUO:0000006",),
    language="bn",
    notice_digest=Digest(b"\x32" * 32),
    notice_version="1",
    method="signed-form",
    asked_by="Dr Khan",
    witness=AccountAddress(b"\x11" * 20),
    granted_at=NOW,
    expires_at=NOW + 365 * DAY,
)
LANGUAGES = ("bn", "en")


def page_text(pdf: bytes, page: int = 0) -> str:
    with pypdfium2.PdfDocument(pdf) as document:
        return " ".join(document[page].get_textpage().get_text_range().split())


def picture(pdf: bytes, page: int = 0) -> np.ndarray:
    with pypdfium2.PdfDocument(pdf) as document:
        return np.asarray(document[page].render(scale=2.5).to_pil().convert("L"))


def printed(language: str, **changes: object) -> bytes:
    receipt = dataclasses.replace(RECEIPT, **changes)
    made = print_receipts([(receipt, "nurse-rahman")], catalogue_for(language), OCCASION)
    assert made.missing == ""
    return made.pdf


def braces(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_both_languages_have_a_catalogue_and_a_notice() -> None:
    assert shipped_catalogues() == shipped_languages() == LANGUAGES


def test_the_catalogues_say_the_same_things() -> None:
    bangla, english = catalogue_for("bn"), catalogue_for("en")
    for field in dataclasses.fields(Catalogue):
        ours, theirs = getattr(bangla, field.name), getattr(english, field.name)
        assert type(ours) is type(theirs), field.name
        if isinstance(ours, str):
            assert ours.strip(), field.name
            assert braces(ours) == braces(theirs), field.name
        elif isinstance(ours, tuple):
            assert len(ours) == len(theirs), field.name
        else:
            assert ours.keys() == theirs.keys(), field.name
            assert all(braces(ours[key]) == braces(theirs[key]) for key in ours), field.name


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_has_words_for_everything_that_a_receipt_can_say(language: str) -> None:
    words = catalogue_for(language)
    assert words.language == language
    assert words.purposes.keys() == DUO_PURPOSES.keys()
    assert set(words.relations) == set(RELATIONS)
    assert set(words.methods) == set(Method.__args__)
    assert set(words.factors) == {"patient-totp", "staff-totp-and-form", "none"}
    assert (len(words.digits), len(words.months)) == (10, 12)


def test_a_language_without_a_catalogue_is_printed_in_english() -> None:
    assert catalogue_for("bn-BD").language == "bn"
    assert catalogue_for("fr").language == "en"


def test_dates_are_written_in_the_digits_and_months_of_the_language() -> None:
    assert catalogue_for("en").day(date(2026, 9, 21)) == "21 September 2026"
    assert catalogue_for("bn").day(date(2026, 9, 21)) == "২১ সেপ্টেম্বর ২০২৬"


def test_a_printed_receipt_says_what_was_agreed_and_by_whom() -> None:
    text = page_text(printed("en", second_factor=PatientCode(3)))
    for said in (
        "Your consent", "health and medical research", "21 September 2026", "21 September 2027", "Dr Khan",
        "nurse-rahman", "signed form", "one-time code of the patient", "version 1, language bn", "P-0042",
        "If you change your mind", fingerprint(RECEIPT_WITH_CODE.digest()),
    ):  # fmt: skip
        assert said in text, said
    assert RECEIPT.receipt_id.hex() in text.replace(" ", "")


RECEIPT_WITH_CODE = dataclasses.replace(RECEIPT, second_factor=PatientCode(3))


def test_a_guardian_and_a_waiver_are_printed_as_such() -> None:
    assert "in the patient's place: grandparent" in page_text(printed("en", giver=ByGuardian("grandparent")))
    waiver = ByWaiver(Digest(b"\x34" * 32), date(2026, 9, 1))
    text = page_text(printed("en", giver=waiver, method="ethics-decision"))
    assert "nobody; decision of 1 September 2026" in text
    assert "Your consent" not in text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("factor", [NO_SECOND_FACTOR, StaffCodeAndForm("sister.akter", 1, Digest(b"5" * 32))])
def test_the_longest_receipt_fits_one_page(language: str, factor: object) -> None:
    pdf = printed(
        language,
        purposes=tuple(sorted(DUO_PURPOSES)),
        giver=ByGuardian("health-care-proxy"),
        second_factor=factor,
        patient="রোগী-" + "৪" * 59,
    )
    with pypdfium2.PdfDocument(pdf) as document:
        assert len(document) == 1


def test_bangla_is_shaped() -> None:
    """Unshaped, the letters of a conjunct would stand by themselves with a visible virama between them."""
    font_file = Path(paper.__file__).parent / "fonts" / "NotoSansBengali-Regular.ttf"
    font = uharfbuzz.Font(uharfbuzz.Face(uharfbuzz.Blob.from_file_path(str(font_file))))
    for conjunct in ("ক্ষ", "স্ব", "ত্র", "ন্দ্র", "ম্ম", "প্ট", "জ্ঞ", "স্ক্র"):
        buffer = uharfbuzz.Buffer()
        buffer.add_str(conjunct)
        buffer.guess_segment_properties()
        uharfbuzz.shape(font, buffer)
        shown = {info.codepoint for info in buffer.glyph_infos}
        assert font.get_nominal_glyph(0x9CD) not in shown, conjunct
        assert 0 not in shown, conjunct


def ink_of(text: str) -> np.ndarray:
    made = Paper(catalogue_for("en"), "x", "x")
    made.page("x")
    made.paragraph(text, size=30)
    pixels = picture(made.to_bytes())[260:420] < 128
    columns = np.flatnonzero(pixels.any(axis=0))
    return pixels[:, columns[0] : columns[-1] + 1]


def test_bangla_after_latin_letters_in_one_line_is_shaped_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same word stands in the same shape whether Latin letters come before it or not."""
    alone, behind = ink_of("ক্ষন্দ্র"), ink_of("P-1 ক্ষন্দ্র")
    assert (alone != behind[:, -alone.shape[1] :]).mean() < 0.03
    with monkeypatch.context() as patch:
        patch.setattr(paper.FPDF, "set_text_shaping", lambda *_arguments, **_named: None)
        unshaped = ink_of("ক্ষন্দ্র")
    assert unshaped.shape[1] > alone.shape[1] * 1.2


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_cut_at_the_edges_of_the_page(language: str) -> None:
    ink = picture(printed(language)) < 200
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    height, width = ink.shape
    assert rows[0] > height * 0.02
    assert rows[-1] < height * 0.98
    assert columns[0] > width * 0.08
    assert columns[-1] < width * 0.92


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_qr_code_of_a_printed_receipt_reads_as_its_digest(language: str) -> None:
    text, _, _ = cv2.QRCodeDetectorAruco().detectAndDecode(picture(printed(language)))
    assert parse_receipt_code(text) == RECEIPT.digest()


def test_a_receipts_code_is_capitals_and_comes_back() -> None:
    code = receipt_code(RECEIPT.digest())
    assert re.fullmatch(r"FEDRX:CONSENT:1:[0-9A-F]{64}", code)
    assert parse_receipt_code(f" {code.lower()}\n") == RECEIPT.digest()
    for bad in ("", "FEDRX:CONSENT:1:", "FEDRX:CONSENT:2:" + "0" * 64, code[:-1], code + "0", code[:-1] + "G"):
        with pytest.raises(MalformedError):
            parse_receipt_code(bad)


def test_a_character_without_a_sign_is_told() -> None:
    receipt = dataclasses.replace(RECEIPT, asked_by="د. خان")
    assert "خ" in print_receipts([(receipt, "nurse-rahman")], catalogue_for("en"), OCCASION).missing


def test_a_withdrawal_slip_lists_what_the_pictures_touched() -> None:
    traces = (Trace(LINEAGE, 3, 12, "x", Digest(b"\x9a" * 32), 4), Trace(LINEAGE, 4, 11, "x", None, 0))
    receipts = [(RECEIPT, NOW + 5 * DAY)]

    def slip(traces: tuple[Trace, ...] | None, language: str = "en") -> bytes:
        made = print_withdrawal(receipts, traces, {LINEAGE: "english-g2"}, catalogue_for(language), OCCASION)
        assert made.missing == ""
        return made.pdf

    text = page_text(slip(traces))
    assert "withdrawn on 26 September 2026" in text
    assert "english-g2 3 12 in the shared model 9a9a9a9a9a 4" in text
    assert "english-g2 4 11 in no shared model 0" in text
    assert "No part that this place handed in" in page_text(slip(()))
    assert "could not be made now" in page_text(slip(None))
    code, _, _ = cv2.QRCodeDetectorAruco().detectAndDecode(picture(slip(traces, "bn")))
    assert parse_receipt_code(code) == RECEIPT.digest()


def test_a_long_list_of_rounds_goes_on_over_pages() -> None:
    traces = tuple(Trace(LINEAGE, number, 1, "x", None, 0) for number in range(1, 90))
    made = print_withdrawal([(RECEIPT, NOW)], traces, {LINEAGE: "english-g2"}, catalogue_for("bn"), OCCASION)
    with pypdfium2.PdfDocument(made.pdf) as document:
        assert len(document) > 1
        last = document[len(document) - 1].get_textpage().get_text_range()
    assert RECEIPT.receipt_id.hex()[:8] in last


def test_days_are_those_of_the_place() -> None:
    assert Occasion("x", NOW, UTC).day(NOW) == date(2026, 9, 21)
    assert Occasion("x", NOW, None).day(NOW)


def test_the_bangla_notice_says_what_the_english_one_says() -> None:
    bangla, english = shipped_notice("bn"), shipped_notice("en")
    assert bangla.version == english.version
    assert len(bangla.text.split("\n\n")) == len(english.text.split("\n\n"))
    assert len(bangla.text.split()) < 600
    assert bangla.digest != english.digest
    assert shipped_notice("bn-BD") == bangla


def test_a_notice_is_named_by_its_exact_bytes() -> None:
    text = shipped_notice("bn").text
    assert Notice("bn", "1", text).digest == digest_of("consent-notice", text.encode("utf-8"))
    assert Notice("bn", "1", text + " ").digest != shipped_notice("bn").digest


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with structlog.testing.capture_logs() as logs:
        yield Shell(tmp_path)
    assert "P001" not in repr(logs)


def test_the_desk_prints_checks_and_prints_the_withdrawal(shell: Shell, tmp_path: Path) -> None:
    paper, slip = tmp_path / "paper.pdf", tmp_path / "slip.pdf"
    assert isinstance(shell.refused("consent", "print", "P001", "-o", str(paper)), ConsentError)
    shell.run(*GRANT, "--language", "bn-BD")
    said = shell.run("consent", "print", "P001", "-o", str(paper)).stderr.replace("\n", " ")
    assert "in bn" in said
    assert "in clear" in said
    assert stat.S_IMODE(paper.stat().st_mode) == 0o600
    code, _, _ = cv2.QRCodeDetectorAruco().detectAndDecode(picture(paper.read_bytes()))
    assert "in force" in shell.run("consent", "check", code).stdout
    assert "nurse-rahman" in page_text(paper.read_bytes())
    assert "withdrawn nothing" in str(shell.refused("consent", "print", "P001", "--withdrawal", "-o", str(slip)))
    shell.run("consent", "withdraw", "P001")
    assert "withdrawn" in shell.run("consent", "check", code).stdout
    shell.run("consent", "print", "P001", "--withdrawal", "--language", "en", "-o", str(slip))
    assert "could not be made now" in page_text(slip.read_bytes())
    assert "no consent in force" in str(shell.refused("consent", "print", "P001", "-o", str(paper)))
    assert "no such consent" in str(shell.refused("consent", "check", receipt_code(RECEIPT.digest())))


@pytest.mark.parametrize("consent_format", ["fhir-r4b", "fhir-r5", "ts27560", "receipt"])
def test_the_desk_exports_a_consent(shell: Shell, tmp_path: Path, consent_format: str) -> None:
    file = tmp_path / "consent.json"
    shell.run(*GRANT)
    said = shell.run("consent", "export", "P001", "--format", consent_format, "-o", str(file)).stderr
    assert "patient data in clear" in said.replace("\n", " ")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "P001" in file.read_text()
    assert json.loads(file.read_bytes())


@pytest.mark.parametrize("consent_format", ["fhir-r4b", "fhir-r5", "ts27560"])
def test_the_desk_takes_a_foreign_consent_only_with_a_witness(
    shell: Shell, tmp_path: Path, consent_format: str
) -> None:
    file = tmp_path / "consent.json"
    shell.run(*GRANT, "--days", "100", "--purpose", "DUO:0000042")
    shell.run("consent", "export", "P001", "--format", consent_format, "-o", str(file))
    command = shell.run("consent", "import", str(file)).stdout
    words = shlex.split(command.replace("NAME", "nurse-rahman"))
    assert words[:4] == ["fedrx", "node", "consent", "grant"]
    assert words[4:10] == ["--witness", "nurse-rahman", "--asked-by", "Dr Khan", "--purpose", "DUO:0000042"]
    # A day less when the clock moved since the consent was given.
    assert words[words.index("--days") + 1] in {"99", "100"}
    assert len(shell.listed("consent", "list")) == 1
    shell.run("consent", "import", str(file), "--witness", "nurse-rahman", "--patient", "P002")
    rows = {row["patient"]: row for row in shell.listed("consent", "list")}
    assert rows["P002"]["purposes"] == ["DUO:0000042"]
    assert rows["P002"]["asked_by"] == "Dr Khan"
    shell.run(*words[2:])
    assert len(shell.listed("consent", "list")) == 3


def test_a_withdrawn_consent_is_exported_as_withdrawn_and_not_taken_again(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "consent.json"
    shell.run(*GRANT)
    shell.run("consent", "withdraw", "P001")
    shell.run("consent", "export", "P001", "--format", "fhir-r5", "-o", str(file))
    assert json.loads(file.read_bytes())["status"] == "inactive"
    assert "does not stand" in str(shell.refused("consent", "import", str(file)))
